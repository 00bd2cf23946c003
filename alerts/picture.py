"""The picture of an incident: its series over the last hours, the expected band, and since when. Read when it is sent."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from alerts.inhibition import selection
from core.clock import floor_to
from core.config import Settings
from core.series import METRICS, Selector
from core.types import Incident, Notification, SeriesRequest
from render.chart_png import Chart, Values, draw_png
from render.units import format_span
from storage.baselines import latest_baseline, read_baseline
from storage.contract import Store
from storage.incidents import incident_history
from storage.series import read_series

HOURS = timedelta(hours=3)
LONGEST = timedelta(days=2)
_MOST_POINTS = 360
_NEAREST = ((0.5, "latency_p50"), (0.9, "latency_p90"), (0.95, "latency_p95"), (0.99, "latency_p99"))
_SLOTS = 168
_BAND = ("lower", "upper")


def picture_of(store: Store, settings: Settings, notification: Notification, now: datetime) -> bytes | None:
    """The PNG for a message; None where the incident has no series or nothing is known of it. Raises the store's errors."""
    history = incident_history(store, notification.incident_id)
    incident = _drawn(history[-1], settings) if history else None
    if incident is None or incident.metric not in METRICS:
        return None
    chart = chart_of(store, settings, incident, now)
    return draw_png(chart) if len(chart.times) > 1 and np.isfinite(chart.observed).any() else None


def _drawn(incident: Incident, settings: Settings) -> Incident:
    """The incident as it is drawn: of an objective's share of slow calls, or of minutes, the latency or the rate behind it."""
    name = incident.labels.get("objective")
    objective = next((one for one in settings.objectives if one.name == name), None)
    if incident.kind != "objective" or incident.metric or objective is None or objective.target is None:
        return incident
    if objective.under_ms is None:
        return replace(incident, metric="tps", threshold=objective.at_least or math.nan)
    metric = next((name for share, name in _NEAREST if objective.target <= share), _NEAREST[-1][1])
    return replace(incident, metric=metric, threshold=objective.under_ms)


def chart_of(store: Store, settings: Settings, incident: Incident, now: datetime) -> Chart:
    """What the picture shows: at least three hours, or as much before the incident as it has lasted."""
    zone, metric = ZoneInfo(settings.time_zone), METRICS[incident.metric]
    selector = Selector.of(selection(incident.labels))
    end = min(incident.resolved_at + timedelta(minutes=15), now) if incident.resolved_at else now
    span = min(max(HOURS, 2 * (end - incident.started_at)), LONGEST)
    step = timedelta(minutes=max(1, round(span / timedelta(minutes=1) / _MOST_POINTS)))
    end = floor_to(end, step)
    request = SeriesRequest(
        metric=incident.metric, start=end - span, end=end, step_s=int(step.total_seconds()), selector=selector
    )
    frame = read_series(store, request)
    lower, upper = _band(store, incident.metric, selector, frame["ts"], step, zone)
    return Chart(
        title=incident.title,
        subtitle=f"{metric.title}, {selector.words}, the last {format_span(span)}",
        unit=metric.unit,
        zone=zone,
        times=[time.to_pydatetime() for time in frame["ts"]],
        observed=frame["value"].to_numpy("float64"),
        lower=lower,
        upper=upper,
        marked_from=incident.started_at,
        marked_to=incident.resolved_at,
        threshold=incident.threshold if incident.kind in ("threshold", "objective") else float("nan"),
    )


def _band(
    store: Store, metric: str, selector: Selector, starts: pd.Series, step: timedelta, zone: ZoneInfo
) -> tuple[Values, Values]:
    """Lower and upper end of what the baseline expects at each step's middle; NaN without one."""
    version = latest_baseline(store)
    table = np.full((_SLOTS, len(_BAND)), np.nan)
    if version is not None:
        rows = read_baseline(store, version.version, [metric], [selector])
        table[rows["slot"].to_numpy(int)] = rows[list(_BAND)].to_numpy(float)
    at = pd.DatetimeIndex(starts + step / 2).tz_convert(zone)
    position = np.asarray(at.day_of_week * 24 + at.hour + at.minute / 60, dtype=float) - 0.5
    left = np.floor(position).astype(int)
    weight = (position - left)[:, None]
    values = table[left % _SLOTS] * (1 - weight) + table[(left + 1) % _SLOTS] * weight
    return values[:, 0], values[:, 1]


def sample_picture(now: datetime) -> bytes:
    """A made-up picture for test messages."""
    minutes = np.arange(180.0)
    expected = 0.012 + 0.004 * np.sin(minutes / 40)
    noise = 0.002 * np.sin(minutes * 2.3) * np.cos(minutes * 0.7)
    observed = expected + noise + np.where(minutes >= 165, 0.1 * (1 - np.exp(-(minutes - 164) / 4)), 0.0)
    end = floor_to(now, timedelta(minutes=1))
    times = [end - timedelta(minutes=180 - int(minute)) for minute in minutes]
    return draw_png(
        Chart(
            title="Test picture from tpscope: nothing is wrong",
            subtitle="Error rate, service example, the last 3 h",
            unit="1",
            zone=ZoneInfo("UTC"),
            times=times,
            observed=observed,
            lower=np.maximum(expected - 0.008, 0.0),
            upper=expected + 0.01,
            marked_from=times[165],
        )
    )
