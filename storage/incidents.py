"""Incidents as append-only events: pending, firing, acknowledged, recovering, resolved."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from core.record import TS_TYPE
from core.types import Incident, IncidentState, RankedCause, Severity
from storage.contract import Store
from storage.frames import EVENT_FIELDS, events_table, moment, moment_or_none

_COLUMNS = """id, fingerprint, state, rule, kind, severity, title, summary, started_at, updated_at, resolved_at,
    last_notified_at, metric, value, threshold, unit, anomaly_id, runbook, opened_at, snoozed_until, causes, lower, upper,
    judged_until"""
_LABELS = "toJSONString(labels) AS labels_json"
LATEST_INCIDENTS = f"""
SELECT {_COLUMNS}, {_LABELS}
FROM (
    SELECT {_COLUMNS}, labels FROM incidents
    WHERE {{end:Nullable(DateTime64(3, 'UTC'))}} IS NULL OR started_at < {{end:Nullable(DateTime64(3, 'UTC'))}}
    ORDER BY epoch DESC, seq DESC LIMIT 1 BY id
)
WHERE ({{start:Nullable(DateTime64(3, 'UTC'))}} IS NULL OR ifNull(resolved_at > {{start:Nullable(DateTime64(3, 'UTC'))}}, true))
    AND (NOT {{firing_only:Bool}} OR state IN ('firing', 'acknowledged', 'recovering'))
    AND ({{pending:Bool}} OR NOT (state = 'pending' OR (state = 'resolved' AND opened_at IS NULL)))
ORDER BY started_at DESC, id LIMIT {{most:UInt64}}
"""
HISTORY = f"SELECT {_COLUMNS}, {_LABELS} FROM incidents WHERE id = {{id:String}} ORDER BY epoch, seq"
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "fingerprint", "state", "rule", "kind", "severity")),
        pa.field("labels", pa.map_(pa.string(), pa.string())),
        *(pa.field(name, pa.string()) for name in ("title", "summary")),
        *(pa.field(name, TS_TYPE) for name in ("started_at", "updated_at", "resolved_at", "last_notified_at")),
        pa.field("metric", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("value", "threshold")),
        *(pa.field(name, pa.string()) for name in ("unit", "anomaly_id", "runbook")),
        *(pa.field(name, TS_TYPE) for name in ("opened_at", "snoozed_until")),
        pa.field("causes", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("lower", "upper")),
        pa.field("judged_until", TS_TYPE),
        *EVENT_FIELDS,
    ]
)


def write_incidents(store: Store, incidents: Sequence[Incident], epoch: int) -> None:
    """Append the present state of each; of two states of one id in the list the later holds."""
    if incidents:
        labels = [list(incident.labels.items()) for incident in incidents]
        causes = [orjson.dumps([[cause.text, cause.share] for cause in one.causes]).decode() for one in incidents]
        store.insert("incidents", events_table(_SCHEMA, incidents, epoch, labels=labels, causes=causes))


def read_incidents(
    store: Store,
    start: datetime | None = None,
    end: datetime | None = None,
    firing_only: bool = False,
    limit: int = 500,
    pending: bool = False,
) -> list[Incident]:
    """The newest `limit` incidents that lasted at some time of the span, in their latest state, newest first.

    `firing_only` leaves out what has ended; what has not fired (yet, or never) comes only with `pending`.
    """
    params = {"start": start, "end": end, "firing_only": firing_only, "most": limit, "pending": pending}
    return [_incident(row) for row in store.arrow(LATEST_INCIDENTS, params).to_pylist()]


def incident_history(store: Store, id: str) -> list[Incident]:
    """Every state that was written of one incident, oldest first; empty for an unknown id."""
    return [_incident(row) for row in store.arrow(HISTORY, {"id": id}).to_pylist()]


def _incident(row: dict[str, Any]) -> Incident:
    labels = row.pop("labels_json")
    return Incident(
        **{
            **row,
            "state": IncidentState(row["state"]),
            "severity": Severity(row["severity"]),
            "labels": orjson.loads(labels),
            "started_at": moment(row["started_at"]),
            "updated_at": moment(row["updated_at"]),
            "resolved_at": moment_or_none(row["resolved_at"]),
            "last_notified_at": moment_or_none(row["last_notified_at"]),
            "opened_at": moment_or_none(row["opened_at"]),
            "snoozed_until": moment_or_none(row["snoozed_until"]),
            "judged_until": moment_or_none(row["judged_until"]),
            # The one NaN of `math`, so that what is read equals what was written.
            "lower": math.nan if math.isnan(row["lower"]) else row["lower"],
            "upper": math.nan if math.isnan(row["upper"]) else row["upper"],
            "causes": tuple(RankedCause(text=text, share=share) for text, share in orjson.loads(row["causes"] or "[]")),
        }
    )
