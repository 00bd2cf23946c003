"""All limits, typed and measured, against the forecasts that are stored."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from analytics.drift import minutes_to_quota
from analytics.headroom import PATHS, crossing, draw_limit, paths_of, running_sums, with_peaks
from analytics.known_limits import known_limits
from analytics.outlook import Ahead, Limit, Measured, ahead, outlook
from analytics.paths import Persistence, persistence_of, scores
from analytics.usl import Floats
from core.capacity import Fit, LimitOutlook
from core.config import Settings
from core.series import Selector
from core.types import QUANTILE_COLUMNS, SeriesRequest
from storage.capacity import past_forecasts
from storage.contract import Store
from storage.forecasts import read_forecast
from storage.hours import read_hours
from storage.series import read_series

_FORECAST_OF = {
    "tokens_per_min": ("tokens_per_s", 60.0),
    "usd_per_day": ("cost_per_h", 1.0),
    "usd_per_month": ("cost_per_h", 1.0),
    "calls_per_min": ("tps", 60.0),
}
_QUOTAS = ("calls_per_min", "tokens_per_min")
_WEEK = timedelta(days=7)
_LAST_MINUTES = timedelta(minutes=30)
_PAST = timedelta(weeks=12)
_MOST_PAST = 8


def judge_limits(store: Store, settings: Settings, fits: list[Fit], now: datetime, made_at: datetime) -> list[LimitOutlook]:
    """The outlook of every limit of the configuration, and of every ceiling that was measured and whose traffic is forecast.

    `now` is the end of the last whole minute.
    """
    found = [_judge(store, settings, limit, now, made_at) for limit in known_limits(store, settings.limits, fits, now)]
    return [one for one in found if one.kind != "ceiling" or one.until is not None]


def _judge(store: Store, settings: Settings, limit: Limit, now: datetime, made_at: datetime) -> LimitOutlook:
    metric, factor = _FORECAST_OF.get(limit.kind, ("tps", 1.0))
    latest = _by_minute(store, metric, limit.selector, now) * factor
    spent = _budget_spent(store, settings, limit, now) if metric == "cost_per_h" else None
    measured = Measured(
        made_at=made_at,
        now=_last(latest) if spent is None else spent,
        minutes=minutes_to_quota(latest, limit.value.value) if limit.kind in _QUOTAS else None,
    )
    return outlook(limit, measured, _ahead(store, settings, limit, now, spent))


def _ahead(store: Store, settings: Settings, limit: Limit, now: datetime, spent: float | None) -> Ahead:
    """What the newest forecast of the limited series says; `spent` of a budget so far."""
    metric, factor = _FORECAST_OF.get(limit.kind, ("tps", 1.0))
    forecast = read_forecast(store, metric, limit.selector)
    points = None if forecast is None else forecast[1][forecast[1]["ts"] >= pd.Timestamp(now).floor("h")]
    if points is None or points.empty:
        why = f"There is no forecast of {metric} for {limit.selector.words} to judge it by (forecast.metrics, forecast.by)."
        return Ahead(words=why)
    seed, zone = settings.forecast.seed, ZoneInfo(settings.time_zone)
    quantiles = points[list(QUANTILE_COLUMNS)].to_numpy("float64")
    paths = paths_of(quantiles, _persistence(store, metric, limit.selector, now), seed) * factor
    if spent is not None:
        paths = running_sums(paths, _periods(points["ts"], limit.kind, zone), 0.0 if np.isnan(spent) else spent)
    elif limit.kind != "tps":
        paths = with_peaks(paths, _ratios(store, limit, metric, now), seed)
    drawn = draw_limit(limit.value, PATHS, np.random.default_rng(seed))
    return ahead(limit, crossing(paths, drawn), points["ts"].iloc[0].to_pydatetime(), zone)


def _persistence(store: Store, metric: str, selector: Selector, now: datetime) -> Persistence:
    """From stored forecasts at least a week apart, as far as what they forecast has come."""
    found: list[Floats] = []
    newest = now
    for version, first in past_forecasts(store, metric, selector, now - _PAST, now - timedelta(days=1)):
        if first > newest - _WEEK and found:
            continue
        past = read_forecast(store, metric, selector, version)
        came = read_hours(store, metric, first, now, selector)
        if past is None or came.empty:
            continue
        both = past[1].merge(came, on="ts")
        found.append(scores(both[list(QUANTILE_COLUMNS)].to_numpy("float64"), both["value"].to_numpy("float64")))
        newest = first
        if len(found) == _MOST_PAST:
            break
    return persistence_of(found)


def _ratios(store: Store, limit: Limit, metric: str, now: datetime) -> Floats:
    """Busiest minute over mean of the busier half of the last week's hours; of a limit of seconds the busiest second.

    Limits are reached in busy hours, and the fewer the calls the further the busiest minute lies above their mean. Ceilings are
    of minutes.
    """
    start = pd.Timestamp(now).floor("h").to_pydatetime() - _WEEK
    if limit.kind != "peak_tps":
        rows = read_series(store, SeriesRequest(metric=metric, start=start, end=now, step_s=60, selector=limit.selector))
        by_hour = rows.groupby(rows["ts"].dt.floor("h"))["value"]
        top, mean = by_hour.max(), by_hour.mean()
    else:
        top, mean = (
            read_series(store, SeriesRequest(metric=name, start=start, end=now, step_s=3600, selector=limit.selector))["value"]
            for name in ("peak_tps", "tps")
        )
    high, usual = top.to_numpy("float64"), mean.to_numpy("float64")
    known = usual[usual > 0.0]
    busy = usual >= (np.median(known) if len(known) else np.inf)
    return np.asarray(high[busy] / usual[busy])


def _by_minute(store: Store, metric: str, selector: Selector, now: datetime) -> Floats:
    request = SeriesRequest(metric=metric, start=now - _LAST_MINUTES, end=now, step_s=60, selector=selector)
    return read_series(store, request)["value"].to_numpy("float64")


def _last(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known[-5:])) if len(known) else float("nan")


def _budget_spent(store: Store, settings: Settings, limit: Limit, now: datetime) -> float:
    """What the current day or month has cost so far, USD."""
    local = now.astimezone(ZoneInfo(settings.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    start = local.replace(day=1) if limit.kind == "usd_per_month" else local
    end = pd.Timestamp(now).floor("h").to_pydatetime()
    if end <= start:
        return 0.0
    costs = read_series(store, SeriesRequest(metric="cost_per_h", start=start, end=end, step_s=3600, selector=limit.selector))
    return float(costs["value"].sum()) if costs["value"].notna().any() else float("nan")


def _periods(hours: pd.Series, kind: str, zone: ZoneInfo) -> np.ndarray:
    local = hours.dt.tz_convert(zone)
    day = local.dt.year * 10_000 + local.dt.month * 100 + local.dt.day
    return np.asarray(day // 100 if kind == "usd_per_month" else day, dtype=np.int64)
