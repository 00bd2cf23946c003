"""Learns baselines from hours of history: season and level from `season`, then the spread that each kind of metric has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.baseline import Baselines
from analytics.features import Floats, Kind, counting_variance, kind_of, transform
from analytics.season import Season, fit_season
from analytics.summary import HourSummary, masked_median, masked_quantile
from core.calendars import DAY_KINDS, SLOTS, Calendar, Calendars, in_zone
from core.series import METRICS
from core.types import Learning

_FEW_MINUTES_AN_HOUR = 15
_LEAST_SPREAD = {Kind.COUNT: 0.02, Kind.LEVEL: 0.02, Kind.RATIO: 0.004}
"""Floor of the noise of whole hours: 2 % of a level or a rate, 0.4 percentage points of a ratio."""
_STRANGE = 0.15
_STRANGE_TRAFFIC = 0.55
_STRANGE_RATIO = 0.25
"""How far kinds of day usually lie apart, as a standard error: the logarithm of a latency, that of traffic and of what it adds
up to (an office's weekend is a fraction of its week), and a ratio r in parts of r (1 - r)."""
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


def fit_baselines(
    summary: HourSummary,
    time_zone: str,
    *,
    min_history: timedelta,
    min_calls: float,
    calendars: Calendars | None = None,
) -> Baselines:
    """Learn the season, level and spread of every series, each by the clock and the days off of its tenant.

    Selections whose first call is less than `min_history` before the end are left out: they are still learning.
    """
    age_h = hours_known(summary)
    old = age_h >= max(min_history / timedelta(hours=1), 1.0)
    selectors = tuple(selector for selector, keep in zip(summary.selectors, old, strict=True) if keep)
    if not selectors:
        return Baselines(selectors=(), time_zone=time_zone, center={}, scale={}, samples={}, calendars=calendars)
    hours = summary.calls.shape[1]
    known = np.arange(hours)[None, :] >= hours - age_h[:, None]
    held = _Held.of(summary, known, np.flatnonzero(old))
    center = {metric: np.full((len(selectors), SLOTS), np.nan) for metric in summary.center}
    scale, samples = ({metric: matrix.copy() for metric, matrix in center.items()} for _ in range(2))
    for calendar, rows in (calendars or in_zone(time_zone)).groups(selectors):
        for metric, fitted in _fit_group(held, rows, _Calendar.of(summary, calendar), min_calls):
            center[metric][rows], scale[metric][rows], samples[metric][rows] = fitted
    return Baselines(selectors=selectors, time_zone=time_zone, center=center, scale=scale, samples=samples, calendars=calendars)


def hours_known(summary: HourSummary) -> Floats:
    """Hours from the first call of each selection to the end of the summary; 0 without a call."""
    some = summary.calls > 0
    return np.where(some.any(1), summary.calls.shape[1] - np.argmax(some, axis=1), 0).astype(float)


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


def still_learning(summary: HourSummary, min_history: timedelta) -> tuple[Learning, ...]:
    """Selections with calls, but with less history than is needed: they have no baseline, so that nothing of them is judged."""
    need_h = min_history / timedelta(hours=1)
    age_h = hours_known(summary)
    return tuple(
        Learning(selector=summary.selectors[row], have_h=float(age_h[row]), need_h=need_h)
        for row in np.flatnonzero((age_h > 0) & (age_h < need_h))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """The hours of a summary from each selection's first call on; rows are those that are learned."""

    calls: Floats
    parts: Mapping[str, Mapping[str, Floats]]

    @classmethod
    def of(cls, summary: HourSummary, known: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]) -> "_Held":
        def since(matrix: Floats) -> Floats:
            return np.where(known[rows], matrix[rows], np.nan)

        names = ("center", "spread", "minutes")
        parts = {metric: {name: since(getattr(summary, name)[metric]) for name in names} for metric in summary.center}
        return cls(calls=since(summary.calls), parts=parts)


def _fit_group(
    held: _Held, rows: npt.NDArray[np.int64], calendar: "_Calendar", min_calls: float
) -> Iterator[tuple[str, tuple[Floats, Floats, Floats]]]:
    """Centre, scale and samples of each metric of selections that share a calendar; traffic first, the others need it."""
    calls = calendar.lay_out(held.calls[rows])
    expected_calls = np.zeros(0)
    for metric in ("tps", *(name for name in held.parts if name != "tps")):
        laid = {name: calendar.lay_out(matrix[rows]) for name, matrix in held.parts[metric].items()}
        fitted = _fit_metric(metric, laid, calls, expected_calls, calendar.weekday, min_calls)
        yield metric, fitted
        if metric == "tps":
            expected_calls = np.maximum(np.expm1(fitted[0]), 0.0)


def _fit_metric(
    metric: str,
    held: dict[str, Floats],
    calls: Floats,
    expected_calls: Floats,
    weekday: npt.NDArray[np.int64],
    min_calls: float,
) -> tuple[Floats, Floats, Floats]:
    """Centre, scale and samples of one metric, each of shape (n_selectors, SLOTS)."""
    kind = kind_of(metric)
    values = np.where(np.nan_to_num(held["minutes"]) >= _FEW_MINUTES_AN_HOUR, held["center"], np.nan)
    volume = calls if kind is Kind.RATIO else None
    season = fit_season(
        values,
        weekday,
        trend=kind is not Kind.RATIO,
        least_spread=_LEAST_SPREAD[kind],
        strange=lambda center: _strange(metric, center),
        volume=volume,
    )
    minutes = _sum_by_weekday(held["minutes"], weekday)
    match kind:
        case Kind.COUNT:
            center = np.maximum(season.center, 0.0)
            scale = _count_scale(center, held, season)
        case Kind.RATIO:
            center, scale = _ratio(season, calls, expected_calls)
        case Kind.LEVEL:
            center = np.maximum(season.center, 0.0)
            usual = np.maximum(expected_calls, min_calls).reshape(-1, DAY_KINDS, 24)
            scale = _level_scale(metric, held["spread"], usual, season, weekday)
    return _flat(center), _flat(np.maximum(scale, _LEAST_SCALE)), _flat(minutes)


def _strange(metric: str, center: Floats) -> Floats:
    """How far other kinds of day usually lie from a centre, on the scale of hours."""
    if kind_of(metric) is Kind.RATIO:
        return _STRANGE_RATIO * center * (1.0 - center)
    return np.full(center.shape, _STRANGE_TRAFFIC if METRICS[metric].zero_when_idle else _STRANGE)


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
    return transform("error_rate", ratio), np.sqrt(own + 1.0 / np.maximum(expected_calls.reshape(-1, DAY_KINDS, 24), 0.25))


def _level_scale(metric: str, spread: Floats, usual_calls: Floats, season: Season, weekday: npt.NDArray[np.int64]) -> Floats:
    """Spread measured by hour and type of day, leaning on what the volume lets expect where few minutes were seen."""
    working = np.asarray(weekday < 5)
    measured = np.full((len(spread), 2, 24), np.nan)
    days = np.array([working.sum(), (~working).sum()])
    for kind, chosen in enumerate((working, ~working)):
        if chosen.any():
            measured[:, kind] = masked_median((spread[:, chosen] ** 2).swapaxes(1, 2))
    type_of_day = (np.arange(DAY_KINDS) >= 5).astype(int)
    by_slot = measured[:, type_of_day]
    seen = (60.0 * days)[type_of_day][None, :, None]
    per_call = np.nan_to_num(masked_median((by_slot * usual_calls).reshape(len(spread), -1)))[:, None, None] / usual_calls
    known = ~np.isnan(by_slot)
    within = np.where(known, (by_slot * seen + per_call * _PRIOR_MINUTES) / (seen + _PRIOR_MINUTES), per_call)
    within = np.maximum(np.nan_to_num(within), counting_variance(metric, usual_calls))
    return np.asarray(np.sqrt(within + season.between[:, None, None] ** 2 + season.uncertainty**2))


def _sum_by_weekday(values: Floats, weekday: npt.NDArray[np.int64]) -> Floats:
    return np.stack([np.nan_to_num(values[:, weekday == day]).sum(1) for day in range(DAY_KINDS)], 1)


def _flat(matrix: Floats) -> Floats:
    return matrix.reshape(len(matrix), SLOTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calendar:
    """Where each hour of a summary lies among the local days. A repeated hour (end of summer time) keeps its second half."""

    day: npt.NDArray[np.int64]
    hour: npt.NDArray[np.int64]
    weekday: npt.NDArray[np.int64]

    @classmethod
    def of(cls, summary: HourSummary, calendar: Calendar) -> "_Calendar":
        times = pd.date_range(summary.start, periods=summary.calls.shape[1], freq="h")
        day, hour, weekday = calendar.days(times)
        return cls(day=day, hour=hour, weekday=weekday)

    def lay_out(self, hours: Floats) -> Floats:
        """(n_series, n_hours) as (n_series, n_days, 24), NaN where there is no hour."""
        out = np.full((len(hours), len(self.weekday), 24), np.nan)
        out[:, self.day, self.hour] = hours
        return out
