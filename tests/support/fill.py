"""Fills a store with two weeks of made-up traffic and with what the jobs would have made of it: for pages and API.

Calls are written by INSERT ... SELECT from numbers (seeded by hashing, no Python rows), so a fill takes seconds. Times end at
`now`, because retention counts from the real clock. Two incidents are in the data: provider openai failed between 100 and 70
minutes ago (resolved), and its latency has been tripled for 14 minutes (firing).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from core.clock import floor_to
from core.series import ALL_CALLS, METRICS, Direction, Selector
from core.types import (
    QUANTILE_COLUMNS,
    QUANTILE_LEVELS,
    Anomaly,
    BaselineVersion,
    Contribution,
    DeadLetter,
    DeliveryState,
    ForecastRun,
    Incident,
    IncidentState,
    JobState,
    Notification,
    NotifyReason,
    Severity,
)
from storage import anomalies, baselines, dead_letters, forecasts, hours, incidents, jobs, notifications, series
from storage.contract import Store

MINUTE = timedelta(minutes=1)
OUTAGE = (timedelta(minutes=100), timedelta(minutes=70))
SLOW = timedelta(minutes=14)
OPENAI = Selector.of(provider="openai")
BASELINED = ("tps", "error_rate", "latency_p50", "latency_p95", "tokens_per_s", "cost_per_h", "concurrency")

CALLS = """
INSERT INTO calls (ts, request_id, gateway, region, tenant, service, route, method, kind, provider, account, model,
    error_type, status, latency_ms, upstream_ms, ttft_ms, bytes_in, bytes_out, prompt_tokens, completion_tokens, cost_usd,
    cache_hit, stream, retries, ingested_at, topic, partition, offset)
WITH
    cityHash64(number, 1) / 18446744073709551616. AS u1, cityHash64(number, 2) / 18446744073709551616. AS u2,
    cityHash64(number, 3) / 18446744073709551616. AS u3, cityHash64(number, 4) / 18446744073709551616. AS u4,
    cityHash64(number, 5) / 18446744073709551616. AS u5, cityHash64(number, 6) / 18446744073709551616. AS u6,
    {start:Int64} + number * 60. / {per_minute:UInt32} + u1 * 5 AS at,
    (at / 3600) % 24 AS hour,
    if(toDayOfWeek(toDateTime(at, 'UTC')) > 5, 0.62, 1.) AS of_week,
    0.92 + 0.08 * (at - {start:Int64}) / {span:Float64} AS growth,
    (0.30 + 0.70 * exp(-pow((hour - 14) / 4.2, 2))) * of_week * growth AS load,
    u3 < 0.55 AS llm,
    multiIf(NOT llm, '', u4 < 0.5, 'openai', u4 < 0.8, 'anthropic', 'mistral') AS of_provider,
    multiIf(of_provider = 'openai', if(u5 < 0.6, 'gpt-4o', 'gpt-4o-mini'), of_provider = 'anthropic', 'claude-sonnet',
        of_provider = 'mistral', 'mistral-large', '') AS of_model,
    multiIf(llm, if(u4 * u5 < 0.2, 'chat', 'assist'), if(u4 < 0.6, 'orders', 'catalogue')) AS of_service,
    of_provider = 'openai' AND at >= {outage_from:Int64} AND at < {outage_to:Int64} AND u6 < 0.45 AS failed,
    of_provider = 'openai' AND at >= {slow_from:Int64} AS slow,
    sqrt(-2 * ln(u5 + 1e-12)) * cos(2 * pi() * u6) AS normal, sqrt(-2 * ln(u6 + 1e-12)) * cos(2 * pi() * u5) AS other,
    if(llm, 620., 48.) * (0.8 + 0.5 * load) * exp(0.42 * normal) * if(slow, 3.1, 1.) * if(failed, 0.2, 1.) AS latency,
    toUInt32(400 * exp(0.6 * normal)) AS prompt, toUInt32(180 * exp(0.5 * other)) AS completion
SELECT toDateTime64(at, 3, 'UTC'), concat('r', toString(number)), if(u1 < 0.5, 'gw-1', 'gw-2'), 'eu',
    concat('team-', toString(1 + toUInt8(u6 * u1 * 12))), of_service,
    concat('/v1/', of_service, if(u6 < 0.7, '/create', '/read')), 'POST', if(llm, 'llm', 'api'), of_provider,
    if(llm, 'main', ''), of_model, if(failed, 'upstream', ''), multiIf(failed, 502, u1 < 0.006, 503, u1 < 0.009, 429, 200),
    latency, latency * 0.9, if(llm, latency * 0.3, NULL), 900, 4000, if(llm, prompt, NULL), if(llm, completion, NULL),
    if(llm, (prompt * 2.5 + completion * 10) / 1e6, NULL), if(llm, u1 < 0.2, NULL), if(llm, true, NULL), 0,
    toDateTime64(at + 0.4, 3, 'UTC'), 'gateway-calls', 0, number
FROM numbers({first:UInt64}, {count:UInt64})
WHERE u2 < load
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What was written; `now` is a few seconds after the last whole minute."""

    now: datetime
    start: datetime
    end: datetime
    firing: Incident
    resolved: Incident
    anomalies: tuple[Anomaly, ...]
    forecast: ForecastRun


def fill(store: Store, *, days: int = 14, per_minute: int = 240, now: datetime | None = None) -> Filled:
    """Write everything. `per_minute` is the most calls a minute has."""
    end = floor_to(now or datetime.now(UTC), MINUTE)
    start = end - timedelta(days=days)
    _calls(store, start, end, per_minute)
    found = _anomalies(end)
    firing, resolved = _incidents(end, found)
    run = _forecast(store, start, end)
    _baselines(store, start, end)
    anomalies.write_anomalies(store, list(found), 1)
    incidents.write_incidents(store, [firing, resolved], 1)
    notifications.write_notifications(store, _notifications(firing, resolved), 1)
    for job in _jobs(end):
        jobs.write_job(store, job, 1)
    dead_letters.write_dead_letters(store, [_dead_letter(end, n) for n in range(3)])
    return Filled(
        now=end + timedelta(seconds=20),
        start=start,
        end=end,
        firing=firing,
        resolved=resolved,
        anomalies=found,
        forecast=run,
    )


def _calls(store: Store, start: datetime, end: datetime, per_minute: int) -> None:
    """A day at a time: the rollups' quantile states of two weeks at once would not fit into the memory limit."""
    span = (end - start).total_seconds()
    fixed = {
        "start": int(start.timestamp()),
        "span": span,
        "per_minute": per_minute,
        "outage_from": int((end - OUTAGE[0]).timestamp()),
        "outage_to": int((end - OUTAGE[1]).timestamp()),
        "slow_from": int((end - SLOW).timestamp()),
    }
    total = int(span / 60 * per_minute) - per_minute // 10
    for first in range(0, total, per_minute * 1440):
        store.command(CALLS, {**fixed, "first": first, "count": min(per_minute * 1440, total - first)})


def _baselines(store: Store, start: datetime, end: datetime) -> None:
    """Median and a wide robust range by hour of the week, for all traffic and for provider openai."""
    calm = end - timedelta(hours=3)  # before the incidents
    frames = [
        _baseline_of(series.read_panel(store, start, calm, 60, (), BASELINED), ALL_CALLS),
        _baseline_of(_of_provider(series.read_panel(store, start, calm, 60, ("provider",), BASELINED)), OPENAI),
    ]
    version = BaselineVersion(version="b-1", built_at=end, trained_from=start, trained_to=end, series=2 * len(BASELINED))
    baselines.write_baselines(store, pd.concat(frames, ignore_index=True), version, 1)


def _of_provider(panel: pd.DataFrame) -> pd.DataFrame:
    return panel[panel["provider"] == "openai"]


def _baseline_of(panel: pd.DataFrame, selector: Selector) -> pd.DataFrame:
    slot = panel["ts"].dt.day_of_week * 24 + panel["ts"].dt.hour
    parts = []
    for metric in BASELINED:
        grouped = panel[metric].groupby(slot)
        middle = grouped.median()
        spread = (grouped.quantile(0.84) - grouped.quantile(0.16)) / 2
        frame = pd.DataFrame({"slot": middle.index, "expected": middle.to_numpy()})
        frame["lower"] = np.maximum((middle - 3.5 * spread).to_numpy(), 0.0)
        frame["upper"] = (middle + 3.5 * spread).to_numpy() + (0.02 if metric == "error_rate" else 0.0)
        frame["center"], frame["scale"] = frame["expected"], spread.to_numpy()
        frame["samples"] = grouped.count().to_numpy()
        frame.insert(0, "metric", metric)
        frame.insert(1, "selector", str(selector))
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def _anomalies(end: datetime) -> tuple[Anomaly, ...]:
    slow = _anomaly(
        "a-slow",
        end - SLOW + MINUTE,
        None,
        end,
        "latency_p95",
        "Latency P95 of provider openai is 3.3 s instead of 1.2 s; its P50 and the concurrency rose with it.",
        (
            ("latency_p95", OPENAI, 0.62, (3310.0, 1180.0, 760.0, 1690.0)),
            ("latency_p50", OPENAI, 0.25, (1790.0, 590.0, 440.0, 760.0)),
            ("concurrency", ALL_CALLS, 0.13, (0.92, 0.41, 0.12, 0.7)),
        ),
    )
    failed = _anomaly(
        "a-outage",
        end - OUTAGE[0],
        end - OUTAGE[1],
        end - OUTAGE[1] - MINUTE,
        "error_rate",
        "44 % of the calls to provider openai failed, mostly with status 502.",
        (("error_rate", OPENAI, 0.81, (0.44, 0.008, 0.0, 0.031)), ("error_rate", ALL_CALLS, 0.19, (0.12, 0.007, 0.0, 0.03))),
    )
    return slow, failed


def _anomaly(
    name: str,
    began: datetime,
    ended: datetime | None,
    last: datetime,
    metric: str,
    words: str,
    parts: tuple[tuple[str, Selector, float, tuple[float, float, float, float]], ...],
) -> Anomaly:
    """`parts`: metric, selection, share, and observed, expected, lower, upper; the first one leads."""
    contributions = tuple(
        Contribution(
            selector=selector, metric=part, observed=observed, expected=expected, lower=lower, upper=upper, share=share
        )
        for part, selector, share, (observed, expected, lower, upper) in parts
    )
    observed, expected, lower, upper = parts[0][3]
    return Anomaly(
        id=name,
        started_at=began,
        last_at=last,
        ended_at=ended,
        selector=OPENAI,
        metric=metric,
        direction=Direction.HIGH,
        score=2.4,
        severity=0.8,
        observed=observed,
        expected=expected,
        lower=lower,
        upper=upper,
        contributions=contributions,
        explanation=words,
        model_version="m-1",
        baseline_version="b-1",
    )


def _incidents(end: datetime, found: tuple[Anomaly, ...]) -> tuple[Incident, Incident]:
    slow, failed = found
    firing = _incident(
        "i-slow", slow, Severity.CRITICAL, "Latency P95 of provider openai is far above its expected range", None, end
    )
    resolved = _incident("i-outage", failed, Severity.WARNING, "Calls to provider openai fail", end - OUTAGE[1], end)
    return firing, resolved


def _incident(name: str, anomaly: Anomaly, severity: Severity, title: str, ended: datetime | None, end: datetime) -> Incident:
    return Incident(
        id=name,
        fingerprint=f"anomaly/{name}",
        state=IncidentState.RESOLVED if ended else IncidentState.FIRING,
        rule="anomaly",
        kind="anomaly",
        severity=severity,
        labels={"provider": "openai"},
        title=title,
        summary=anomaly.explanation,
        started_at=anomaly.started_at + MINUTE,
        updated_at=ended or end,
        resolved_at=ended,
        last_notified_at=anomaly.started_at + MINUTE,
        opened_at=anomaly.started_at + MINUTE,
        metric=anomaly.metric,
        value=anomaly.observed,
        threshold=float("nan"),
        unit=METRICS[anomaly.metric].unit,
        anomaly_id=anomaly.id,
        runbook="https://runbooks.example.com/provider",
    )


def _notifications(firing: Incident, resolved: Incident) -> list[Notification]:
    def one(
        incident: Incident, receiver: str, reason: NotifyReason, state: DeliveryState, attempts: int, error: str = ""
    ) -> Notification:
        at = incident.started_at if reason == NotifyReason.OPENED else incident.updated_at
        return Notification(
            id=f"{incident.id}-{receiver}-{reason}",
            incident_id=incident.id,
            receiver=receiver,
            reason=reason,
            state=state,
            created_at=at,
            updated_at=at + timedelta(seconds=2),
            attempts=attempts,
            next_attempt_at=None,
            error=error,
            payload="{}",
        )

    refused = "POST https://hooks.example.com/services/secret answered 410 Gone"
    return [
        one(firing, "on-call", NotifyReason.OPENED, DeliveryState.SENT, 1),
        one(firing, "team-chat", NotifyReason.OPENED, DeliveryState.FAILED, 6, refused),
        one(resolved, "on-call", NotifyReason.OPENED, DeliveryState.SENT, 1),
        one(resolved, "on-call", NotifyReason.RESOLVED, DeliveryState.SENT, 2),
    ]


def _forecast(store: Store, start: datetime, end: datetime) -> ForecastRun:
    """Hours of the last two weeks, and the same again with growth and widening quantiles for the four weeks to come."""
    hour = floor_to(end, timedelta(hours=1))
    hours.refresh_hours(store, floor_to(start, timedelta(hours=1)), hour, ((), ("service",), ("provider",)), 1)
    run = None
    for metric in ("tps", "cost_per_h"):
        known = hours.read_hours(store, metric, hour - timedelta(days=7), hour)
        week = known["value"].to_numpy(dtype=float)[-168:]
        ahead = np.arange(28 * 24)
        middle = week[ahead % len(week)] * (1 + 0.12 * ahead / len(ahead))
        frame = pd.DataFrame({"ts": pd.date_range(hour, periods=len(ahead), freq="h"), "mean": middle * 1.01})
        width = 0.07 + 0.10 * ahead / len(ahead)
        for name, level in zip(QUANTILE_COLUMNS, QUANTILE_LEVELS, strict=True):
            frame[name] = middle * np.exp(width * _z(level))
        for selector in (ALL_CALLS, Selector.of(service="chat")):
            one = ForecastRun(
                version="f-1",
                made_at=end - timedelta(minutes=25),
                selector=selector,
                metric=metric,
                unit=METRICS[metric].unit,
                model="seasonal regression with hour-of-week terms",
                step="1h",
                trained_from=start,
                trained_to=hour,
                error_mase=0.72,
            )
            forecasts.write_forecast(store, one, frame, 1)
            run = run or one
    assert run is not None
    return run


def _z(level: float) -> float:
    """Standard normal quantiles of the levels that are stored."""
    return dict(zip(QUANTILE_LEVELS, (-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645), strict=True))[level]


def _jobs(end: datetime) -> list[JobState]:
    return [
        JobState(
            name=name,
            cursor=end,
            last_success_at=end + timedelta(seconds=seconds),
            last_error_at=None,
            last_error="",
            duration_s=0.4,
        )
        for name, seconds in (
            ("detection", 8),
            ("alerts", 9),
            ("delivery", 15),
            ("hours", -900),
            ("baselines", -7000),
            ("forecasts", -1500),
        )
    ]


def _dead_letter(end: datetime, number: int) -> DeadLetter:
    return DeadLetter(
        received_at=end - timedelta(hours=1),
        topic="gateway-calls",
        partition=0,
        offset=number,
        reason="not_json",
        detail="'}'",
        payload=b"}",
        size_bytes=1,
    )
