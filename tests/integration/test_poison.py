"""Rows that the store itself refuses: they are told from their batch, which is written without them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import StoreError
from ingest.batch import Batch, Partition, Slice
from ingest.formats import build_format
from ingest.writer import BatchWriter, Prepared, prepare
from storage.contract import Store
from storage.dead_letters import read_dead_letters
from storage.migrate import migrate
from tests.support.stores import chdb_store
from tests.unit.ingest.builders import encoded, record

AT = Partition("calls", 2)
REFUSAL = "ALTER TABLE calls ADD CONSTRAINT no_poison CHECK tenant != 'poison'"


def batch(count: int, poisoned: set[int], first: int = 50) -> Prepared:
    now = datetime.now(UTC).isoformat()
    values = encoded(*(record(ts=now, tenant="poison" if place in poisoned else "fine") for place in range(count)))
    slices = (Slice(partition=AT, offsets=range(first, first + count), values=values),)
    return prepare(Batch(slices=slices, name=f"calls:2:id:{first}-{first + count - 1}"), build_format("tpscope", {}))


def counts(store: Store) -> list[int]:
    return [
        int(store.frame(f"SELECT toInt64({what}) AS calls FROM {table}").calls[0])
        for what, table in (("count()", "calls"), ("uniqExact(offset)", "calls"), ("sum(calls)", "tenant_1m"))
    ]


def test_refused_rows_are_dead_letters_and_the_others_are_written_once(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        migrate(store)
        store.command(REFUSAL)
        writer = BatchWriter(store=store, clock=SystemClock(), dead_letter_bytes=1000)
        prepared = batch(100, {7, 8, 99})
        for _ in range(2):  # after a crash the batch comes again
            writer.write(prepared)
            assert counts(store) == [97, 97, 97]
            letters = read_dead_letters(store, 10)
            assert sorted((one.partition, one.offset, one.reason) for one in letters) == [
                (2, offset, "refused") for offset in (57, 58, 149)
            ]
            assert all(b"poison" in one.payload and "no_poison" in one.detail for one in letters)


def test_rows_that_a_view_refuses_after_the_calls_have_them_are_not_stored_twice(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        migrate(store)
        store.command("CREATE TABLE own (tenant String, n UInt8) ENGINE = MergeTree ORDER BY n")
        store.command(
            "CREATE MATERIALIZED VIEW own_mv TO own AS "
            "SELECT tenant, throwIf(tenant = 'poison' AND sleep(0.3) = 0) AS n FROM calls"
        )
        writer = BatchWriter(store=store, clock=SystemClock(), dead_letter_bytes=1000)
        prepared = batch(100, {7})
        for _ in range(2):
            with pytest.raises(StoreError):
                writer.write(prepared)
        assert counts(store)[:2] == [100, 100]
        store.command("DROP VIEW own_mv")  # the operator has read what the log says
        writer.write(prepared)
        assert counts(store) == [100, 100, 100]
        assert read_dead_letters(store, 10) == []


def test_a_refusal_that_no_row_is_at_fault_for_stays_one(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        migrate(store)
        store.command("DROP TABLE calls")
        writer = BatchWriter(store=store, clock=SystemClock(), dead_letter_bytes=1000)
        with pytest.raises(StoreError, match="calls"):
            writer.write(batch(4, set()))
        assert read_dead_letters(store, 10) == []
