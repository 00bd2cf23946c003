"""Records that could not be read, with their coordinates, reason and bytes."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa

from core.record import TS_TYPE
from core.types import DeadLetter
from storage.contract import Store
from storage.frames import items_table, moment, with_labels

COUNT_BY_REASON = """
SELECT reason, toInt64(count()) AS letters FROM dead_letters WHERE received_at >= {start:DateTime64(3, 'UTC')}
GROUP BY reason ORDER BY letters DESC, reason
"""
# The payload may be any bytes; as hexadecimal digits it passes every engine and client unchanged.
NEWEST_LETTERS = """
SELECT received_at, topic, partition, offset, reason, detail, hex(payload) AS payload_hex, size_bytes
FROM dead_letters WHERE empty({reason:String}) OR reason = {reason:String}
ORDER BY received_at DESC, topic, partition, offset LIMIT {most:UInt64}
"""
_SCHEMA = pa.schema(
    [
        pa.field("received_at", TS_TYPE),
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        *(pa.field(name, pa.string()) for name in ("reason", "detail")),
        pa.field("payload", pa.binary()),
        pa.field("size_bytes", pa.uint64()),
    ]
)


def write_dead_letters(store: Store, letters: Sequence[DeadLetter], *, token: str | None = None) -> None:
    """Keep letters; with a `token` a repeat of the same batch writes nothing."""
    if letters:
        store.insert("dead_letters", items_table(_SCHEMA, letters), token=token)


def count_dead_letters(store: Store, start: datetime | None = None) -> pd.DataFrame:
    """Letters received since `start` (ever, without it): `reason` (`str`) and `letters` (`int64`), most frequent first."""
    return with_labels(store.frame(COUNT_BY_REASON, {"start": start or datetime(1970, 1, 1, tzinfo=UTC)}), ["reason"])


def read_dead_letters(store: Store, limit: int, reason: str | None = None) -> list[DeadLetter]:
    """The newest letters, newest first; with a `reason` only those."""
    rows = store.arrow(NEWEST_LETTERS, {"reason": reason or "", "most": limit}).to_pylist()
    return [
        DeadLetter(
            received_at=moment(row["received_at"]),
            topic=row["topic"],
            partition=row["partition"],
            offset=row["offset"],
            reason=row["reason"],
            detail=row["detail"],
            payload=bytes.fromhex(row["payload_hex"]),
            size_bytes=row["size_bytes"],
        )
        for row in rows
    ]
