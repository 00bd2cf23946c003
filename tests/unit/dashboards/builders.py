"""Values for tests of the web room, complete but for what a test is about."""

from datetime import UTC, datetime
from typing import Any

from core.series import ALL_CALLS, Direction, Selector
from core.types import Anomaly, Contribution, ForecastRun, Incident, IncidentState, JobState, Severity

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OPENAI = Selector.of(provider="openai")
NAN = float("nan")


def an_anomaly(**changed: Any) -> Anomaly:
    values: dict[str, Any] = {
        "id": "a-1",
        "started_at": NOON,
        "last_at": NOON,
        "ended_at": None,
        "selector": OPENAI,
        "metric": "latency_p95",
        "direction": Direction.HIGH,
        "score": 2.0,
        "severity": 0.7,
        "observed": 812.0,
        "expected": 200.0,
        "lower": 150.0,
        "upper": 240.0,
        "contributions": (),
        "explanation": "It rose.",
        "model_version": "m",
        "baseline_version": "b",
    }
    return Anomaly(**{**values, **changed})


def a_contribution(metric: str, selector: Selector = ALL_CALLS) -> Contribution:
    return Contribution(selector=selector, metric=metric, observed=1.0, expected=1.0, lower=0.0, upper=2.0, share=0.5)


def an_incident(**changed: Any) -> Incident:
    values: dict[str, Any] = {
        "id": "i-1",
        "fingerprint": "f",
        "state": IncidentState.FIRING,
        "rule": "anomaly",
        "kind": "anomaly",
        "severity": Severity.CRITICAL,
        "labels": {"provider": "openai"},
        "title": "Latency rose",
        "summary": "It rose.",
        "started_at": NOON,
        "updated_at": NOON,
        "resolved_at": None,
        "last_notified_at": None,
        "opened_at": NOON,
        "metric": "latency_p95",
        "value": 812.0,
        "threshold": NAN,
        "unit": "ms",
    }
    return Incident(**{**values, **changed})


def a_run(**changed: Any) -> ForecastRun:
    values: dict[str, Any] = {
        "version": "f-1",
        "made_at": NOON,
        "selector": ALL_CALLS,
        "metric": "tps",
        "unit": "calls/s",
        "model": "seasonal",
        "step": "1h",
        "trained_from": NOON,
        "trained_to": NOON,
        "error_mase": 0.72,
    }
    return ForecastRun(**{**values, **changed})


def a_job(**changed: Any) -> JobState:
    values: dict[str, Any] = {
        "name": "detect",
        "cursor": NOON,
        "last_success_at": NOON,
        "last_error_at": None,
        "last_error": "",
        "duration_s": 0.1,
    }
    return JobState(**{**values, **changed})
