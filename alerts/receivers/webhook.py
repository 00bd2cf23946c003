"""tpscope's own JSON for generic webhooks. Version 1 is documented in docs/webhook.md; fields are added, never changed."""

import math
from datetime import UTC, datetime
from typing import Any

import orjson

from alerts.message import Message

VERSION = 1


def render(message: Message) -> str:
    """The request's body. What is unknown is null."""
    incident = message.incident
    body: dict[str, Any] = {
        "version": VERSION,
        "id": message.id,
        "reason": message.reason,
        "created_at": _time(message.created_at),
        "headline": message.headline,
        "explanation": message.explanation,
        "incident": {
            "id": incident.id,
            "fingerprint": incident.fingerprint,
            "state": incident.state.value,
            "rule": incident.rule,
            "kind": incident.kind,
            "severity": incident.severity.value,
            "title": incident.title,
            "summary": incident.summary,
            "started_at": _time(incident.started_at),
            "resolved_at": _time(incident.resolved_at) if incident.resolved_at else None,
            "anomaly_id": incident.anomaly_id or None,
        },
        "labels": dict(sorted(incident.labels.items())),
        "metric": incident.metric,
        "value": _number(incident.value),
        "threshold": _number(incident.threshold),
        "unit": incident.unit,
        "links": {"incident": message.incident_url or None, "runbook": message.runbook_url or None},
    }
    return orjson.dumps(body).decode()


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
