"""What became of dead letters that are replayed: append-only marks, `planned` before and `done` after they are written.

Of two replays at once that plan the same letter at least one sees the other's plan, and gives way. Safe as long as one sees
what was inserted before, as on one server; replicas must be asked for it (`select_sequential_consistency`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from core.record import TS_TYPE
from storage.contract import Store, Value
from storage.dead_letters import LETTER_KEY
from storage.frames import items_table, moment
from storage.sequence import next_seq

Key = tuple[str, int, int, int]

PLANNED = "planned"
DONE = "done"

UNFINISHED = f"""
SELECT {LETTER_KEY}, batch, planned_at, plans FROM (
    SELECT {LETTER_KEY}, argMinIf(r.batch, (r.seq, r.batch), r.state = 'planned') AS batch,
        maxIf(r.at, r.state = 'planned') AS planned_at, toInt64(uniqExactIf(r.batch, r.state = 'planned')) AS plans,
        countIf(r.state = 'done') AS finished
    FROM dead_letter_replays AS r GROUP BY {LETTER_KEY}
) WHERE finished = 0 ORDER BY batch, {LETTER_KEY}
"""
_LISTED = "{topics:Array(String)}, {partitions:Array(Int32)}, {offsets:Array(Int64)}"
OTHER_PLANS = f"""
SELECT toInt64(count()) AS marks FROM dead_letter_replays
WHERE batch != {{batch:String}} AND ({LETTER_KEY}) IN (SELECT arrayJoin(arrayZip({_LISTED}, {{hashes:Array(UInt64)}})))
"""
_STORED = f"""
WHERE ts >= {{start:DateTime64(3, 'UTC')}} AND ts <= {{end:DateTime64(3, 'UTC')}}
    AND (topic, partition, offset) IN (SELECT arrayJoin(arrayZip({_LISTED})))
"""
STORED_CALLS = f"SELECT DISTINCT topic, partition, offset FROM calls {_STORED}"
STORED_SAMPLES = f"SELECT DISTINCT topic, partition, offset FROM samples {_STORED}"
_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("payload_hash", pa.uint64()),
        *(pa.field(name, pa.string()) for name in ("batch", "state", "format")),
        pa.field("at", TS_TYPE),
        pa.field("seq", pa.uint64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One step of one letter's replay."""

    topic: str
    partition: int
    offset: int
    payload_hash: int
    batch: str
    state: str
    format: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Letters that were planned as one batch and are not all written yet.

    Attributes
    ----------
    planned_at : datetime
        When the last plan for any of them was made.
    contested : bool
        Whether another plan names some of them, too.
    """

    batch: str
    planned_at: datetime
    contested: bool
    keys: tuple[Key, ...]


def write_marks(store: Store, keys: Sequence[Key], batch: str, state: str, format_name: str, at: datetime) -> None:
    """Note the same step of several letters."""
    if not keys:
        return
    marks = [
        Mark(
            topic=key[0],
            partition=key[1],
            offset=key[2],
            payload_hash=key[3],
            batch=batch,
            state=state,
            format=format_name,
            at=at,
        )
        for key in keys
    ]
    first = next_seq()
    store.insert("dead_letter_replays", items_table(_SCHEMA, marks, seq=[first] * len(marks)), token=f"{state}:{batch}:{first}")


def unfinished_plans(store: Store) -> list[Plan]:
    """Plans of which a letter was not marked as written: the replay was interrupted, or goes on elsewhere."""
    plans: dict[str, list[dict[str, Any]]] = {}
    for row in store.arrow(UNFINISHED).to_pylist():
        plans.setdefault(row["batch"], []).append(row)
    return [
        Plan(
            batch=batch,
            planned_at=max(moment(row["planned_at"]) for row in rows),
            contested=any(row["plans"] > 1 for row in rows),
            keys=tuple((row["topic"], row["partition"], row["offset"], row["payload_hash"]) for row in rows),
        )
        for batch, rows in plans.items()
    ]


def planned_elsewhere(store: Store, keys: Sequence[Key], batch: str) -> bool:
    """Whether any of these letters has a mark of another batch."""
    params: dict[str, Value] = {**_coordinates(keys), "hashes": [key[3] for key in keys], "batch": batch}
    return bool(store.arrow(OTHER_PLANS, params).column("marks")[0].as_py())


def stored_calls(store: Store, keys: Sequence[Key], start: datetime, end: datetime) -> set[tuple[str, int, int]]:
    """Which of these coordinates have a call with its time in the span (both ends included)."""
    return _stored(store, STORED_CALLS, keys, start, end)


def stored_samples(store: Store, keys: Sequence[Key], start: datetime, end: datetime) -> set[tuple[str, int, int]]:
    """The same for samples."""
    return _stored(store, STORED_SAMPLES, keys, start, end)


def _stored(store: Store, sql: str, keys: Sequence[Key], start: datetime, end: datetime) -> set[tuple[str, int, int]]:
    rows = store.arrow(sql, {**_coordinates(keys), "start": start, "end": end}).to_pylist()
    return {(row["topic"], row["partition"], row["offset"]) for row in rows}


def _coordinates(keys: Sequence[Key]) -> dict[str, Value]:
    return {
        "topics": [key[0] for key in keys],
        "partitions": [key[1] for key in keys],
        "offsets": [key[2] for key in keys],
    }
