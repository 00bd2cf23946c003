"""Change over days that no minute shows: latency that creeps, a level that stepped, throughput that falls under load.

Each day of a series is one level: the median of its hours' logarithms less what is usual at that hour of that kind of day.
Over the last 6 to 14 days the trend is the median of the slopes between days of one kind (Theil, 1950; Sen, 1968; by kind as in
the seasonal form of Hirsch and Slack, 1984); it must be many of its own standard errors, lasting (Kendall's tau) and large
enough to matter. Where one step explains the days better than a line does, it is told as a change point at the best split.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.borrowing import KIND_OF_WEEKDAY
from analytics.features import Floats
from analytics.summary import masked_median

LONGEST = 14
_SPANS = (6, 8, 10, 14)
_LEAST_HOURS = 6
_LEAST_ERRORS, _LEAST_TAU, LEAST_CHANGE = 5.0, 0.6, 0.25
"""What a score of 1.0 needs: slopes in standard errors, Kendall's tau, and the logarithm of the change over the span (28 %)."""
_LEAST_NOISE = 0.05
"""A day's level is never known better than to 5 %."""
_STEP_FITS = 0.5
"""A step whose squared errors are this part of a line's, or less, is one."""
_DIGITS = 9
"""Of logarithms: days that differ by less are equal, and neither rise nor fall."""
_SIGMA_OF_MAD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Creep:
    """How each series changed; arrays of shape (n_series,), 0 or NaN where too little is known.

    Attributes
    ----------
    score : ndarray
        1.0 where it is to be told, whatever the side.
    slope, error : ndarray
        Of the logarithm, a day, with its standard error.
    first, last : ndarray
        Level at the span's beginning and end, in the metric's unit.
    days : ndarray of int
        Length of the span that shows it best.
    step : ndarray of int
        Days before the end at which the level stepped; 0 where it crept.
    """

    score: Floats
    slope: Floats
    error: Floats
    first: Floats
    last: Floats
    days: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]


def creeping(values: Floats, weekday: npt.NDArray[np.int64]) -> Creep:
    """Judge the end of each series.

    Parameters
    ----------
    values : ndarray of shape (n_series, n_days, 24)
        By local day and hour, in the metric's unit; NaN or nought where unknown.
    weekday : ndarray of shape (n_days,)
        0 is Monday, 7 a day off.
    """
    kinds = KIND_OF_WEEKDAY[weekday]
    known = np.where((values > 0.0) & np.isfinite(values), values, np.nan)
    levels, middle = _daily(np.log(known), kinds)
    size = len(values)
    best = Creep(
        score=np.zeros(size),
        slope=np.zeros(size),
        error=np.full(size, np.nan),
        first=np.full(size, np.nan),
        last=np.full(size, np.nan),
        days=np.zeros(size, dtype=np.int64),
        step=np.zeros(size, dtype=np.int64),
    )
    for span in _SPANS:
        if span <= levels.shape[1]:
            found = _over(levels[:, -span:], kinds[-span:], middle)
            better = found.score > best.score
            best = Creep(**{name: np.where(better, getattr(found, name), getattr(best, name)) for name in Creep.__slots__})
    return best


def _daily(logs: Floats, kinds: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Level of each day around the series' middle, (n_series, n_days), NaN where few hours are known; and the middle."""
    usual = np.zeros(logs.shape)
    for kind in np.unique(kinds):
        usual[:, kinds == kind] = masked_median(logs[:, kinds == kind].swapaxes(1, 2))[:, None, :]
    enough = np.isfinite(logs).sum(axis=2) >= _LEAST_HOURS
    level = np.where(enough, masked_median(logs - usual), np.nan)
    return level, masked_median(logs.reshape(len(logs), -1))


def _over(levels: Floats, kinds: npt.NDArray[np.int64], middle: Floats) -> Creep:
    """One span of days."""
    size, days = levels.shape
    at = np.arange(days)
    first, second = np.triu_indices(days, 1)
    alike = kinds[first] == kinds[second]
    first, second = first[alike], second[alike]
    moved = np.round(levels[:, second] - levels[:, first], _DIGITS)
    slope = np.nan_to_num(masked_median(moved / (second - first)))
    pairs = np.isfinite(moved).sum(axis=1)
    tau = np.nansum(np.sign(moved), axis=1) / np.maximum(pairs, 1)
    around = _without_kinds(levels - slope[:, None] * at, kinds)
    noise = np.maximum(_SIGMA_OF_MAD * np.nan_to_num(masked_median(np.abs(around))), _LEAST_NOISE)
    error = noise * np.sqrt(12.0 / days**3)
    change = slope * (days - 1)
    parts = (np.abs(slope) / error / _LEAST_ERRORS, tau * np.sign(slope) / _LEAST_TAU, np.abs(change) / LEAST_CHANGE)
    score = np.minimum.reduce(parts)
    enough = np.isfinite(levels).mean(axis=1) >= 0.8
    base = masked_median(levels - slope[:, None] * (at - (days - 1) / 2.0))
    return Creep(
        score=np.where(enough, np.maximum(score, 0.0), 0.0),
        slope=slope,
        error=error,
        first=np.exp(middle + base - change / 2.0),
        last=np.exp(middle + base + change / 2.0),
        days=np.full(size, days, dtype=np.int64),
        step=_step(levels, kinds, around),
    )


def _without_kinds(levels: Floats, kinds: npt.NDArray[np.int64]) -> Floats:
    """Less the middle of each kind of day."""
    out = levels.copy()
    for kind in np.unique(kinds):
        out[:, kinds == kind] -= masked_median(levels[:, kinds == kind])[:, None]
    return out


def _step(levels: Floats, kinds: npt.NDArray[np.int64], line: Floats) -> npt.NDArray[np.int64]:
    """Days since the one step that leaves least, where that is much less than what the `line` leaves; else 0.

    Its size is the median of what days of one kind differ by across it.
    """
    days = levels.shape[1]
    first, second = np.triu_indices(days, 1)
    best, where = np.full(len(levels), np.inf), np.zeros(len(levels), dtype=np.int64)
    for split in range(2, days - 1):
        across = (first < split) & (second >= split) & (kinds[first] == kinds[second])
        if not across.any():
            continue
        size = np.nan_to_num(masked_median(levels[:, second[across]] - levels[:, first[across]]))
        left = np.nansum(_without_kinds(levels - np.where(np.arange(days) >= split, size[:, None], 0.0), kinds) ** 2, axis=1)
        better = left < best
        best, where = np.where(better, left, best), np.where(better, days - split, where)
    return np.where(best < _STEP_FITS * np.nansum(line**2, axis=1), where, 0)
