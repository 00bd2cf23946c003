"""The history that forecasts learn from: cut to what is known, outages and masked points out, gaps filled as usual."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season

_OUTAGE_SHARE, _BUSY_SHARE = 0.02, 0.25
"""An outage is a run below the first share of what is usual, while what is usual is above the second share of the middle."""
_LEAST_OUTAGE = 2
LARGEST = 1e100
"""Beyond this is no measurement, and sums of it would overflow."""
_MOST_OUTAGES = 0.1
"""More than this share of points cannot be outages: the series is so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """`values` of shape (n_points,) without gaps, beginning `start` points into what was given; `ends` points before its end.

    `known` points were neither unknown nor masked.
    """

    values: Floats
    start: int
    ends: int
    known: int


def prepare(values: Floats, season: Season, masked: npt.NDArray[np.bool_] | None = None) -> History:
    """Cut, mask and fill; infinities, and numbers near them, are unknown. The result is empty where nothing is known."""
    clean = np.where(np.abs(values) <= LARGEST, values, np.nan)
    known = np.flatnonzero(np.isfinite(clean))
    if not len(known):
        return History(values=np.empty(0), start=0, ends=0, known=0)
    first, last = int(known[0]), int(known[-1]) + 1
    span = clean[first:last].copy()
    if masked is not None and not masked[first:last].all():
        span[masked[first:last]] = np.nan
    span[_outages(span, season)] = np.nan
    count = int(np.isfinite(span).sum())
    return History(values=fill(span, season), start=first, ends=len(values) - last, known=count)


def fill(values: Floats, season: Season) -> Floats:
    """Unknown points get what is usual at that time of the week, at the level of their own week."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return values
    usual = _usual(values, season)
    filled = values.copy()
    for start in range(0, len(values), season.week):
        part = slice(start, start + season.week)
        gap = missing[part]
        if gap.any():
            filled[part][gap] = usual[part][gap] * _level_of(values[part], usual[part])
    return filled


def _level_of(values: Floats, usual: Floats) -> float:
    """How a week stands to what is usual; one where hardly anything of it is known."""
    both = np.isfinite(values) & (usual > 0)
    if both.sum() < max(len(values) // 4, 1):
        return 1.0
    return float(np.clip(np.median(values[both] / usual[both]), 0.1, 10.0))


def _usual(values: Floats, season: Season) -> Floats:
    """Median by time of the week; of the day, or of everything, where that was never seen."""
    result = np.full(len(values), np.median(values[np.isfinite(values)]))
    for length in (season.day, season.week):
        if len(values) >= 2 * length:
            middle = _slot_medians(values, length)
            by_slot = np.resize(middle, len(values))
            result = np.where(np.isfinite(by_slot), by_slot, result)
    return result


def _slot_medians(values: Floats, length: int) -> Floats:
    padded = np.concatenate([values, np.full(-len(values) % length, np.nan)]).reshape(-1, length)
    seen = np.isfinite(padded).any(axis=0)
    middle = np.full(length, np.nan)
    middle[seen] = np.nanmedian(padded[:, seen], axis=0)
    return middle


def _outages(values: Floats, season: Season) -> npt.NDArray[np.bool_]:
    """Runs in which next to nothing came while a lot is usual; not the run that the history ends with, which may be news."""
    none = np.zeros(len(values), dtype=bool)
    known = np.isfinite(values)
    if len(values) < 2 * season.week or values[known].min() < 0:
        return none
    usual = _usual(values, season)
    busy = usual > _BUSY_SHARE * max(float(np.median(values[known])), float(values[known].mean()))
    low = known & busy & (values <= _OUTAGE_SHARE * usual)
    edges = np.diff(np.concatenate([[0], low.astype(np.int8), [0]]))
    for first, last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        if last - first >= _LEAST_OUTAGE and last < len(values):
            none[first:last] = True
    return none if none.mean() <= _MOST_OUTAGES else np.zeros(len(values), dtype=bool)
