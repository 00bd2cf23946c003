"""The candidates of a forecast: simple models that are good at different things, each a path of points.

On a logarithmic scale (a tenth of the median is added, so that zeros stay finite) the weekly profile plus a level: a level that
goes back slowly towards the mean of the last weeks; the same set right by the last day's residual; one that follows the last
days alone; one with a slow profile; one that grows on, damped. On the plain scale the profile plus a level; the profile of the
day alone, for histories of few weeks; the median and the mean of the last four weeks, and the last week again. Half-lives and
damping were chosen by the mean error over many series and origins at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analytics.forecasting.growth import damped, growth_per_week
from analytics.forecasting.medians import column_medians, median, row_medians
from analytics.forecasting.profile import (
    MOST_WEEKS,
    Decomposition,
    Floats,
    decaying,
    decompose,
    weeks_of,
    weighted_medians,
)
from analytics.forecasting.season import Season

NAMES: tuple[str, ...] = (
    "weekly profile",
    "weekly profile (last day)",
    "weekly profile (last days)",
    "slow weekly profile",
    "growing weekly profile",
    "weekly profile (plain scale)",
    "daily profile",
    "median of 4 weeks",
    "mean of 4 weeks",
    "last week again",
    "last year's change",
    "level",
)
_LEVEL_DAYS, _FAST_DAYS, _LONG_DAYS = 4.5, 2.0, 45.0
_RETURN_WEEKS, _FAST_RETURN_WEEKS = 4.0, 8.0
"""Half-life, in weeks ahead, with which the level goes back to its long mean."""
_RESIDUAL_SHARE, _RESIDUAL_FADES_DAYS = 0.8, 1.0
_MOST_RESIDUAL = 0.7
_MOST_GROWTH = 0.25
"""Never above 28 % a week."""
_DAYS_OF_PROFILE, _DAY_PROFILE_DAYS, _DAY_LEVEL_DAYS = 14, 7.0, 2.0
_YEAR_WEEKS, _YEAR_SHARE = 52, 0.5
_YEAR_LEVEL_WEEKS = 4


def paths(values: Floats, horizon: int, season: Season) -> Floats:
    """What each candidate expects of the `horizon` points after `values` (shape (n_points,), no gaps).

    Returns
    -------
    ndarray of shape (len(NAMES), horizon)
        A row of NaN where the history is too short for that candidate. Not negative where no value is.
    """
    ahead = np.arange(horizon, dtype=np.float64)
    found: dict[str, Floats] = {"level": np.full(horizon, median(values[-season.day * 7 :]))}
    if len(values) >= season.day:
        found["daily profile"] = _daily(values, horizon, season)
    if len(values) >= season.week:
        found |= _weekly(values, ahead, season)
    result = np.full((len(NAMES), horizon), np.nan)
    for name, path in found.items():
        result[NAMES.index(name)] = path
    return np.maximum(result, 0.0) if values.min() >= 0 else result


def _weekly(values: Floats, ahead: Floats, season: Season) -> dict[str, Floats]:
    four = weeks_of(values, season, 4)
    size = len(ahead)
    recent = values[-MOST_WEEKS * season.week :]
    plain = decompose(recent, season)
    found = {
        "weekly profile (plain scale)": np.resize(plain.profile, size)
        + _returning(plain.days, ahead / season.week, _LEVEL_DAYS, _RETURN_WEEKS),
        "median of 4 weeks": np.resize(column_medians(four), size),
        "mean of 4 weeks": np.resize(four.sum(axis=0) / len(four), size),
        "last week again": np.resize(four[-1], size),
    }
    found |= _relative(recent, ahead, season)
    if len(values) >= (_YEAR_WEEKS + _YEAR_LEVEL_WEEKS) * season.week and season.week > 1:
        found["last year's change"] = found["weekly profile"] * _change_a_year_ago(values, size, season)
    return found


def _relative(values: Floats, ahead: Floats, season: Season) -> dict[str, Floats]:
    """The candidates on the logarithmic scale; on the plain one where there are negative values."""
    scale = _scale(values)
    back = scale.back
    logs = scale.forth(values)
    usual = decompose(logs, season)
    shape, weeks = np.resize(usual.profile, len(ahead)), ahead / season.week
    middle = shape + _returning(usual.days, weeks, _LEVEL_DAYS, _RETURN_WEEKS)
    residual = _residual(logs, usual, season, scale.most_residual)
    growth = float(np.clip(growth_per_week(usual.days, season), -scale.most_growth, scale.most_growth))
    age = _LEVEL_DAYS * season.day / season.week / np.log(2.0)  # in weeks: so old is the level on average
    grown = growth * damped(weeks + 0.5 + age)
    slow_shape = np.resize(usual.slow, len(ahead))
    return {
        "weekly profile": back(middle),
        "weekly profile (last day)": back(middle + residual * np.exp(-ahead / (_RESIDUAL_FADES_DAYS * season.day))),
        "weekly profile (last days)": back(shape + _returning(usual.days, weeks, _FAST_DAYS, _FAST_RETURN_WEEKS)),
        "slow weekly profile": back(slow_shape + _returning(usual.days, weeks, _LEVEL_DAYS, _RETURN_WEEKS)),
        "growing weekly profile": back(shape + _level(usual.days, _LEVEL_DAYS) + grown),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """To the scale that levels are judged on, and back; and the bounds that hold on it."""

    forth: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]
    most_residual: float
    most_growth: float


def _scale(values: Floats) -> _Scale:
    if values.min() < 0:
        return _Scale(forth=np.copy, back=np.copy, most_residual=np.inf, most_growth=np.inf)
    middle = median(values)
    offset = 0.1 * middle if middle > 0 else max(0.1 * float(values.mean()), 1e-9)
    ceiling = np.log(100.0 * values.max() + offset)  # only arithmetic would go beyond
    return _Scale(
        forth=lambda x: np.log(x + offset),
        back=lambda x: np.exp(np.minimum(x, ceiling)) - offset,
        most_residual=_MOST_RESIDUAL,
        most_growth=_MOST_GROWTH,
    )


def _level(days: Floats, half_life: float) -> float:
    return float(decaying(len(days), half_life) @ days)


def _returning(days: Floats, weeks: Floats, half_life: float, return_weeks: float) -> Floats:
    """The level of now, going back towards the long mean."""
    kept = 0.5 ** (weeks / return_weeks)
    return np.asarray(kept * _level(days, half_life) + (1.0 - kept) * _level(days, _LONG_DAYS))


def _residual(logs: Floats, usual: Decomposition, season: Season, most: float) -> float:
    """What of the last day's distance from what was expected of it is not in the level yet."""
    if len(usual.days) < 2:
        return 0.0
    before = _level(usual.days[:-1], _LEVEL_DAYS)
    distance = logs[-season.day :] - usual.profile[-season.day :] - before
    recent = float(np.clip(decaying(season.day, max(season.day / 2, 1.0)) @ distance, -most, most))
    return _RESIDUAL_SHARE * recent - (_level(usual.days, _LEVEL_DAYS) - before)


def _daily(values: Floats, horizon: int, season: Season) -> Floats:
    """The profile of the day plus the level of the last days, on the plain scale."""
    count = min(len(values) // season.day, _DAYS_OF_PROFILE)
    table = values[len(values) - count * season.day :].reshape(count, season.day)
    weight = decaying(count, _DAY_PROFILE_DAYS)
    level = row_medians(table)
    profile = np.zeros(season.day)
    for _ in range(2):
        relative = table - level[:, None]
        profile = (weighted_medians(relative, weight[None, :])[0] + weight @ relative) / 2.0
        level = row_medians(table - profile)
    return np.asarray(np.resize(profile, horizon) + _level(level, _DAY_LEVEL_DAYS))


def _change_a_year_ago(values: Floats, horizon: int, season: Season) -> Floats:
    """By how much the weeks that followed then stood above the weeks before, as a damped factor."""
    then = len(values) - _YEAR_WEEKS * season.week
    before = median(values[then - _YEAR_LEVEL_WEEKS * season.week : then])
    if before <= 0:
        return np.ones(horizon)
    starts = range(then, then + horizon, season.week)
    after = np.array([median(values[start : start + season.week]) for start in starts])
    return np.repeat(np.clip(after / before, 0.2, 5.0) ** _YEAR_SHARE, season.week)[:horizon]
