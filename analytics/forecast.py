"""Hourly forecasts with quantiles: a weighted profile of the week times the recent level, intervals from replayed forecasts.

The profile is that of the hour of the week, relative to each week's level; recent weeks count more, over three different
memories whose forecasts are averaged. Its level is the weighted geometric mean of the last weeks; where a level that goes on
growing would have been clearly better in the replays of the series' own past, that one is used. On hourly series of real
traffic this beats every library model and the mean of the last four weeks (see benchmarks/bench_forecast.py); models with a
daily season only lose to repeating the last week and are not used. A trend for every series would lose as well: most levels
wander.

The intervals are conformal: the same forecast is replayed at past weekly origins; its errors, relative to what is usual at that
hour of the day, are pooled over all weeks ahead after taking out their growth with the horizon.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TpscopeError
from core.types import QUANTILE_COLUMNS, QUANTILE_LEVELS

Floats = npt.NDArray[np.float64]

WEEK = 168
MODEL = "weekly profile x level"
GROWING_MODEL = "weekly profile x growing level"
MIN_HISTORY_H = 2 * WEEK
"""One week to learn the profile and one to see how wrong it is."""

_MOST_WEEKS = 16
_PROFILE_HALF_LIVES = (2.0, 4.0, 8.0)
_LEVEL_HALF_LIFE = 1.2
_GROWTH_WEEKS = 8
_LEAST_GROWTH_WEEKS = 5
"""Weeks that growth is measured over, and the fewest that say anything about it."""
_GROWTH_DAMPING = 0.95
_MOST_GROWTH_PER_WEEK = 0.05
_CLEARLY_BETTER = 0.9
"""Growth is used where it brings the replayed error below this share of the one without; then it hurts no real series."""
_MOST_REPLAYS = 12
_LEAST_GROWTH, _MOST_GROWTH = 0.05, 0.6
"""Bounds of how much wider the interval gets with each week ahead, as a share of the first week's."""
_USUAL_GROWTH = 0.15
_FEW_REPLAYS = 0.5
"""Intervals are widened by this over the number of replays that are independent: weeks are of one another, hours are not, and
errors several weeks ahead overlap."""


class ShortHistory(TpscopeError, ValueError):
    """There is too little history to forecast from; the message says how much is needed.

    Attributes
    ----------
    have_h, need_h : int
        Hours of history.
    """

    def __init__(self, have_h: int, need_h: int = MIN_HISTORY_H) -> None:
        super().__init__(f"{have_h / 24:.1f} days of hourly history, {need_h / 24:.0f} days are needed")
        self.have_h, self.need_h = have_h, need_h


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A forecast of consecutive hours.

    Attributes
    ----------
    points : DataFrame
        `mean` and the columns of `QUANTILE_COLUMNS`, one row an hour, in the unit of the history; quantiles never cross.
    error_mase : float
        Error of the same model over replayed weeks, relative to repeating the week before; NaN where none could be replayed.
    """

    points: pd.DataFrame
    model: str
    error_mase: float


def forecast(values: Floats, horizon: int, *, non_negative: bool = True) -> Forecast:
    """Forecast the `horizon` hours that follow `values`.

    Parameters
    ----------
    values : ndarray of shape (n_hours,)
        Consecutive hours, oldest first; NaN where unknown. Everything but the known span is cut off.
    non_negative : bool
        Whether nothing below zero can happen.

    Raises
    ------
    ShortHistory
        Where less than two weeks lie between the first and the last known hour, or less than half of them are known.
    """
    history = _known_span(values)
    known = int(np.isfinite(history).sum())
    usable = len(history) if 2 * known >= len(history) else known
    if usable < MIN_HISTORY_H:
        raise ShortHistory(usable)
    filled = _fill_gaps(history[-_MOST_WEEKS * WEEK :])
    growing, errors = _choose(filled, min(horizon, _MOST_REPLAYS * WEEK))
    point = _point(filled, horizon, growing=growing)
    quantiles = point[:, None] + _spreads(filled, errors, horizon)
    if non_negative:
        point, quantiles = np.maximum(point, 0.0), np.maximum(quantiles, 0.0)
    quantiles = np.maximum.accumulate(quantiles, axis=1)
    points = pd.DataFrame({"mean": point, **dict(zip(QUANTILE_COLUMNS, quantiles.T, strict=True))})
    return Forecast(points=points, model=GROWING_MODEL if growing else MODEL, error_mase=_relative_error(filled, errors))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replay:
    """Errors (truth minus forecast) of one forecast from a past origin, `origin` hours into the history."""

    origin: int
    errors: Floats


def _known_span(values: Floats) -> Floats:
    known = np.flatnonzero(np.isfinite(values))
    return values[known[0] : known[-1] + 1] if len(known) else values[:0]


def _fill_gaps(history: Floats) -> Floats:
    """Unknown hours get the median of their hour of the week, or of everything where that was never seen."""
    if np.isfinite(history).all():
        return history
    filled = history.copy()
    slot = np.arange(len(history)) % WEEK
    for hour in np.unique(slot[~np.isfinite(history)]):
        same = history[slot == hour]
        known = same[np.isfinite(same)]
        usual = np.median(known) if len(known) else np.median(history[np.isfinite(history)])
        filled[(slot == hour) & ~np.isfinite(history)] = usual
    return filled


def _choose(history: Floats, horizon: int) -> tuple[bool, list[_Replay]]:
    """Whether the level should grow on, judged by replays of both, and the replays of the better one."""
    level, growth = (_replay(history, horizon, growing=growing) for growing in (False, True))
    if len(level) < _LEAST_GROWTH_WEEKS:
        return False, level
    usual, grown = (float(np.mean([np.abs(replay.errors).mean() for replay in replays])) for replays in (level, growth))
    return (True, growth) if grown < _CLEARLY_BETTER * usual else (False, level)


def _point(history: Floats, horizon: int, *, growing: bool) -> Floats:
    """Profile times level; `history` has at least one week and no gaps."""
    weeks = min(len(history) // WEEK, _MOST_WEEKS)
    table = history[-weeks * WEEK :].reshape(weeks, WEEK)
    level = np.maximum(np.abs(table.mean(axis=1)), 1e-9)
    relative = table / level[:, None]
    age = np.arange(weeks)[::-1]
    profile = np.mean([_profile(relative, 0.5 ** (age / half_life)) for half_life in _PROFILE_HALF_LIVES], axis=0)
    weight = 0.5 ** (age / _LEVEL_HALF_LIFE)
    recent = np.exp((weight * np.log(level)).sum() / weight.sum())
    point = np.asarray(np.resize(profile, horizon) * recent)
    if not growing or weeks < _LEAST_GROWTH_WEEKS:
        return point
    lag = float((weight * age).sum() / weight.sum())  # so old is the level on average
    ahead = _damped(np.arange(horizon) // WEEK + 1)
    return np.asarray(point * np.exp(_growth_per_week(np.log(level)) * (lag + ahead)))


def _growth_per_week(log_level: Floats) -> float:
    """Theil-Sen slope of the last weeks' log level, shrunk by how unsure it is (Sen, 1968)."""
    recent = log_level[-_GROWTH_WEEKS:]
    first, second = np.triu_indices(len(recent), 1)
    slope = float(np.median((recent[second] - recent[first]) / (second - first)))
    around = recent - slope * np.arange(len(recent))
    noise = 1.4826 * float(np.median(np.abs(around - np.median(around))))
    error = 2.0 * noise * np.sqrt(12.0 / len(recent) ** 3)
    trust = max(1.0 - (error / max(abs(slope), 1e-12)) ** 2, 0.0)
    return float(np.clip(slope * trust, -_MOST_GROWTH_PER_WEEK, _MOST_GROWTH_PER_WEEK))


def _damped(weeks: npt.NDArray[np.int64]) -> Floats:
    """1, 1 + d, 1 + d + d^2, … for d just below 1: growth slows down (Gardner and McKenzie, 1985)."""
    return np.asarray(_GROWTH_DAMPING * (1.0 - _GROWTH_DAMPING**weeks) / (1.0 - _GROWTH_DAMPING))


def _profile(relative: Floats, weight: Floats) -> Floats:
    """Half the weighted median, which no incident moves, and half the weighted mean, which uses every week."""
    order = np.argsort(relative, axis=0)
    share = np.cumsum(weight[order], axis=0) / weight.sum()
    middle = (share >= 0.5).argmax(axis=0)
    hours = np.arange(WEEK)
    median = relative[order[middle, hours], hours]
    mean = (weight[:, None] * relative).sum(axis=0) / weight.sum()
    profile = (median + mean) / 2.0
    scale = profile.mean()
    return np.asarray(profile / scale) if scale > 1e-9 else profile


def _replay(history: Floats, horizon: int, *, growing: bool) -> list[_Replay]:
    """Forecasts from past weekly origins, newest first, each against what then came."""
    replays = []
    for back in range(1, _MOST_REPLAYS + 1):
        origin = len(history) - back * WEEK
        if origin < min(2 * WEEK, len(history) - WEEK) or origin < WEEK:
            break
        truth = history[origin : origin + min(horizon, back * WEEK)]
        replays.append(_Replay(origin=origin, errors=truth - _point(history[:origin], len(truth), growing=growing)))
    return replays


def _spreads(history: Floats, replays: list[_Replay], horizon: int) -> Floats:
    """What is added to the point forecast for each quantile, shape (horizon, n_quantiles)."""
    typical = _typical_error(history, replays)
    phase = len(history)
    parts = [
        (replay.errors / typical[(replay.origin + np.arange(len(replay.errors))) % 24], np.arange(len(replay.errors)) // WEEK)
        for replay in replays
    ]
    relative, weeks = (np.concatenate(column) for column in zip(*parts, strict=True))
    growth = _growth(relative, weeks)
    pooled = relative / (1.0 + growth * weeks)
    levels = np.quantile(pooled, QUANTILE_LEVELS)
    levels = levels - levels[QUANTILE_LEVELS.index(0.5)]  # the point forecast stays the median
    ahead = np.arange(horizon)
    independent = len(replays) / (ahead // WEEK + 1.0)
    width = typical[(phase + ahead) % 24] * (1.0 + growth * (ahead // WEEK)) * (1.0 + _FEW_REPLAYS / independent)
    return np.asarray(width[:, None] * levels[None, :])


def _typical_error(history: Floats, replays: list[_Replay]) -> Floats:
    """Mean absolute error by hour of the day and its neighbours, shape (24,); never nought."""
    errors = np.concatenate([np.abs(replay.errors) for replay in replays])
    hour = np.concatenate([(replay.origin + np.arange(len(replay.errors))) % 24 for replay in replays])
    total, count = np.bincount(hour, errors, 24), np.bincount(hour, minlength=24)
    near = [np.roll(total, shift) for shift in (-1, 0, 1)], [np.roll(count, shift) for shift in (-1, 0, 1)]
    typical = np.sum(near[0], axis=0) / np.maximum(np.sum(near[1], axis=0), 1)
    return np.asarray(typical + 0.05 * typical.mean() + 1e-9 * (1.0 + np.abs(history).mean()))


def _growth(relative: Floats, weeks: npt.NDArray[np.int64]) -> float:
    """By how much the error grows with each week ahead, relative to the first week's."""
    if weeks.max() == 0:
        return _USUAL_GROWTH
    size = np.array([np.abs(relative[weeks == week]).mean() for week in range(int(weeks.max()) + 1)])
    ahead = np.arange(len(size))
    weight = np.bincount(weeks).astype(float)
    rise = (weight * ahead * (size / max(size[0], 1e-9) - 1.0)).sum() / (weight * ahead**2).sum()
    return float(np.clip(rise, _LEAST_GROWTH, _MOST_GROWTH))


def _relative_error(history: Floats, replays: list[_Replay]) -> float:
    """Mean absolute error of the first week of each replay over that of repeating the week before."""
    own = np.concatenate([replay.errors[:WEEK] for replay in replays])
    naive = np.concatenate(
        [
            history[replay.origin : replay.origin + len(replay.errors[:WEEK])]
            - history[replay.origin - WEEK : replay.origin - WEEK + len(replay.errors[:WEEK])]
            for replay in replays
        ]
    )
    usual = float(np.abs(naive).mean())
    return float(np.abs(own).mean() / usual) if usual > 0 else float("nan")
