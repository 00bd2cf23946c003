"""What a figure is made of: lines, an expected range, marked spans and limits. Times are aware UTC, values in their unit."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series of a chart.

    Attributes
    ----------
    frame : DataFrame
        `ts` (aware UTC) and `value` (float; NaN is unknown and is drawn as a gap), sorted by `ts`.
    dash : str
        `solid`, `dash` or `dot`; empty: by its place among the lines.
    quiet : bool
        Drawn in the colour of what stands behind: the rest, or an earlier time.
    link : str
        The page that a click on the line leads to; empty: none.
    """

    name: str
    frame: pd.DataFrame
    dash: str = ""
    quiet: bool = False
    link: str = ""


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


class MarkKind(StrEnum):
    """What a mark is of; the value is its name in a legend."""

    ANOMALY = "anomaly"
    INCIDENT = "incident"
    QUIET = "maintenance or silence"
    CHANGE = "new version"
    MADE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A span, or the beginning of something, worth seeing.

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
    kind: MarkKind = MarkKind.ANOMALY


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
