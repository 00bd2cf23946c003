"""How far off a forecast may be: conformal quantiles from the errors of its own replays (Vovk et al., 2005, split conformal).

Errors are measured against what is usual at that hour of the week (drawn towards that of the hour of the day, since a slot has
few of them) and against the level of their time, so that they can be pooled over all replays. They grow with the weeks ahead,
are smaller on the first day, and are widened for being few: replays of neighbouring weeks overlap and tell little of their own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season
from core.types import QUANTILE_LEVELS

Ints = npt.NDArray[np.int64]

_SLOT_COUNTS = 4.0
"""The hour of the day weighs as much as so many errors at the hour of the week."""
_LEAST_GROWTH, _MOST_GROWTH = 0.05, 0.6
"""Bounds of how much wider the interval gets with each week ahead, as a share of the first week's."""
_USUAL_GROWTH = 0.15
_LEAST_FIRST_DAY = 0.5
_FEW_REPLAYS, _MOST_WIDENING = 0.65, 3.5
"""What is added to the width over the number of independent replays, and the widest that comes of it."""
_ENOUGH_FOR_FIRST_DAY = 4.0
_CHANCE = 0.1
"""A median error of so many typical ones is no leaning."""
_NORMAL = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])
_LEVEL_POWER = 0.5
"""Errors grow with the level, by the square root as those of counts do at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """One replay of the blended forecast: `origin` in points since the history's start; `errors` are truth minus path."""

    origin: int
    errors: Floats
    path: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Calibrated on replays.

    Attributes
    ----------
    size : ndarray of shape (week,)
        Typical absolute error by slot of the week, slot 0 at `origin` 0 of the errors.
    quantiles : ndarray of shape (n_quantiles,)
        Of the errors relative to their typical size, less their median: the path stays the median. Where the errors lay to one
        side, the quantiles of that side lie further out by as much.
    mean : float
        Mean of those relative errors less their median.
    growth, first_day : float
        Added to the width with each week ahead, as a share; the first day's width as a share of the week's.
    independent : float
        How many replays tell something of their own.
    level : float
        Mean of the path at the time of calibration.
    """

    size: Floats
    quantiles: Floats
    mean: float
    growth: float
    first_day: float
    independent: float
    level: float


def calibrate(replayed: Iterable[Errors], level: float, independent: float, season: Season) -> Spread:
    """Pool the errors of the replays (one or more) around a forecast whose mean is `level`."""
    parts = list(_scaled(replayed, level, season))
    errors, slot, ahead = (np.concatenate(column) for column in zip(*parts, strict=True))
    size = _typical(np.abs(errors), slot, season)
    relative = errors / size[slot]
    first_day = _first_day(relative, ahead, season) if independent >= _ENOUGH_FOR_FIRST_DAY else 1.0
    growth = _growth(relative, ahead // season.week)
    pooled = relative / ((1.0 + growth * (ahead // season.week)) * np.where(ahead < season.day, first_day, 1.0))
    middle = float(np.median(pooled))
    return Spread(
        size=size,
        quantiles=np.quantile(pooled, QUANTILE_LEVELS) - middle + _leaning(middle),
        mean=float(pooled.mean()) - middle,
        growth=growth,
        first_day=first_day,
        independent=independent,
        level=level,
    )


def widths(spread: Spread, path: Floats, start: int, season: Season) -> Floats:
    """What one unit of the spread's quantiles is worth at each point of a path that begins `start` points after slot 0."""
    ahead = np.arange(len(path))
    weeks = ahead // season.week
    few = np.minimum(1.0 + _FEW_REPLAYS * (weeks + 1.0) / spread.independent, _MOST_WIDENING)
    near = np.where(ahead < season.day, spread.first_day, 1.0)
    level = _relative_level(float(np.abs(path[: season.week]).mean()), spread.level)
    return np.asarray(spread.size[(start + ahead) % season.week] * (1.0 + spread.growth * weeks) * few * near * level)


def doubted(away: Floats, path: Floats, below: Floats, above: Floats) -> Floats:
    """Distances of the quantiles from the path, shape (n_points, n_quantiles), where the path's factor is doubtful as well.

    `below` and `above`, shape (n_points,), are standard deviations of the factor's logarithm, normal on either side. Both
    reasons to be off are independent, so that squares add up.
    """
    if not below.any() and not above.any():
        return away
    lower = _NORMAL < 0.0
    factor = np.exp(np.where(lower, below[:, None], above[:, None]) * _NORMAL) - 1.0
    return np.asarray(np.where(lower, -1.0, 1.0) * np.hypot(away, np.abs(path)[:, None] * factor))


def _leaning(middle: float) -> Floats:
    """What is added to each quantile where past errors lay to one side: the path stays, but what it missed may come again.

    Nothing in the middle, all of it at the outer quantile of that side.
    """
    levels = np.array(QUANTILE_LEVELS)
    outward = np.abs(levels - 0.5) / np.abs(levels - 0.5).max()
    clear = np.sign(middle) * max(abs(middle) - _CHANCE, 0.0)
    return np.where(np.sign(levels - 0.5) == np.sign(middle), clear * outward, 0.0)


def _scaled(replayed: Iterable[Errors], level: float, season: Season) -> Iterator[tuple[Floats, Ints, Ints]]:
    for one in replayed:
        ahead = np.arange(len(one.errors))
        then = float(np.abs(one.path[: season.week]).mean())
        yield one.errors * _relative_level(level, then), (one.origin + ahead) % season.week, ahead


def _relative_level(now: float, then: float) -> float:
    if now <= 0.0 or then <= 0.0:
        return 1.0
    return float(np.clip(now / then, 0.1, 10.0) ** _LEVEL_POWER)


def _typical(size: Floats, slot: Ints, season: Season) -> Floats:
    """Mean absolute error by slot of the week and its neighbours, drawn towards the time of the day; never nought."""
    total, count = (np.asarray(np.bincount(slot, each, season.week), dtype=np.float64) for each in (size, np.ones(len(slot))))
    by_day = [part.reshape(-1, season.day).sum(axis=0) for part in (total, count)]
    day_total, day_count = (_with_neighbours(part) for part in by_day)
    overall = float(size.mean())
    daily = np.where(day_count > 0, day_total / np.maximum(day_count, 1e-9), overall)
    near_total, near_count = _with_neighbours(total), _with_neighbours(count)
    weight = 3.0 * _SLOT_COUNTS
    typical = (near_total + weight * np.tile(daily, season.week // season.day)) / (near_count + weight)
    return np.asarray(typical + 0.05 * overall + 1e-12)


def _with_neighbours(values: Floats) -> Floats:
    return np.asarray(np.roll(values, 1) + values + np.roll(values, -1)) if len(values) > 2 else values


def _first_day(relative: Floats, ahead: Ints, season: Season) -> float:
    """Size of the errors of the first day over that of the days that follow in the week."""
    first = ahead < season.day
    rest = ~first & (ahead < season.week)
    if not first.any() or not rest.any():
        return 1.0
    return float(np.clip(np.abs(relative[first]).mean() / max(np.abs(relative[rest]).mean(), 1e-12), _LEAST_FIRST_DAY, 1.0))


def _growth(relative: Floats, weeks: Ints) -> float:
    """By how much the error grows with each week ahead, relative to the first week's."""
    if weeks.max() == 0:
        return _USUAL_GROWTH
    weight = np.bincount(weeks).astype(float)
    size = np.bincount(weeks, np.abs(relative)) / weight
    ahead = np.arange(len(size))
    rise = (weight * ahead * (size / max(size[0], 1e-12) - 1.0)).sum() / (weight * ahead**2).sum()
    return float(np.clip(rise, _LEAST_GROWTH, _MOST_GROWTH))
