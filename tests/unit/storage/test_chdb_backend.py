"""What is particular to the embedded engine: threads, limits, and the end."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.sparse_calls import sparse_calls
from core.config import StoreSettings
from core.errors import StoreError, StoreUnavailable
from storage.contract import Params, Store
from storage.open import open_store
from tests.support.rollups import ROLLUP_TABLES
from tests.support.stores import chdb_store
from tests.support.wait import wait_until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with chdb_store(tmp_path) as opened:
        yield opened


def test_statements_run_side_by_side(store: Store) -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(store.command, ["SELECT sleep(0.5)"] * 6))
    assert time.monotonic() - begun < 2.0  # one after the other they take 3 s


def test_eight_threads_at_once_get_right_answers_and_lose_nothing(store: Store) -> None:
    """Inserts with repeats, queries, and queries that fail half way, all on one directory."""
    batches = [sparse_calls(500, 500 * number, start=datetime.now(UTC) - timedelta(hours=1)) for number in range(10)]
    until = time.monotonic() + 3.0
    written = [0] * 3
    asked = [0] * 5

    def write(thread: int) -> None:
        while time.monotonic() < until:
            batch = batches[written[thread] % len(batches)]
            for _ in range(2):
                store.insert("calls", batch, token=f"{thread}/{written[thread]}")
            written[thread] += 1

    def ask(thread: int) -> None:
        while time.monotonic() < until:
            sql = "SELECT {a:UInt64} AS a, {b:String} AS b, sum(calls) AS calls FROM route_1m WHERE service = {s:String}"
            given: Params = {"a": asked[thread], "b": f"thread {thread}", "s": f"service-{thread % 4}"}
            row = store.arrow(sql, given).to_pylist()[0]
            assert (row["a"], row["b"]) == (given["a"], given["b"])
            with pytest.raises(StoreError) as refused:
                store.arrow("SELECT number AS n, throwIf(number = 3000) AS t FROM numbers(10000) SETTINGS max_block_size = 100")
            assert refused.value.code == 395
            asked[thread] += 1

    with ThreadPoolExecutor(8) as threads:
        work = [threads.submit(write, number) for number in range(3)] + [threads.submit(ask, number) for number in range(5)]
        for one in work:
            one.result()
    assert min(written) > 0
    assert min(asked) > 0
    rows = sum(written) * 500
    assert store.arrow("SELECT count() AS n FROM calls").to_pylist() == [{"n": rows}]
    for name in ROLLUP_TABLES:
        assert store.arrow(f"SELECT sum(calls) AS n FROM {name}").to_pylist() == [{"n": rows}], name


def test_an_insert_makes_one_part_for_each_day(store: Store) -> None:
    """More rows than ClickHouse puts into one block by itself: with several blocks a token would cover only the first."""
    rows = 1_200_000
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    moments = pa.array([start, start + 86_400_000] * (rows // 2)).cast(pa.timestamp("ms", tz="UTC"))
    batch = pa.table({"ts": moments, "ingested_at": moments, "topic": ["import:x"] * rows, "offset": pa.array(range(rows))})
    for _ in range(2):
        store.insert("calls", batch, token="large")
    parts = """SELECT partition, count() AS parts, sum(rows) AS rows FROM system.parts WHERE table = 'calls' AND active
    GROUP BY partition ORDER BY partition"""
    assert store.arrow(parts).to_pylist() == [
        {"partition": "20260101", "parts": 1, "rows": rows // 2},
        {"partition": "20260102", "parts": 1, "rows": rows // 2},
    ]
    assert store.arrow("SELECT sum(calls) AS n FROM route_1m").to_pylist() == [{"n": rows}]


def test_memory_is_limited(tmp_path: Path) -> None:
    store = open_store(StoreSettings(url=f"chdb://{tmp_path}", max_memory="1024MiB"), owner=True)
    with pytest.raises(StoreUnavailable, match=r"^store: .*memory limit exceeded"):
        store.arrow("SELECT length(groupArray(number)) AS n FROM numbers(1000000000)")
    assert store.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    store.close()


def test_time_is_limited(tmp_path: Path) -> None:
    store = open_store(StoreSettings(url=f"chdb://{tmp_path}", query_timeout=timedelta(seconds=0.5)), owner=True)
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match="Timeout exceeded"):
        store.arrow("SELECT count() AS n FROM numbers(1000000000000) WHERE sipHash64(number) = 0")
    assert time.monotonic() - begun < 10
    store.close()


def test_closing_waits_for_what_runs_and_frees_the_directory(tmp_path: Path) -> None:
    store = open_store(StoreSettings(url=f"chdb://{tmp_path}"), owner=True)
    store.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
    answers: list[int] = []

    def slow() -> None:
        answers.append(store.arrow("SELECT count() AS n FROM numbers(5) WHERE sleepEachRow(0.1) = 0").num_rows)

    thread = threading.Thread(target=slow)
    thread.start()
    running = "SELECT count() AS n FROM system.processes WHERE query LIKE '%sleepEach%' AND query NOT LIKE '%processes%'"
    wait_until(lambda: bool(store.arrow(running).column("n")[0].as_py()), 60, "the slow query's start")
    store.close()
    store.close()
    thread.join(10)
    assert answers == [1]
    with pytest.raises(StoreUnavailable, match="closed"):
        store.arrow("SELECT 1 AS one")
    again = open_store(StoreSettings(url=f"chdb://{tmp_path}"), owner=True)
    assert again.arrow("SELECT count() AS n FROM t").num_rows == 1
    again.close()
