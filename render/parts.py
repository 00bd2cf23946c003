"""What a figure is made of: lines, an expected range, marked spans and limits. Times are aware UTC, values in their unit."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of a chart.

    Attributes
    ----------
    frame : DataFrame
        `ts` (aware UTC) and `value` (float; NaN is unknown and is drawn as a gap), sorted by `ts`.
    """

    name: str
    frame: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What was expected.

    Attributes
    ----------
    frame : DataFrame
        `ts` (aware UTC), `lower`, `expected`, `upper` (floats), sorted by `ts`.
    """

    name: str
    frame: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A span worth seeing, an anomaly for example.

    Attributes
    ----------
    end : datetime or None
        None while it lasts.
    text : str
        Shown when the pointer rests on the mark.
    strong : bool
        False where it concerns only a part of what the chart shows.
    """

    start: datetime
    end: datetime | None
    text: str
    strong: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment worth seeing, a deployment for example; `text` is shown when the pointer rests on it."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A line that the series should stay below (`at_most`) or be able to reach."""

    name: str
    value: float
    at_most: bool
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The half-open span [start, end) that a chart shows, and the zone that its clock reads."""

    start: datetime
    end: datetime
    zone: str = "UTC"
