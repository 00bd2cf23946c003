"""The embedded engine killed in the middle of inserts: writing the same batches again makes the table and all rollups whole."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.sparse_calls import sparse_calls
from core.config import StoreSettings
from storage.contract import Store
from storage.open import open_store
from tests.support.data import REPOSITORY
from tests.support.rollups import ROLLUP_TABLES
from tests.support.stores import lay_store

BATCHES, ROWS = 8, 12_000
COUNTED = {
    "calls": "count()",
    **dict.fromkeys(ROLLUP_TABLES, "sum(calls)"),
}
PROGRAM = """
import sys
from datetime import datetime
from core.config import StoreSettings
from storage.open import open_store
from tests.integration.test_embedded_crash import write
store = open_store(StoreSettings(url=sys.argv[1]), owner=True)
write(store, datetime.fromisoformat(sys.argv[2]), lambda number: print(number, flush=True))
"""


def write(store: Store, start: datetime, done: Callable[[int], None] = lambda number: None) -> None:
    """Every batch under its token."""
    for number in range(BATCHES):
        store.insert("calls", sparse_calls(ROWS, number * ROWS, start=start), token=f"crash/{number}")
        done(number)


@pytest.mark.parametrize("killed_after", [1, 3, 6])
def test_a_killed_owner_loses_and_doubles_nothing(tmp_path: Path, killed_after: int) -> None:
    url = f"chdb://{tmp_path / 'store'}"
    lay_store(tmp_path)
    start = (datetime.now(UTC) - timedelta(days=2)).replace(microsecond=0)
    command = [sys.executable, "-c", PROGRAM, url, start.isoformat()]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for number in range(killed_after):
            assert child.stdout.readline() == f"{number}\n"
        child.kill()  # it is at the next batch
    store = open_store(StoreSettings(url=url), owner=True)
    kept = int(store.arrow("SELECT count() AS n FROM calls").column("n")[0].as_py())
    assert kept >= killed_after * ROWS  # what was acknowledged is there
    write(store, start)
    for table, count in COUNTED.items():
        assert store.arrow(f"SELECT {count} AS n FROM {table}").to_pylist() == [{"n": BATCHES * ROWS}], table
    store.close()
