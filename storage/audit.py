"""Who did what to the data: append-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import pyarrow as pa

from core.record import TS_TYPE
from storage.contract import Store
from storage.frames import items_table, moment
from storage.sequence import next_seq

NEWEST = """
SELECT at, actor, action, subject, detail, seq FROM audit
WHERE (empty({action:String}) OR action = {action:String}) AND (at, seq) < ({before:DateTime64(3, 'UTC')}, {seq:Int64})
ORDER BY at DESC, seq DESC LIMIT {most:UInt64}
"""
_NEVER = (datetime(2200, 1, 1, tzinfo=UTC), 0)
_SCHEMA = pa.schema(
    [
        pa.field("at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("actor", "action", "subject", "detail")),
        pa.field("seq", pa.uint64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that somebody did.

    Attributes
    ----------
    actor : str
        Who: a user of the machine, or who the API's caller says it is.
    action : str
        A fixed word, for example `tenant.delete.done`.
    subject : str
        What it was done to.
    detail : str
        JSON, counts and the like; never a secret.
    seq : int
        Tells events of one moment apart.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = "{}"
    seq: int = 0


def write_audit(store: Store, at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, object]) -> None:
    """Note what was done."""
    event = AuditEvent(at=at, actor=actor, action=action, subject=subject, detail=orjson.dumps(detail).decode())
    seq = next_seq()
    store.insert("audit", items_table(_SCHEMA, [event], seq=[seq]), token=f"audit:{seq}")


def read_audit(
    store: Store, limit: int = 100, action: str | None = None, *, before: tuple[datetime, int] | None = None
) -> list[AuditEvent]:
    """The newest events, newest first; with an `action` only those, with a time and a `seq` only what was done before."""
    at, seq = before or _NEVER
    rows = store.arrow(NEWEST, {"action": action or "", "most": limit, "before": at, "seq": seq}).to_pylist()
    return [AuditEvent(**{**row, "at": moment(row["at"])}) for row in rows]
