"""History is written without merges, which then catch up."""

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.sparse_calls import sparse_calls
from storage.bulk import MERGED_TABLES, MOST_PARTS, HeldMerges, bulk_insert
from storage.calls import insert_calls
from storage.contract import Store
from tests.support.wait import wait_until

PARTS = "SELECT count() AS n FROM system.parts WHERE active AND table = 'tenant_1m' AND database = currentDatabase()"
BATCHES = 30  # ClickHouse merges far fewer parts than these at once


def parts(store: Store) -> int:
    return int(store.arrow(PARTS).column("n")[0].as_py())


def most_parts(store: Store) -> int:
    """Of one table and day, whichever has most: what is looked at."""
    return int(store.arrow(MOST_PARTS, {"tables": list(MERGED_TABLES)}).column("parts")[0].as_py())


def fill(store: Store, name: str) -> None:
    start = datetime.now(UTC) - timedelta(minutes=10)
    for number in range(BATCHES):
        insert_calls(store, sparse_calls(20, 20 * number, start=start), token=f"{name}/{number}")


def test_merges_wait_for_the_end_of_the_block(store: Store) -> None:
    with bulk_insert(store):
        fill(store, "bulk")
        assert parts(store) >= BATCHES
    wait_until(lambda: parts(store) < BATCHES, 60, "a merge")
    assert store.arrow("SELECT sum(calls) AS n FROM tenant_1m").to_pylist() == [{"n": BATCHES * 20}]


def test_merges_go_on_after_a_failure(store: Store) -> None:
    def broken_off() -> None:
        with bulk_insert(store):
            fill(store, "broken")
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        broken_off()
    wait_until(lambda: parts(store) < BATCHES, 60, "a merge")


def test_where_parts_become_too_many_merges_go_on_until_they_are_few(store: Store) -> None:
    merges = HeldMerges(store, too_many=BATCHES - 1, few=BATCHES)
    merges.hold()
    try:
        fill(store, "many")
        assert parts(store) >= BATCHES
        merges.look()
        wait_until(lambda: most_parts(store) < BATCHES, 60, "merges of every table")
        merges.look()
        fill(store, "more")
        assert parts(store) >= BATCHES
    finally:
        merges.release()
