"""Silences that people set, and what they said of incidents: written by any process, read by the one that judges."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from core.record import TS_TYPE
from core.types import Action, IncidentAction, Silence
from storage.contract import Store
from storage.frames import EVENT_FIELDS, events_table, moment, moment_or_none

_COLUMNS = "id, starts_at, ends_at, created_at, created_by, comment"
LATEST_SILENCES = f"""
SELECT {_COLUMNS}, toJSONString(match) AS match_json
FROM (SELECT {_COLUMNS}, match FROM silences ORDER BY epoch DESC, seq DESC LIMIT 1 BY id)
WHERE ends_at > {{after:DateTime64(3, 'UTC')}}
ORDER BY starts_at, id LIMIT {{most:UInt64}}
"""
ACTIONS_SINCE = """
SELECT id, incident_id, action, receiver, at, until FROM incident_actions WHERE at > {since:DateTime64(3, 'UTC')}
ORDER BY at, seq LIMIT 1 BY id
"""
ACTION_USED = "SELECT toInt64(count()) AS used FROM incident_actions WHERE id = {id:String}"
_MOST = 10_000
_SILENCE = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("match", pa.map_(pa.string(), pa.string())),
        *(pa.field(name, TS_TYPE) for name in ("starts_at", "ends_at", "created_at")),
        *(pa.field(name, pa.string()) for name in ("created_by", "comment")),
        *EVENT_FIELDS,
    ]
)
_ACTION = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "incident_id", "action", "receiver")),
        *(pa.field(name, TS_TYPE) for name in ("at", "until")),
        *EVENT_FIELDS,
    ]
)


def write_silence(store: Store, silence: Silence) -> None:
    """Append the present state; an earlier row of the same id no longer holds."""
    match = [list(silence.match.items())]
    store.insert("silences", events_table(_SILENCE, [silence], 0, match=match))


def read_silences(store: Store, after: datetime) -> list[Silence]:
    """Silences that end after `after`, those that have not begun among them, in order of their beginning."""
    return [_silence(row) for row in store.arrow(LATEST_SILENCES, {"after": after, "most": _MOST}).to_pylist()]


def write_actions(store: Store, actions: Sequence[IncidentAction]) -> None:
    if actions:
        store.insert("incident_actions", events_table(_ACTION, actions, 0))


def read_actions(store: Store, since: datetime) -> list[IncidentAction]:
    """What was said after `since`, oldest first; a link that was used twice at once counts once."""
    return [_action(row) for row in store.arrow(ACTIONS_SINCE, {"since": since}).to_pylist()]


def action_used(store: Store, id: str) -> bool:
    """Whether the link with this nonce was used."""
    return bool(store.arrow(ACTION_USED, {"id": id}).column("used")[0].as_py())


def _silence(row: dict[str, Any]) -> Silence:
    match = orjson.loads(row.pop("match_json"))
    times = {name: moment(row[name]) for name in ("starts_at", "ends_at", "created_at")}
    return Silence(**{**row, **times, "match": match})


def _action(row: dict[str, Any]) -> IncidentAction:
    return IncidentAction(
        **{**row, "action": Action(row["action"]), "at": moment(row["at"]), "until": moment_or_none(row["until"])}
    )
