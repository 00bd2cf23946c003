"""Holidays and known events: spans unlike usual days, as they are given and as they are found in the past."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.forecasting.history import LARGEST, fill
from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season

_LEAST_FACTOR, _MOST_FACTOR = 0.05, 20.0
_SMALL = 0.1
"""Added, as a share of what is usual in the span, to both sides of a ratio of single points, so that quiet hours say little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class General:
    """Expected of an occasion of which nothing was seen: its usual factor; one in twenty is below `low`, one above `high`.

    `0 < low <= factor <= high`.
    """

    low: float
    factor: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A span unlike others, in points of the history (it may lie beyond its end), half open.

    Attributes
    ----------
    name : str
        Occasions of one name are alike: New Year's Day, black friday.
    uplift : float or None
        The factor that is expected, 1.4 for 40 % more; None: as it was before, and without a past one as in general.
    kind : str
        Occasions of one kind are similar: days off on working days. Empty: like none but those of its name.
    general : General or None
        None: without a past one no different from other days.
    """

    name: str
    start: int
    end: int
    uplift: float | None = None
    kind: str = ""
    general: General | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One of the past: the logarithm of its factor, and the mean square of those of its points around it."""

    name: str
    kind: str
    log_factor: float
    scatter: float


def occasion(
    name: str,
    begins: datetime,
    ends: datetime,
    uplift: float | None,
    first: datetime,
    step_s: int,
    *,
    kind: str = "",
    general: General | None = None,
) -> Occasion:
    """An event of these times, for points of `step_s` seconds of which the first is at `first`."""
    start, end = (math.floor((at - first).total_seconds() / step_s) for at in (begins, ends - timedelta(microseconds=1)))
    return Occasion(name=name, start=start, end=end + 1, uplift=uplift, kind=kind, general=general)


def masked(count: int, occasions: Sequence[Occasion]) -> npt.NDArray[np.bool_]:
    """Points of the history, of length `count`, that lie in an occasion and so tell nothing of usual days."""
    mask = np.zeros(count, dtype=bool)
    for one in occasions:
        mask[max(one.start, 0) : max(one.end, 0)] = True
    return mask


def seen(values: Floats, occasions: Sequence[Occasion], season: Season) -> list[Seen]:
    """What the past occasions of `values` (NaN where unknown) were like."""
    return list(_seen(values, occasions, season))


def _seen(values: Floats, occasions: Sequence[Occasion], season: Season) -> Iterator[Seen]:
    mask = masked(len(values), occasions)
    if not mask.any():
        return
    values = np.where(np.abs(values) <= LARGEST, values, np.nan)
    if not np.isfinite(values[~mask]).any():
        return
    usual = fill(np.where(mask, np.nan, values), season)
    for one in occasions:
        part = slice(max(one.start, 0), max(one.end, 0))
        known = np.isfinite(values[part])
        real, expected = values[part][known], usual[part][known]
        if known.any() and expected.sum() > 0:
            factor = float(np.clip(real.sum() / expected.sum(), _LEAST_FACTOR, _MOST_FACTOR))
            small = _SMALL * float(expected.mean()) * factor
            apart = np.log(np.maximum(real + small, small) / np.maximum(expected * factor + small, small))
            yield Seen(name=one.name, kind=one.kind, log_factor=math.log(factor), scatter=float((apart**2).mean()))
