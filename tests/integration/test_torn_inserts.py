"""An insert that is killed between any two of its steps in the embedded engine: its repeat makes every table whole."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.sparse_calls import sparse_calls
from core.config import StoreSettings
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from storage.torn_inserts import forget_torn_inserts
from tests.integration.crash_child import ROWS, TOKEN
from tests.support.data import REPOSITORY
from tests.support.rollups import ROLLUP_TABLES

COUNTED = {
    "calls": "count()",
    **dict.fromkeys(ROLLUP_TABLES, "sum(calls)"),
}
START = (datetime.now(UTC) - timedelta(hours=6)).replace(microsecond=0)


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    store = open_store(StoreSettings(url=f"chdb://{folder}"), owner=True)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one batch."""
    folder = tmp_path_factory.mktemp("torn") / "store"
    with opened(folder) as store:
        migrate(store)
        store.insert("calls", sparse_calls(ROWS, 0, start=START), token="crash/0")
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store", symlinks=True))


def counts(store: Store) -> dict[str, int]:
    return {table: int(store.arrow(f"SELECT {sql} AS n FROM {table}").column("n")[0].as_py()) for table, sql in COUNTED.items()}


def table_folder(store: Store, table: str) -> Path:
    sql = "SELECT data_paths[1] AS path FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"
    return Path(str(store.arrow(sql, {"name": table}).column("path")[0].as_py()))


@pytest.mark.parametrize("table", COUNTED)
def test_a_token_whose_rows_did_not_come_is_forgotten(folder: Path, table: str) -> None:
    batch = sparse_calls(ROWS, ROWS, start=START)
    with opened(folder) as store:
        store.command(f"SYSTEM STOP MERGES {table}")
        store.insert("calls", batch, token=TOKEN)
        place = table_folder(store, table)
    # What a kill leaves between the token's note and the part's rename: the note is there, the part is not.
    newest = max(place.glob("*_*_*_0"), key=lambda part: int(part.name.split("_")[1]))
    shutil.rmtree(newest)
    with opened(folder) as store:
        assert counts(store) == {name: ROWS * (1 if name == table else 2) for name in COUNTED}
        for _ in range(2):
            store.insert("calls", batch, token=TOKEN)
            assert counts(store) == dict.fromkeys(COUNTED, 2 * ROWS)


def test_a_note_that_was_cut_short_is_no_obstacle(folder: Path) -> None:
    with opened(folder) as store:
        log = table_folder(store, "calls") / "deduplication_logs" / "deduplication_log_1.txt"
    notes = log.read_bytes()
    log.write_bytes(notes + b"1\t202611")
    with opened(folder) as store:
        store.insert("calls", sparse_calls(ROWS, 0, start=START), token="crash/0")
        assert counts(store) == dict.fromkeys(COUNTED, ROWS)
    assert log.read_bytes().startswith(notes)


def test_what_came_to_its_end_is_remembered(folder: Path) -> None:
    with opened(folder) as store:
        store.insert("calls", sparse_calls(ROWS, ROWS, start=START), token=TOKEN)
        for table in COUNTED:
            store.command(f"OPTIMIZE TABLE {table} FINAL")  # the noted part is within a merged one now
    assert forget_torn_inserts(folder / "clickhouse") == 0
    with opened(folder) as store:
        store.insert("calls", sparse_calls(ROWS, ROWS, start=START), token=TOKEN)
        assert counts(store) == dict.fromkeys(COUNTED, 2 * ROWS)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that kills before a system call."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler on Linux")
    library = tmp_path_factory.mktemp("points") / "points.so"
    source = REPOSITORY / "tests" / "support" / "crash" / "points.c"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True, timeout=60)
    return library


def insert_in_a_child(folder: Path, library: Path, kill_at: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.integration.crash_child", f"chdb://{folder}", START.isoformat(), str(kill_at)]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.soak
def test_an_insert_that_is_killed_before_any_of_its_system_calls(template: Path, points: Path, tmp_path: Path) -> None:
    def copy(number: int) -> Path:
        return Path(shutil.copytree(template, tmp_path / str(number), symlinks=True))

    counted = insert_in_a_child(copy(0), points, 0)
    calls = int(counted.stdout)
    assert calls > 50, "the engine's system calls are not seen"
    killed = 0
    for number in range(1, calls + 1):
        folder = copy(number)
        killed += insert_in_a_child(folder, points, number).returncode == -signal.SIGKILL
        with opened(folder) as store:
            store.insert("calls", sparse_calls(ROWS, ROWS, start=START), token=TOKEN)
            assert counts(store) == dict.fromkeys(COUNTED, 2 * ROWS), f"killed before system call {number} of {calls}"
        shutil.rmtree(folder)
    assert killed > calls * 0.9  # a merge in between makes a few more or fewer
