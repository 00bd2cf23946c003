"""The expected hour of the week of one metric, robust against incidents, from a few weeks of hours.

With two weeks of history each hour of the week was seen twice. So two estimates are blended: the hour of the week itself, and
the hour of the day over all days of its type (working day; weekend and day off); the more the weeks agree with one another,
and the more weeks there are, the more the former counts (empirical Bayes). A day off is a day of the week of its own. Kinds of
day that were never seen borrow from the others (`analytics.borrowing`). Arrays are (series, days, 24) by local day and hour
unless said otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.borrowing import KIND_OF_WEEKDAY, KINDS, borrow
from analytics.features import Floats
from analytics.summary import Bools, masked_median
from core.calendars import DAY_KINDS

_OUTLIER_SIGMAS = 4.0
_HALF_LIFE_DAYS = 10.0
"""Older days count less: traffic changes."""
_LEVEL_HALF_LIFE_DAYS = 2.0
_LEVEL_TRUST = 0.8
"""How much of the last days' common deviation is taken for a new level; the rest is the days' own noise."""
_MIN_DAYS_FOR_TREND = 7
_MAX_TREND_PER_DAY = 0.05
_SIGMA_OF_MAD = 1.4826
_SEEN_ELSEWHERE = 0.5
"""Days that an hour counts as which was only seen on other kinds of day."""
_WEEKDAYS = np.arange(DAY_KINDS)
_TYPE_OF_WEEKDAY = np.array([0, 0, 0, 0, 0, 1, 1, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """What is expected at each hour of the week, all of shape (n_series, 8, 24), NaN where a series is unknown.

    Attributes
    ----------
    center : ndarray
        Expected value, transformed, at the level of the end of the history.
    uncertainty : ndarray
        Standard error of the centre.
    between : ndarray of shape (n_series,)
        Robust standard deviation of whole hours around the centre.
    weight : ndarray
        Effective number of hours that the centre was made of.
    """

    center: Floats
    uncertainty: Floats
    between: Floats
    weight: Floats


def fit_season(
    values: Floats,
    weekday: npt.NDArray[np.int64],
    *,
    trend: bool,
    least_spread: float,
    strange: Callable[[Floats], Floats],
    volume: Floats | None = None,
) -> Season:
    """Fit the season of many series at once.

    Parameters
    ----------
    values : ndarray of shape (n_series, n_days, 24)
        Transformed hourly centres by local day and hour, NaN where unknown.
    weekday : ndarray of shape (n_days,)
        0 is Monday, 7 a day off.
    trend : bool
        Whether growth and a new level are followed; ratios have none.
    least_spread : float
        Floor of the hours' noise; what deviates by less than four times it is never an incident.
    strange : callable
        How far kinds of day usually lie apart around a centre: the error of what is expected of one that was never seen.
    volume : ndarray like `values`, optional
        Weight of each hour; by default every hour counts the same.
    """
    days = np.arange(values.shape[1])
    rough = _rough(values, weekday)
    slope = _slope(masked_median(values - rough), days) if trend else np.zeros(len(values))
    flat = values - slope[:, None, None] * (days - days[-1])[None, :, None]
    rough = _rough(flat, weekday)
    spread = np.maximum(_SIGMA_OF_MAD * masked_median(np.abs(flat - rough).reshape(len(flat), -1)), least_spread)
    regular = ~np.isnan(flat) & ~_irregular(flat, rough, weekday, _OUTLIER_SIGMAS * spread)
    weights = np.where(regular, 0.5 ** ((days[-1] - days) / _HALF_LIFE_DAYS)[None, :, None], 0.0)
    if volume is not None:
        weights = weights * np.nan_to_num(volume)
    noise = _between_weeks(flat, weights, weekday, spread, least_spread)
    center, uncertainty, weight = _blend(flat, weights, weekday, noise, strange)
    residual = np.where(regular, flat - center[:, weekday], np.nan)
    if trend:
        center = center + _new_level(residual, days)[:, None, None]
    between = _SIGMA_OF_MAD * masked_median(np.abs(residual).reshape(len(flat), -1))
    return Season(center=center, uncertainty=uncertainty, between=np.nan_to_num(between), weight=weight)


def _rough(values: Floats, weekday: npt.NDArray[np.int64]) -> Floats:
    """Median of the hour of the day over days of the same type, laid out by day; the other type's where one was never seen."""
    type_of_day = _TYPE_OF_WEEKDAY[weekday]
    by_type = np.full((values.shape[0], 2, 24), np.nan)
    for kind in (0, 1):
        if (type_of_day == kind).any():
            by_type[:, kind] = masked_median(values[:, type_of_day == kind].swapaxes(1, 2))
    by_type = np.where(np.isnan(by_type), by_type[:, ::-1], by_type)
    return np.asarray(by_type[:, type_of_day])


def _slope(level: Floats, days: npt.NDArray[np.int64]) -> Floats:
    """Theil-Sen slope per day of each series' daily level, damped by how sure it is; 0 for a short history."""
    if len(days) < _MIN_DAYS_FOR_TREND:
        return np.zeros(len(level))
    first, second = np.triu_indices(len(days), 1)
    slopes = masked_median((level[:, second] - level[:, first]) / (second - first))
    around = level - np.nan_to_num(slopes)[:, None] * days
    noise = _SIGMA_OF_MAD * masked_median(np.abs(around - masked_median(around)[:, None]))
    error = noise * np.sqrt(12.0 / len(days) ** 3)
    trust = np.maximum(1.0 - (error / np.maximum(np.abs(slopes), 1e-12)) ** 2, 0.0)
    return np.asarray(np.clip(np.nan_to_num(slopes * trust), -_MAX_TREND_PER_DAY, _MAX_TREND_PER_DAY))


def _irregular(values: Floats, rough: Floats, weekday: npt.NDArray[np.int64], limit: Floats) -> Bools:
    """Hours far from their day type's usual value and unlike the same hour of every other week: incidents, not habits."""
    nearest = np.abs(values - rough)
    for day in _WEEKDAYS:
        same = np.flatnonzero(weekday == day)
        for one in same:
            for other in same[same != one]:
                apart = np.abs(values[:, one] - values[:, other])
                nearest[:, one] = np.fmin(nearest[:, one], apart)
    return np.asarray(nearest > limit[:, None, None])


def _blend(
    values: Floats, weights: Floats, weekday: npt.NDArray[np.int64], sigma: Floats, strange: Callable[[Floats], Floats]
) -> tuple[Floats, Floats, Floats]:
    """Centre, its standard error and its weight per hour of the week, each of shape (n_series, 8, 24)."""
    own, own_n = _weighted_mean(values, weights, [weekday == day for day in _WEEKDAYS])
    kinds, kind_n = _weighted_mean(values, weights, [KIND_OF_WEEKDAY[weekday] == kind for kind in range(KINDS)])
    lent = borrow(kinds, kind_n, strange)
    shared, borrowed = lent.center[:, KIND_OF_WEEKDAY], lent.error[:, KIND_OF_WEEKDAY]
    shared_n = np.where(np.isnan(kinds), _SEEN_ELSEWHERE, kind_n)[:, KIND_OF_WEEKDAY]
    noise = sigma[:, None, None] ** 2
    apart = np.where(own_n > 0, (own - shared) ** 2, np.nan)
    several = own_n >= 1.5
    tau = np.maximum(_mean_where(apart - noise / np.maximum(own_n, 1e-9), several), 0.0)[:, None, None]
    trust = own_n * tau / np.maximum(own_n * tau + noise, 1e-12)
    # One hour of the week that differs clearly in every week (a batch job) is believed even if no other does (James-Stein).
    habit = 1.0 - 4.0 * (noise / np.maximum(own_n, 1e-9)) / np.maximum(apart, 1e-12)
    trust = np.where(several, np.fmax(trust, habit), trust)
    trust = np.where((own_n > 0) & ~np.isnan(shared), np.clip(trust, 0.0, 1.0), np.where(own_n > 0, 1.0, 0.0))
    center = trust * np.nan_to_num(own) + (1.0 - trust) * np.nan_to_num(shared)
    center = np.where(np.isnan(own) & np.isnan(shared), np.nan, center)
    variance = trust**2 * noise / np.maximum(own_n, 1.0) + (1.0 - trust) ** 2 * noise / np.maximum(shared_n, 1.0)
    return center, np.sqrt(variance + borrowed**2), own_n + shared_n


def _mean_where(values: Floats, keep: Bools) -> Floats:
    """Mean over everything but the first axis; 0 where nothing is kept."""
    kept = keep & ~np.isnan(values)
    total = np.where(kept, values, 0.0).reshape(len(values), -1).sum(1)
    return np.asarray(total / np.maximum(kept.reshape(len(values), -1).sum(1), 1))


def _weighted_mean(values: Floats, weights: Floats, groups: list[Bools]) -> tuple[Floats, Floats]:
    """Mean over the days of each group, and the effective number of days; shapes (n_series, n_groups, 24)."""
    means, sizes = [], []
    for days in groups:
        weight = weights[:, days]
        total = weight.sum(1)
        mean = (np.nan_to_num(values[:, days]) * weight).sum(1) / np.maximum(total, 1e-12)
        means.append(np.where(total > 0, mean, np.nan))
        sizes.append(total**2 / np.maximum((weight**2).sum(1), 1e-12))
    return np.stack(means, 1), np.stack(sizes, 1)


def _between_weeks(
    values: Floats, weights: Floats, weekday: npt.NDArray[np.int64], spread: Floats, least_spread: float
) -> Floats:
    """Robust standard deviation of the same hour from one week to the next; the overall spread where only one week is known."""
    kept = np.where(weights > 0, values, np.nan)
    apart = [
        np.abs(kept[:, after] - kept[:, before])
        for day in _WEEKDAYS
        for before, after in zip(np.flatnonzero(weekday == day), np.flatnonzero(weekday == day)[1:], strict=False)
    ]
    if not apart:
        return spread
    typical = masked_median(np.stack(apart, 1).reshape(len(values), -1)) * _SIGMA_OF_MAD / np.sqrt(2.0)
    return np.where(np.isnan(typical), spread, np.maximum(typical, least_spread / 2.0))


def _new_level(residual: Floats, days: npt.NDArray[np.int64]) -> Floats:
    """How far the last days lie from the rest, for each series."""
    daily = masked_median(residual)
    weight = np.where(np.isnan(daily), 0.0, 0.5 ** ((days[-1] - days) / _LEVEL_HALF_LIFE_DAYS))
    total = weight.sum(1)
    return np.asarray(_LEVEL_TRUST * (np.nan_to_num(daily) * weight).sum(1) / np.maximum(total, 1e-12))
