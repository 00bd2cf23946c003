"""Inputs for tests of alerting."""

from datetime import datetime, timedelta
from typing import Any

from core.config import AnomalyRule, Settings, ThresholdRule
from core.series import Direction, Selector
from core.types import (
    Anomaly,
    Contribution,
    DeliveryState,
    Incident,
    IncidentState,
    Notification,
    NotifyReason,
    Severity,
    Silence,
)
from tests.unit.alerts.memory import MINUTE, START

HOOK = "http://127.0.0.1:1/secret-token"


def settings(*rules: ThresholdRule | AnomalyRule, receivers: tuple[str, ...] = ("chat",), **more: Any) -> Settings:
    entries = [{"name": name, "url": f"{HOOK}/{name}", "deadline": "30d"} for name in receivers]
    routing = {"group_wait": "0s", "group_wait_critical": "0s", "group_from": 1000, **more.pop("routing", {})}
    given = {"rules": [rule.model_dump() for rule in rules], "receivers": entries, "routing": routing}
    return Settings.model_validate({**given, **more})


def slow(**more: Any) -> ThresholdRule:
    """Fires while the P95 latency of a service is above 500 ms."""
    given: dict[str, Any] = {"name": "slow", "metric": "latency_p95", "above": 500.0, "by": ["service"], "recover_after": "2m"}
    return ThresholdRule.model_validate({"kind": "threshold", **given, **more})


def unusual(**more: Any) -> AnomalyRule:
    return AnomalyRule.model_validate({"kind": "anomaly", "name": "unusual", **more})


def anomaly(id: str = "a1", *, ended_at: datetime | None = None, **more: Any) -> Anomaly:
    given: dict[str, Any] = {
        "id": id,
        "started_at": START,
        "last_at": START + MINUTE,
        "ended_at": ended_at,
        "selector": Selector.of(provider="openai"),
        "metric": "error_rate",
        "direction": Direction.HIGH,
        "score": 3.0,
        "severity": 0.8,
        "observed": 0.4,
        "expected": 0.01,
        "lower": 0.0,
        "upper": 0.03,
        "contributions": (),
        "explanation": "Error rate of provider openai is 40 %, expected 0 % to 3 %.",
        "model_version": "m1",
        "baseline_version": "b1",
    }
    return Anomaly(**{**given, **more})


def contribution(share: float = 0.5, **labels: str) -> Contribution:
    return Contribution(
        selector=Selector.of(labels), metric="latency_p95", observed=9.0, expected=1.0, lower=0.5, upper=2.0, share=share
    )


def incident(**more: Any) -> Incident:
    given: dict[str, Any] = {
        "id": "i1",
        "fingerprint": 'slow{service="chat"}',
        "state": IncidentState.FIRING,
        "rule": "slow",
        "kind": "threshold",
        "severity": Severity.WARNING,
        "labels": {"service": "chat"},
        "title": "Latency P95 above 500 ms: service chat",
        "summary": "Latency P95 was 900 ms.",
        "started_at": START,
        "updated_at": START + MINUTE,
        "resolved_at": None,
        "last_notified_at": START + MINUTE,
        "opened_at": START,
        "metric": "latency_p95",
        "value": 900.0,
        "threshold": 500.0,
        "unit": "ms",
    }
    return Incident(**{**given, **more})


def silence(**more: Any) -> Silence:
    given: dict[str, Any] = {
        "id": "s1",
        "match": {"service": "chat"},
        "starts_at": START,
        "ends_at": START + timedelta(hours=1),
        "created_at": START,
        "created_by": "ops",
        "comment": "a move",
    }
    return Silence(**{**given, **more})


def notification(**more: Any) -> Notification:
    given: dict[str, Any] = {
        "id": "n1",
        "incident_id": "i1",
        "receiver": "chat",
        "reason": NotifyReason.OPENED,
        "state": DeliveryState.PENDING,
        "created_at": START,
        "updated_at": START,
        "attempts": 0,
        "next_attempt_at": START,
        "error": "",
        "payload": "{}",
    }
    return Notification(**{**given, **more})
