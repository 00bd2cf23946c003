"""A server that refuses inserts, cuts their connections in the middle, or does them without a word: repeats store each once."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

from benchmarks.sparse_calls import sparse_calls
from core.config import StoreSettings
from core.errors import StoreError, StoreUnavailable
from storage.migrate import migrate
from storage.open import open_store
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.native.faults import Fault, Faults
from tests.support.rollups import ROLLUP_TABLES

BATCHES, ROWS = 12, 200
SHARE, SEED = 0.6, "11"
COUNTED = {
    "calls": "count()",
    **dict.fromkeys(ROLLUP_TABLES, "sum(calls)"),
}


def test_every_fault_is_drawn() -> None:
    faults = Faults(SEED, SHARE)
    assert {faults.draw() for _ in range(30)} == set(Fault)


def test_inserts_through_all_faults_are_stored_once(own_clickhouse_native: ClickHouseNativeServer) -> None:
    server, start = own_clickhouse_native, datetime.now(UTC) - timedelta(hours=2)
    with closing(open_store(StoreSettings(url=server.url), owner=True)) as store:
        migrate(store)
    server.stop()
    server.faults = f"{SHARE}:{SEED}"
    server.start()
    refused = broken = 0
    with closing(open_store(StoreSettings(url=server.url, retries=0), owner=True)) as store:
        for number in range(BATCHES):
            batch = sparse_calls(ROWS, number * ROWS, start=start.replace(microsecond=0))
            for _ in range(50):
                try:
                    store.insert("calls", batch, token=f"faults/{number}")
                except StoreError as error:
                    refused += error.code == 1001
                except StoreUnavailable as error:
                    broken += "broke" in str(error)
                else:
                    break
        for table, count in COUNTED.items():
            assert store.arrow(f"SELECT {count} AS n FROM {table}").to_pylist() == [{"n": BATCHES * ROWS}], table
    assert min(refused, broken) > 2
