"""How far the calls of each partition have arrived."""

from collections.abc import Sequence

import pyarrow as pa

from core.record import TS_TYPE
from core.types import Watermark
from storage.contract import Store
from storage.frames import items_table, moment
from storage.sequence import next_seq

LATEST_WATERMARKS = """
SELECT topic, partition, event_at, arrived_at, next_offset, delay_s, topic_id, lag, records,
    attempts FROM watermarks
ORDER BY topic, partition, seq DESC LIMIT 1 BY topic, partition
"""
_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        *(pa.field(name, TS_TYPE) for name in ("event_at", "arrived_at")),
        pa.field("next_offset", pa.int64()),
        pa.field("delay_s", pa.float64()),
        pa.field("topic_id", pa.string()),
        *(pa.field(name, pa.int64()) for name in ("lag", "records", "attempts")),
        pa.field("seq", pa.uint64()),
    ]
)


def write_watermarks(store: Store, watermarks: Sequence[Watermark]) -> None:
    """Report where partitions stand; `extra` is not kept."""
    if watermarks:
        first = next_seq(len(watermarks))
        store.insert("watermarks", items_table(_SCHEMA, watermarks, seq=list(range(first, first + len(watermarks)))))


def read_watermarks(store: Store) -> list[Watermark]:
    """The latest of each partition, by topic and partition."""
    return [
        Watermark(**{**row, "event_at": moment(row["event_at"]), "arrived_at": moment(row["arrived_at"])})
        for row in store.arrow(LATEST_WATERMARKS).to_pylist()
    ]
