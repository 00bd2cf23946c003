"""Forecasts of the service's series together: each by the engine, peaks from means, latency under load, totals that add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.choices import SeriesKey
from analytics.days_off import occasions_between
from analytics.features import Floats
from analytics.forecasting import HOURLY, Choice, Forecast, NothingKnown, forecast
from analytics.forecasting.occasions import Occasion
from analytics.forecasting.peaks import fit_peaks, peaks_of
from analytics.forecasting.reconcile import reconcile
from analytics.forecasting.under_load import elasticity, load_factor
from analytics.predicting import SeriesToForecast
from core.calendars import Calendars, in_zone
from core.config import ForecastEvent
from core.series import ALL_CALLS, METRICS

_SUMS = ("tps", "bytes_per_s", "tokens_per_s", "cost_per_h")
"""Metrics of which a whole is the sum of its parts."""
_UNDER_LOAD = ("latency_p50", "latency_p90", "latency_p95", "latency_p99", "ttft_p95", "upstream_p95")
_COMPARED_HOURS = 4 * HOURLY.week
_LEAST_REST = 0.005
"""What the parts leave of the whole is forecast as one more part from this share on."""
NO_DAYS_OFF = in_zone("UTC")
_EPOCH = pd.Timestamp(0, tz="UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known beforehand: events of the configuration, and the days off of calendars."""

    events: Sequence[ForecastEvent] = ()
    calendars: Calendars = NO_DAYS_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One series with what is used for it: the choice of a back-test, or None to make one on the spot."""

    series: SeriesToForecast
    choice: Choice | None

    @property
    def key(self) -> SeriesKey:
        return self.series.metric, self.series.selector


def hours_since_1970(at: datetime) -> int:
    return int((pd.Timestamp(at) - _EPOCH) // pd.Timedelta(hours=1))


def occasions_of(series: SeriesToForecast, known: Known, hours: int) -> list[Occasion]:
    """What is known of `hours` ahead and of the past, in the series' own hours; only what adds up moves with traffic."""
    if series.metric not in _SUMS:
        return []
    until = series.end + timedelta(hours=hours)
    return occasions_between(known.events, known.calendars.of(series.selector), series.start, until, 3600)


def predict(wanted: Sequence[Wanted], hours: int, known: Known) -> dict[SeriesKey, Forecast]:
    """Forecast all of them `hours` ahead; those of which nothing is known are left out."""
    made: dict[SeriesKey, Forecast] = {}
    for one in wanted:
        series = one.series
        try:
            made[one.key] = forecast(
                series.values,
                hours,
                start=hours_since_1970(series.start),
                choice=one.choice,
                masked=series.masked,
                occasions=occasions_of(series, known, hours),
            )
        except NothingKnown:
            continue
    histories = {one.key: one.series.values for one in wanted if one.key in made}
    for metric in _SUMS:
        made |= _reconciled(metric, made, histories, hours)
    return {key: _of_kind(key, one, made, histories) for key, one in made.items()}


def _reconciled(
    metric: str, made: Mapping[SeriesKey, Forecast], histories: Mapping[SeriesKey, Floats], hours: int
) -> dict[SeriesKey, Forecast]:
    """The metric's forecasts with a total that equals the sum of each dimension's parts, what they leave over included."""
    whole = (metric, ALL_CALLS)
    if whole not in made:
        return {}
    # Transactions may have calls in common: they add up to nothing.
    parts_of_all = [key for key in made if key[0] == metric and key[1].pairs and not key[1].transaction]
    dimensions = sorted({key[1].dimensions for key in parts_of_all})
    groups = [[key for key in made if key[0] == metric and key[1].dimensions == each] for each in dimensions]
    rests = [_rest(histories[whole], [histories[key] for key in keys], hours) for keys in groups]
    frames = [
        [made[key].points for key in keys] + ([rest] if rest is not None else [])
        for keys, rest in zip(groups, rests, strict=True)
    ]
    total, parts = reconcile(made[whole].points, frames)
    result = {whole: replace(made[whole], points=total)}
    for keys, changed in zip(groups, parts, strict=True):
        result |= {key: replace(made[key], points=points) for key, points in zip(keys, changed, strict=False)}
    return result


def _rest(whole: Floats, parts: list[Floats], hours: int) -> pd.DataFrame | None:
    """The forecast of what the parts leave of the whole; None where that is next to nothing."""
    left = np.maximum(np.nan_to_num(whole) - np.sum([np.nan_to_num(part) for part in parts], axis=0), 0.0)
    recent = left[-_COMPARED_HOURS:].sum()
    if recent <= _LEAST_REST * np.nansum(whole[-_COMPARED_HOURS:]):
        return None
    return forecast(left, hours).points


def _of_kind(
    key: SeriesKey, one: Forecast, made: Mapping[SeriesKey, Forecast], histories: Mapping[SeriesKey, Floats]
) -> Forecast:
    """Peaks and latencies as they follow from the traffic of the same selection, where that is forecast as well."""
    metric, selector = key
    traffic = ("tps", selector)
    if traffic in made and metric == "peak_tps":
        peaks = fit_peaks(histories[traffic], histories[key])
        if peaks is not None:
            return replace(one, points=peaks_of(made[traffic].points, peaks), model=f"peak of: {made[traffic].model}")
    if traffic in made and metric in _UNDER_LOAD:
        slope = elasticity(histories[key], histories[traffic], HOURLY)
        if slope > 0.0:
            factor = load_factor(made[traffic].points["mean"].to_numpy(), histories[traffic], slope, HOURLY)
            return replace(one, points=one.points.mul(factor, axis=0), model=f"{one.model} x load^{slope:.2f}")
    if METRICS[metric].unit == "1" and metric != "retry_rate":
        return replace(one, points=one.points.clip(upper=1.0))
    return one
