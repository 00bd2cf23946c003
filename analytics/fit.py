"""Learns baselines from hours of history: season and level from `season`, then the spread that each kind of metric has."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.baseline import SLOTS, Baselines
from analytics.features import Floats, Kind, counting_variance, kind_of, transform
from analytics.season import Season, fit_season
from analytics.summary import HourSummary, masked_median, masked_quantile

_FEW_MINUTES_AN_HOUR = 15
_LEAST_SPREAD = {Kind.COUNT: 0.02, Kind.LEVEL: 0.02, Kind.RATIO: 0.004}
"""Floor of the noise of whole hours: 2 % of a level or a rate, 0.4 percentage points of a ratio."""
_LEAST_RATIO = 2e-4
"""A ratio that was never seen above zero is expected at this, so that one event in thousands of calls is no surprise."""
_PRIOR_CALLS = 2000.0
"""Calls that a series' usual ratio is worth beside those of one hour of the week."""
_MOST_RATIO_WANDER = 0.5
_PRIOR_MINUTES = 120.0
"""Minutes that the spread expected from counting is worth beside those that were measured at an hour of the day."""
_LEAST_SCALE = 0.02
_TAILS = ((0.998, 3.09), (0.9995, 3.48))
"""Where the tails of the size of deviations are compared with those of the normal distribution, and its values there."""
_MOST_TAIL = 4.0
_FAR = 3.5
_FAR_NEIGHBOURS = 2
"""Minutes further out than this, with so many like them among the two before and the two after, are an incident that nobody
noted and not the tail of a distribution: they would make the series blind to the next one."""
_FEW_FOR_TAIL = 500


def fit_baselines(summary: HourSummary, time_zone: str, *, min_history: timedelta, min_calls: float) -> Baselines:
    """Learn the season, level and spread of every series.

    Selections whose first call is less than `min_history` before the end are left out: they are still learning.
    """
    first = np.argmax(summary.calls > 0, axis=1)
    hours = summary.calls.shape[1]
    old = (summary.calls > 0).any(1) & (hours - first >= min_history / timedelta(hours=1))
    known = np.arange(hours)[None, :] >= first[:, None]
    calendar = _Calendar.of(summary, time_zone)
    selectors = tuple(selector for selector, keep in zip(summary.selectors, old, strict=True) if keep)
    if not selectors:
        return Baselines(selectors=(), time_zone=time_zone, center={}, scale={}, samples={})
    calls = calendar.lay_out(np.where(known, summary.calls, np.nan)[old])
    center: dict[str, Floats] = {}
    scale: dict[str, Floats] = {}
    samples: dict[str, Floats] = {}
    expected_calls = np.zeros(0)
    for metric in ("tps", *(name for name in summary.center if name != "tps")):
        held = {
            name: calendar.lay_out(np.where(known, getattr(summary, name)[metric], np.nan)[old])
            for name in ("center", "spread", "minutes")
        }
        fitted = _fit_metric(metric, held, calls, expected_calls, calendar.weekday, min_calls)
        center[metric], scale[metric], samples[metric] = fitted
        if metric == "tps":
            expected_calls = np.maximum(np.expm1(fitted[0]), 0.0)
    return Baselines(selectors=selectors, time_zone=time_zone, center=center, scale=scale, samples=samples)


def calibrate(baselines: Baselines, scored: Mapping[str, Floats]) -> Baselines:
    """Widen the scale of series whose minutes have heavier tails than a normal distribution.

    `scored` are deviations from these baselines (`analytics.baseline.deviations`) in recent history, NaN in known incidents.
    """
    scale = dict(baselines.scale)
    for metric, deviation in scored.items():
        size = np.where(_in_a_run(deviation), np.nan, np.abs(deviation))
        enough = (~np.isnan(size)).sum(1) >= _FEW_FOR_TAIL
        heavy = np.max([np.nan_to_num(masked_quantile(size, level)) / normal for level, normal in _TAILS], axis=0)
        factor = np.where(enough, np.clip(heavy, 1.0, _MOST_TAIL), 1.0)
        scale[metric] = scale[metric] * factor[:, None]
    return replace(baselines, scale=scale)


def _in_a_run(deviation: Floats) -> npt.NDArray[np.bool_]:
    """Minutes that are far out together with their neighbours."""
    far = np.abs(np.nan_to_num(deviation)) > _FAR
    padded = np.pad(far.astype(np.int64), ((0, 0), (2, 2)))
    length = far.shape[1]
    beside = sum(padded[:, shift : shift + length] for shift in (0, 1, 3, 4))
    return np.asarray(far & (beside >= _FAR_NEIGHBOURS))


def _fit_metric(
    metric: str,
    held: dict[str, Floats],
    calls: Floats,
    expected_calls: Floats,
    weekday: npt.NDArray[np.int64],
    min_calls: float,
) -> tuple[Floats, Floats, Floats]:
    """Centre, scale and samples of one metric, each of shape (n_selectors, 168)."""
    kind = kind_of(metric)
    values = np.where(np.nan_to_num(held["minutes"]) >= _FEW_MINUTES_AN_HOUR, held["center"], np.nan)
    volume = calls if kind is Kind.RATIO else None
    season = fit_season(values, weekday, trend=kind is not Kind.RATIO, least_spread=_LEAST_SPREAD[kind], volume=volume)
    minutes = _sum_by_weekday(held["minutes"], weekday)
    match kind:
        case Kind.COUNT:
            center = np.maximum(season.center, 0.0)
            scale = _count_scale(center, held, season)
        case Kind.RATIO:
            center, scale = _ratio(season, calls, expected_calls)
        case Kind.LEVEL:
            center = np.maximum(season.center, 0.0)
            usual = np.maximum(expected_calls, min_calls).reshape(-1, 7, 24)
            scale = _level_scale(metric, held["spread"], usual, season, weekday)
    return _flat(center), _flat(np.maximum(scale, _LEAST_SCALE)), _flat(minutes)


def _count_scale(center: Floats, held: dict[str, Floats], season: Season) -> Floats:
    """Counting noise at the expected rate, and how much the rate itself wanders within and between hours."""
    hourly = np.maximum(np.expm1(held["center"]), 0.0)
    busy = hourly >= 5.0  # below it, the median deviation of small whole numbers says little
    own = masked_median(
        (held["spread"] ** 2 - counting_variance("tps", hourly)).reshape(len(hourly), -1), busy.reshape(len(hourly), -1)
    )
    within = np.maximum(np.nan_to_num(own), 0.0)
    rate = np.maximum(np.expm1(center), 0.0)
    wander = within[:, None, None] + season.between[:, None, None] ** 2 + season.uncertainty**2
    return np.sqrt(counting_variance("tps", rate) + wander)


def _ratio(season: Season, calls: Floats, expected_calls: Floats) -> tuple[Floats, Floats]:
    """Transformed centre and scale of a ratio from its season on its own scale."""
    hourly = np.nan_to_num(masked_median(calls.reshape(len(calls), -1)))[:, None, None]
    usual = masked_median(season.center.reshape(len(calls), -1))[:, None, None]
    seen = season.weight * hourly
    ratio = np.clip((season.center * seen + usual * _PRIOR_CALLS) / (seen + _PRIOR_CALLS), _LEAST_RATIO, 1.0 - _LEAST_RATIO)
    variance = np.clip(usual, 1e-3, 1.0 - 1e-3) * (1.0 - np.clip(usual, 1e-3, 1.0 - 1e-3))
    excess = np.maximum(season.between[:, None, None] ** 2 - variance / np.maximum(hourly, 1.0), 0.0) + season.uncertainty**2
    own = np.minimum(excess / variance, _MOST_RATIO_WANDER**2)
    return transform("error_rate", ratio), np.sqrt(own + 1.0 / np.maximum(expected_calls.reshape(-1, 7, 24), 0.25))


def _level_scale(metric: str, spread: Floats, usual_calls: Floats, season: Season, weekday: npt.NDArray[np.int64]) -> Floats:
    """Spread measured by hour and type of day, leaning on what the volume lets expect where few minutes were seen."""
    working = np.asarray(weekday < 5)
    measured = np.full((len(spread), 2, 24), np.nan)
    days = np.array([working.sum(), (~working).sum()])
    for kind, chosen in enumerate((working, ~working)):
        if chosen.any():
            measured[:, kind] = masked_median((spread[:, chosen] ** 2).swapaxes(1, 2))
    by_slot = measured[:, (np.arange(7) >= 5).astype(int)]
    seen = (60.0 * days)[(np.arange(7) >= 5).astype(int)][None, :, None]
    per_call = np.nan_to_num(masked_median((by_slot * usual_calls).reshape(len(spread), -1)))[:, None, None] / usual_calls
    known = ~np.isnan(by_slot)
    within = np.where(known, (by_slot * seen + per_call * _PRIOR_MINUTES) / (seen + _PRIOR_MINUTES), per_call)
    within = np.maximum(np.nan_to_num(within), counting_variance(metric, usual_calls))
    return np.asarray(np.sqrt(within + season.between[:, None, None] ** 2 + season.uncertainty**2))


def _sum_by_weekday(values: Floats, weekday: npt.NDArray[np.int64]) -> Floats:
    return np.stack([np.nan_to_num(values[:, weekday == day]).sum(1) for day in range(7)], 1)


def _flat(matrix: Floats) -> Floats:
    return matrix.reshape(len(matrix), SLOTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calendar:
    """Where each hour of a summary lies among the local days. A repeated hour (end of summer time) keeps its second half."""

    day: npt.NDArray[np.int64]
    hour: npt.NDArray[np.int64]
    weekday: npt.NDArray[np.int64]

    @classmethod
    def of(cls, summary: HourSummary, time_zone: str) -> "_Calendar":
        local = pd.date_range(summary.start, periods=summary.calls.shape[1], freq="h").tz_convert(time_zone)
        midnights = local.tz_localize(None).normalize()
        day = np.asarray((midnights - midnights[0]).days, dtype=np.int64)
        first = int(local.day_of_week[0])
        return cls(day=day, hour=np.asarray(local.hour, dtype=np.int64), weekday=(first + np.arange(day[-1] + 1)) % 7)

    def lay_out(self, hours: Floats) -> Floats:
        """(n_series, n_hours) as (n_series, n_days, 24), NaN where there is no hour."""
        out = np.full((len(hours), len(self.weekday), 24), np.nan)
        out[:, self.day, self.hour] = hours
        return out
