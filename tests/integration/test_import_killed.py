"""An import that is killed in the middle, of a compressed file and of a table, and started again until it is done."""

import gzip
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.call_records import call_records
from ingest.formats import build_format
from storage.calls import count_calls
from tests.support.data import REPOSITORY
from tests.support.rollups import ROLLUP_TABLES
from tests.support.stores import chdb_store, lay_store

ROWS, CHUNK_ROWS, KILLS = 15_000, 1_000, 3


def as_lines(path: Path, values: list[bytes]) -> None:
    path.write_bytes(gzip.compress(b"\n".join(values), 1))


def as_table(path: Path, values: list[bytes]) -> None:
    pq.write_table(build_format("tpscope", {}).decode(values).rows, path, row_group_size=3_500)


@pytest.mark.parametrize(("name", "write"), [("calls.ndjson.gz", as_lines), ("calls.parquet", as_table)])
def test_a_killed_import_goes_on_and_writes_every_row_once(
    tmp_path: Path, name: str, write: Callable[[Path, list[bytes]], None]
) -> None:
    path, url = tmp_path / name, f"chdb://{tmp_path / 'store'}"
    write(path, call_records(ROWS))
    lay_store(tmp_path)
    command = [sys.executable, "-m", "tests.integration.ingest_child", "import", url, str(path), str(CHUNK_ROWS)]
    for _ in range(KILLS):
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(ROWS // CHUNK_ROWS // (KILLS + 2)):
                assert process.stdout.readline().startswith("chunk")
            process.kill()  # chunks are being written at this moment, by several threads
            assert process.wait(20) == -signal.SIGKILL
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    written, skipped, rejected = map(int, done.stdout.splitlines()[-1].split()[1:])
    assert written + skipped == ROWS
    assert rejected == 0
    assert skipped >= KILLS * CHUNK_ROWS
    with chdb_store(tmp_path) as store:
        assert count_calls(store) == ROWS
        for rollup in ROLLUP_TABLES:
            assert store.frame(f"SELECT toInt64(sum(calls)) AS calls FROM {rollup}").calls.tolist() == [ROWS], rollup
        distinct = store.frame("SELECT toInt64(uniqExact(offset)) AS rows FROM calls").rows.tolist()
        assert distinct == [ROWS]
