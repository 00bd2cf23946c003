"""How fast calls go into the embedded engine with all their rollups, from Arrow batches as sparse traffic makes them.

`python -m benchmarks.bench_insert [--rows 600000] [--batch 100000] [--threads 1] [--views]`. The reference of each figure is
the same insert into a table like `calls` without any rollup, in the same run. Batches are made before the clock starts.
The figures named `…_per_cpu` are rows a second of processor time, merges included: they mean the same on a busy machine.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from benchmarks.sparse_calls import RATE, sparse_calls
from core.config import StoreSettings
from storage.bulk import bulk_insert
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from storage.recount import FOLLOWING
from storage.rollups import MODEL_1M
from tests.support.rollups import ROLLUP_TABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Of the clock on the wall, and of the processors."""

    wall: float
    processor: float


_FOLLOWING = {rollup.table for rollup, _ in FOLLOWING}
"""Rollups of what is written to MODEL_1M: without that one they count nothing."""
BARE = "CREATE TABLE calls_bare AS calls"


def main() -> None:
    parser = argparse.ArgumentParser(description="rows a second into calls and its rollups")
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--batch", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1, help="writers at once")
    parser.add_argument("--views", action="store_true", help="also each rollup alone")
    options = parser.parse_args()
    batches = make_batches(options.rows, options.batch)
    with fresh_store() as store:
        store.command(BARE)
        insert_all(store, "calls_bare", batches[:1], 1)  # the engine's threads and caches are warm from here on
        reference = insert_all(store, "calls_bare", batches, options.threads)
    report("insert_calls_bare", options.rows, reference, reference)
    report("insert_calls_with_rollups", options.rows, timed(batches, ROLLUP_TABLES, options.threads), reference)
    report("insert_calls_in_bulk", options.rows, timed(batches, ROLLUP_TABLES, options.threads, bulk=True), reference)
    for view in ROLLUP_TABLES if options.views else ():
        views = (view, MODEL_1M.table) if view in _FOLLOWING else (view,)
        report(f"insert_calls_with_{'_and_'.join(views)}", options.rows, timed(batches, views, options.threads), reference)


def make_batches(rows: int, batch: int) -> list[pa.Table]:
    """Batches that end now: older ones would fall to the second rollup's retention."""
    start = datetime.now(UTC) - timedelta(seconds=rows / RATE)
    return [sparse_calls(min(batch, rows - first), first, start=start) for first in range(0, rows, batch)]


def timed(batches: list[pa.Table], views: tuple[str, ...], threads: int, *, bulk: bool = False) -> Seconds:
    """How long all batches take into a new store in which only `views` follow the calls; `bulk` holds back merges."""
    with fresh_store() as store, bulk_insert(store) if bulk else nullcontext():
        for view in set(ROLLUP_TABLES) - set(views):
            store.command(f"DROP VIEW {view}_mv")
        return insert_all(store, "calls", batches, threads)


def insert_all(store: Store, table: str, batches: list[pa.Table], threads: int) -> Seconds:
    begun, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda batch: store.insert(table, batch, token=f"{table} {begun} {id(batch)}"), batches))
    return Seconds(wall=time.perf_counter() - begun, processor=time.process_time() - processor)


@contextmanager
def fresh_store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="tpscope-bench-") as folder:
        store = open_store(StoreSettings(url=f"chdb://{Path(folder) / 'store'}"), owner=True)
        try:
            migrate(store)
            yield store
        finally:
            store.close()


def report(name: str, rows: int, took: Seconds, reference: Seconds) -> None:
    share = reference.wall / took.wall
    print(f"{name:32} {rows / took.wall:12,.0f} rows/s   {share:6.1%} of the bare table   {took.processor:.1f} s of processors")
    print(f"RESULT name={name} value={rows / took.wall:.0f} unit=rows/s reference={rows / reference.wall:.0f}")
    per_cpu, reference_per_cpu = rows / took.processor, rows / reference.processor
    print(f"RESULT name={name}_per_cpu value={per_cpu:.0f} unit=rows/cpu-s reference={reference_per_cpu:.0f}", flush=True)


if __name__ == "__main__":
    main()
