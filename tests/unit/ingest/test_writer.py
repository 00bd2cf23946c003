"""What is written of a batch, and what a repeat leaves alone."""

from datetime import timedelta

import pytest

from core.clock import FakeClock
from core.errors import StoreUnavailable
from core.record import CALL_SCHEMA
from core.types import Watermark
from ingest.batch import Batch, Partition, Slice
from ingest.formats import build_format
from ingest.writer import BatchWriter, prepare
from tests.unit.ingest.builders import NOON, encoded, record
from tests.unit.ingest.fake_store import FakeStore

FORMAT = build_format("tpscope", {})
P0, P1 = Partition("calls", 0), Partition("calls", 1)


def batch(*seconds: float, partition: Partition = P0, first: int = 0) -> Batch:
    values = encoded(*(record(ts=NOON.timestamp() + second) for second in seconds))
    return Batch(slices=(Slice(partition=partition, offsets=range(first, first + len(values)), values=values),))


def writer(store: FakeStore, clock: FakeClock) -> BatchWriter:
    return BatchWriter(store=store, clock=clock, dead_letter_bytes=100)


def marks(seconds: tuple[float, ...], store: FakeStore | None = None) -> tuple[Watermark, ...]:
    return writer(store or FakeStore(), FakeClock(NOON)).write(prepare(batch(*seconds), FORMAT))


def test_rows_have_the_schema_of_calls_and_each_its_own_coordinates() -> None:
    store = FakeStore()
    slices = (
        Slice(partition=P1, offsets=[5, 9], values=encoded(record(request_id="a"), record(request_id="b"))),
        Slice(partition=P0, offsets=[3, 4], values=[b"x", *encoded(record(request_id="c"))]),
        Slice(partition=P1, offsets=[11], values=encoded(record(request_id="d"))),
    )
    writer(store, FakeClock(NOON)).write(prepare(Batch(slices=slices), FORMAT))
    (table,) = store.tables["calls"]
    assert table.schema == CALL_SCHEMA
    found = [(row["partition"], row["offset"], row["request_id"]) for row in table.to_pylist()]
    assert found == [(1, 5, "a"), (1, 9, "b"), (0, 4, "c"), (1, 11, "d")]
    assert table.column("ingested_at").to_pylist() == [NOON] * 4
    (letter,) = store.rows("dead_letters")
    assert (letter["partition"], letter["offset"], letter["received_at"]) == (0, 3, NOON)


def test_a_repeat_completes_what_was_written_in_part() -> None:
    store, clock = FakeStore(), FakeClock(NOON)
    prepared = prepare(batch(-1, -2), FORMAT)
    store.failures = [StoreUnavailable("store: gone")]
    target = writer(store, clock)
    with pytest.raises(StoreUnavailable):
        target.write(prepared)
    clock.advance(timedelta(seconds=30))
    target.write(prepared)
    target.write(prepared)
    assert store.offsets() == [0, 1]
    assert {row["ingested_at"] for row in store.rows("calls")} == {NOON + timedelta(seconds=30)}


def test_a_watermark_is_the_newest_call_and_the_delay_its_95th_percentile() -> None:
    (mark,) = marks((-10, -20, -30))
    assert (mark.topic, mark.partition, mark.next_offset) == ("calls", 0, 3)
    assert (mark.event_at, mark.arrived_at) == (NOON - timedelta(seconds=10), NOON)
    assert mark.delay_s == pytest.approx(29.0)


def test_a_watermark_does_not_go_back_even_after_a_restart() -> None:
    store = FakeStore()
    marks((-10,), store)
    (mark,) = marks((-40,), store)
    assert mark.event_at == NOON - timedelta(seconds=10)
    assert mark.delay_s == pytest.approx(40.0)


def test_a_gateways_clock_that_runs_ahead_does_not_move_the_watermark_past_the_present() -> None:
    (mark,) = marks((86_400,))
    assert mark.event_at == NOON
    assert mark.delay_s == 0


def test_each_partition_has_its_own_watermark() -> None:
    both = Batch(slices=(*batch(-10, first=7).slices, *batch(-50, -60, partition=P1).slices))
    found = writer(FakeStore(), FakeClock(NOON)).write(prepare(both, FORMAT))
    assert [(one.partition, one.event_at, one.next_offset) for one in found] == [
        (0, NOON - timedelta(seconds=10), 8),
        (1, NOON - timedelta(seconds=50), 2),
    ]


def test_without_a_valid_record_there_is_no_watermark() -> None:
    store = FakeStore()
    rubbish = Batch(slices=(Slice(partition=P0, offsets=[0], values=[b"x"]),))
    assert writer(store, FakeClock(NOON)).write(prepare(rubbish, FORMAT)) == ()
    assert "calls" not in store.tables
    assert "watermarks" not in store.tables


def test_rows_of_tables_are_kept_as_json_when_they_cannot_be_read() -> None:
    store = FakeStore()
    odd = Batch(slices=(Slice(partition=P0, offsets=[0, 1], values=[{"ts": "?", "x": "\udcff"}, {"ts": NOON, "status": -1}]),))
    BatchWriter(store=store, clock=FakeClock(NOON), dead_letter_bytes=100).write(prepare(odd, FORMAT, "old.csv"))
    payloads = [row["payload"] for row in store.rows("dead_letters")]
    assert payloads == [b"{'ts': '?', 'x': '\\udcff'}", b'{"ts":"2025-03-01T12:00:00+00:00","status":-1}']
    assert [str(row["detail"])[:12] for row in store.rows("dead_letters")] == ["old.csv: ts:", "old.csv: sta"]
