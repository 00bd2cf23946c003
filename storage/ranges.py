"""Ranges of offsets that were written: what an import or a consumer need not write again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from core.record import TS_TYPE
from storage.contract import Store
from storage.frames import items_table
from storage.sequence import next_seq

LATEST_RANGES = """
SELECT topic, partition, first_offset, last_offset, state, rows FROM ingest_ranges WHERE topic = {topic:String}
ORDER BY partition, first_offset, seq DESC LIMIT 1 BY partition, first_offset
"""
_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        *(pa.field(name, pa.int64()) for name in ("first_offset", "last_offset")),
        pa.field("state", pa.string()),
        pa.field("rows", pa.uint64()),
        pa.field("at", TS_TYPE),
        pa.field("seq", pa.uint64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRange:
    """Offsets of one partition from first to last (both included) and what became of them.

    Attributes
    ----------
    state : str
        The writer's word, for example `done`.
    rows : int
        Calls that were written from it; dead letters are not among them.
    """

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    state: str
    rows: int


def write_ranges(store: Store, ranges: Sequence[IngestRange]) -> None:
    """Record ranges; a range with the same topic, partition and first offset replaces the former."""
    if ranges:
        first, count = next_seq(len(ranges)), len(ranges)
        now = [datetime.now(UTC)] * count
        store.insert("ingest_ranges", items_table(_SCHEMA, ranges, at=now, seq=list(range(first, first + count))))


def read_ranges(store: Store, topic: str) -> list[IngestRange]:
    """The recorded ranges of a topic, by partition and first offset."""
    return [IngestRange(**row) for row in store.arrow(LATEST_RANGES, {"topic": topic}).to_pylist()]
