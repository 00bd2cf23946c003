"""The outbox: notifications are written before they are sent, and again after each attempt."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from core.record import TS_TYPE
from core.types import DeliveryState, Notification, NotifyReason
from storage.contract import Store
from storage.frames import EVENT_FIELDS, events_table, moment, moment_or_none

_COLUMNS = (
    "id, incident_id, receiver, reason, state, created_at, updated_at, attempts, next_attempt_at, error, payload, reference"
)
# The ids are found first, so that the payloads of what was sent long ago are not read.
DUE_NOTIFICATIONS = f"""
SELECT {_COLUMNS} FROM notifications
WHERE id IN (
    SELECT id FROM notifications GROUP BY id
    HAVING argMax(state, (epoch, seq)) = 'pending'
        AND argMax(ifNull(next_attempt_at, created_at), (epoch, seq)) <= {{now:DateTime64(3, 'UTC')}}
        AND NOT has({{without:Array(String)}}, any(receiver))
    ORDER BY min(created_at), id LIMIT {{most:UInt64}}
)
ORDER BY epoch DESC, seq DESC LIMIT 1 BY id
"""
LATEST_NOTIFICATIONS = f"""
SELECT {_COLUMNS} FROM (
    SELECT {_COLUMNS} FROM notifications WHERE empty({{incident:String}}) OR incident_id = {{incident:String}}
    ORDER BY epoch DESC, seq DESC LIMIT 1 BY id
)
ORDER BY created_at DESC, id LIMIT {{most:UInt64}}
"""
NOTIFICATIONS_OF = f"""
SELECT {_COLUMNS} FROM notifications WHERE has({{incidents:Array(String)}}, incident_id)
ORDER BY epoch DESC, seq DESC LIMIT 1 BY id
"""
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "incident_id", "receiver", "reason", "state")),
        *(pa.field(name, TS_TYPE) for name in ("created_at", "updated_at")),
        pa.field("attempts", pa.uint32()),
        pa.field("next_attempt_at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("error", "payload", "reference")),
        *EVENT_FIELDS,
    ]
)


def write_notifications(store: Store, notifications: Sequence[Notification], epoch: int) -> None:
    """Append the present state of each; of two states of one id in the list the later holds."""
    if notifications:
        store.insert("notifications", events_table(_SCHEMA, notifications, epoch))


def due_notifications(store: Store, now: datetime, limit: int = 100, without: Collection[str] = ()) -> list[Notification]:
    """Pending messages whose next attempt is due (at once where none is set), oldest first.

    Those to the receivers `without` are left out, and do not count for `limit`.
    """
    rows = store.arrow(DUE_NOTIFICATIONS, {"now": now, "most": limit, "without": sorted(without)}).to_pylist()
    return sorted((_notification(row) for row in rows), key=lambda one: (one.created_at, one.id))


def read_notifications(store: Store, incident_id: str | None = None, limit: int = 500) -> list[Notification]:
    """The newest `limit` messages (of one incident, if given) in their latest state, newest first."""
    rows = store.arrow(LATEST_NOTIFICATIONS, {"incident": incident_id or "", "most": limit}).to_pylist()
    return [_notification(row) for row in rows]


def notifications_of(store: Store, incident_ids: Collection[str]) -> list[Notification]:
    """All messages of these incidents in their latest state, oldest first."""
    rows = store.arrow(NOTIFICATIONS_OF, {"incidents": sorted(incident_ids)}).to_pylist() if incident_ids else []
    return sorted((_notification(row) for row in rows), key=lambda one: (one.created_at, one.id))


def _notification(row: dict[str, Any]) -> Notification:
    return Notification(
        **{
            **row,
            "reason": NotifyReason(row["reason"]),
            "state": DeliveryState(row["state"]),
            "created_at": moment(row["created_at"]),
            "updated_at": moment(row["updated_at"]),
            "next_attempt_at": moment_or_none(row["next_attempt_at"]),
        }
    )
