"""How fast past logs come into the embedded engine by `tpscope import`, from gzipped lines of JSON and from Parquet.

`python -m benchmarks.bench_import [--records 500000] [--formats ndjson.gz,parquet]`. Each import runs in a process of its own,
with the migrations applied before and every rollup on; its time goes from the start of that process's import to its report, its
memory is the process's peak. The reference is ClickHouse's own `INSERT INTO calls_bare SELECT … FROM file(…)` of the same file
into a table like `calls` without rollups. The figures named `…_per_cpu` are calls a second of processor time.
"""

import argparse
import gzip
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from benchmarks.call_records import call_records
from core.clock import SystemClock
from core.config import CardinalitySettings, StoreSettings
from core.record import RECORD_SCHEMA
from ingest.cardinality import build_guard
from ingest.formats import build_format
from ingest.importer import import_files
from storage.calls import count_calls
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from tpscope.memory import lean_memory

AT_ONCE = 100_000
FORMATS = ("ndjson.gz", "parquet")
RATE = 1000
"""Records a second of the file's own time."""


def main() -> None:
    parser = argparse.ArgumentParser(description="calls a second by `tpscope import`")
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--in-process", nargs=3, metavar=("WHAT", "FILE", "STORE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        in_process(*options.in_process)
        return
    with tempfile.TemporaryDirectory(prefix="tpscope-bench-") as folder:
        for name in options.formats.split(","):
            path = Path(folder) / f"calls.{name}"
            write_file(path, options.records)
            measure(name, path, options.records)
            path.unlink()


def write_file(path: Path, records: int) -> None:
    """The same records in either form; Parquet has the columns of a call record and a row group for each part."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=records / RATE)
    parts = (call_records(min(AT_ONCE, records - first), start=start, first=first) for first in range(0, records, AT_ONCE))
    if path.suffix == ".gz":
        with gzip.open(path, "wb", 6) as stream:
            for part in parts:
                stream.write(b"\n".join(part) + b"\n")
    else:
        format_ = build_format("tpscope", {})
        with pq.ParquetWriter(path, RECORD_SCHEMA) as writer:
            for part in parts:
                writer.write_table(format_.decode(part).rows)


def measure(name: str, path: Path, records: int) -> None:
    print(f"{name}: {records:,} calls, {path.stat().st_size / records:.0f} bytes each in the file", flush=True)
    reference = child("reference", path)
    took = child("import", path)
    assert took["calls"] == took["rolled_up"] == records, took
    rate, per_cpu = records / took["wall"], records / took["processor"]
    print(f"  {rate:,.0f} calls/s, {per_cpu:,.0f} a processor second, {took['peak_mib']:.0f} MiB at the peak")
    print(f"  the same file a second time: {took['again']:.1f} s, {took['written_again']} written")
    of_reference, of_reference_per_cpu = records / reference["wall"], records / reference["processor"]
    print(f"RESULT name=import format={name} value={rate:.0f} unit=calls/s reference={of_reference:.0f}")
    print(f"RESULT name=import_per_cpu format={name} value={per_cpu:.0f} unit=calls/cpu-s reference={of_reference_per_cpu:.0f}")
    print(f"RESULT name=import_peak_memory format={name} value={took['peak_mib']:.0f} unit=MiB", flush=True)


def child(what: str, path: Path) -> dict[str, float]:
    """Run `in_process` in a process of its own, over a store of its own."""
    with tempfile.TemporaryDirectory(prefix="tpscope-bench-") as folder:
        command = [sys.executable, "-m", "benchmarks.bench_import", "--in-process", what, str(path), folder]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        result: dict[str, float] = orjson.loads(found.stdout.splitlines()[-1])
        return result


def in_process(what: str, file: str, folder: str) -> None:
    """Import the file, or let ClickHouse read it; prints what that took as JSON."""
    # The reference reads the whole file in one statement.
    store = open_store(StoreSettings(url=f"chdb://{Path(folder) / 'store'}", query_timeout=timedelta(hours=1)), owner=True)
    migrate(store)
    format_ = build_format("tpscope", {})
    statement = reference_statement(store, file)
    wall, processor = time.perf_counter(), time.process_time()
    result: dict[str, float] = {}
    if what == "reference":
        store.command(statement)
    else:
        with lean_memory(store):  # as the command does
            report = import_files(store, [Path(file)], format_, SystemClock(), guard=build_guard(CardinalitySettings()))
        assert not report.problems, report.problems
    result["wall"], result["processor"] = time.perf_counter() - wall, time.process_time() - processor
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if what == "import":
        again = time.perf_counter()
        result["written_again"] = import_files(store, [Path(file)], format_, SystemClock()).written
        result["again"] = time.perf_counter() - again
        result["calls"] = count_calls(store)
        result["rolled_up"] = int(store.arrow("SELECT toInt64(sum(calls)) AS calls FROM route_1m").column("calls")[0].as_py())
    store.close()
    print(orjson.dumps(result).decode())


def reference_statement(store: Store, file: str) -> str:
    """ClickHouse's own way to read the file, into a table without rollups."""
    store.command("CREATE TABLE calls_bare AS calls")
    found = store.frame("SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'calls'")
    kinds = dict(zip(found["name"], found["type"], strict=True))
    structure = ", ".join(f"{name} {kinds[name]}" for name in RECORD_SCHEMA.names).replace("'", "\\'")
    columns = ", ".join(RECORD_SCHEMA.names)
    kind = "JSONEachRow" if file.endswith(".gz") else "Parquet"
    return (
        f"INSERT INTO calls_bare ({columns}) SELECT {columns} FROM file('{file}', {kind}, '{structure}') "
        "SETTINGS date_time_input_format = 'best_effort'"
    )


if __name__ == "__main__":
    main()
