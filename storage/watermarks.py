"""How far the calls of each partition have arrived: measured when they are written, event time against arrival time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from core.clock import floor_to
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
QUIET_PARTITION = timedelta(minutes=10)
"""A partition that wrote nothing for so long does not hold up the others."""

_MINUTE = timedelta(minutes=1)
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


def measured_until(store: Store, now: datetime) -> datetime | None:
    """The instant up to which every partition that is not quiet has brought calls; None where nothing is measured."""
    marks = [mark.event_at for mark in read_watermarks(store) if now - mark.arrived_at <= QUIET_PARTITION]
    return min(marks) if marks else None


def arrived_until(store: Store, now: datetime, delay: timedelta, max_delay: timedelta) -> datetime:
    """End of the last minute whose calls have all arrived, as far as can be known.

    Every partition that is not quiet must have brought a call from behind it; it is over for `delay` at the least, and after
    `max_delay` it is waited for no longer. Without Kafka nothing is measured, and the longest wait decides.
    """
    arrived = measured_until(store, now) or now - max_delay
    return floor_to(max(min(now - delay, arrived), now - max_delay), _MINUTE)
