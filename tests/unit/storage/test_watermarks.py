from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.types import Watermark
from storage.contract import Store
from storage.watermarks import read_watermarks, write_watermarks

AT = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def test_the_latest_of_each_partition_by_topic_and_partition(store: Store) -> None:
    first = Watermark(
        topic="b",
        partition=0,
        event_at=AT,
        arrived_at=AT,
        next_offset=10,
        delay_s=0.5,
        topic_id="1f",
        lag=9,
        records=3,
        attempts=2,
    )
    other = replace(first, partition=1, next_offset=7)
    another = replace(first, topic="a", delay_s=float("inf"))
    write_watermarks(store, [first, other, another])
    later = replace(first, event_at=AT + timedelta(seconds=5), next_offset=12)
    write_watermarks(store, [later])
    assert read_watermarks(store) == [another, later, other]


def test_none_before_the_first(store: Store) -> None:
    write_watermarks(store, [])
    assert read_watermarks(store) == []
