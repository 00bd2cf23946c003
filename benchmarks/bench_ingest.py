"""How fast records get from a Kafka topic into the embedded engine with all its rollups, each exactly once, in one process.

`python -m benchmarks.bench_ingest [--records 1000000] [--partitions 4] [--client kafka-python]`; the figures in
docs/benchmarks.md are of 10,000,000 records. The records (22 fields, about 480 bytes, 5,000 combinations of dimensions) are in
the topic of a real Apache Kafka of this machine before the clock starts; it stops when all of them can be queried from the
calls and every rollup has the same count. Broker, consumer and engine share the machine.

The reference, from the same run, is ClickHouse's own `INSERT … SELECT FROM file(…, JSONEachRow)` of the same records, or of the
first million of them, into a table like `calls` without rollups.
"""

import argparse
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.call_records import call_records
from benchmarks.producing import fill
from core.clock import SystemClock
from core.config import KafkaSettings, Settings, StoreSettings
from ingest.consumer import Consumer
from ingest.formats import build_format
from ingest.intake import build_intake
from ingest.open_source import open_source
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from tests.support.engines import EngineMissing
from tests.support.kafka_broker import KafkaBroker
from tests.support.rollups import ROLLUP_TABLES
from tpscope.memory import MemoryKeeper, collect_less_often, give_memory_back

TOPIC = "bench"
REFERENCE_RECORDS = 1_000_000
DEADLINE_S = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Of the clock on the wall, and of this process's processor time."""

    wall: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description="calls a second from Kafka to rollups")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--per-second", type=int, default=100_000, help="calls in a second of the gateways' time")
    parser.add_argument("--batch", type=int, default=KafkaSettings().batch_records)
    parser.add_argument("--client", choices=("kafka-python", "confluent"), default="kafka-python")
    options = parser.parse_args()
    try:
        broker = KafkaBroker()
    except EngineMissing as missing:
        print(f"bench_ingest: not measured, {missing}")
        return
    give_memory_back()  # as the service does at its start
    collect_less_often()
    with broker:
        broker.create_topic(TOPIC, options.partitions)
        start = datetime.now(UTC) - timedelta(seconds=options.records / options.per_second)
        fill(broker.bootstrap, TOPIC, options.partitions, options.records, start, options.per_second)
        settings = KafkaSettings(brokers=(broker.bootstrap,), topic=TOPIC, batch_records=options.batch, client=options.client)
        with fresh_store() as store:
            took, peak_mib = ingest(store, settings, options.records)
            settle(store)
            disk = bytes_on_disk(store) / options.records
    reference = from_file(min(options.records, REFERENCE_RECORDS), start, options.per_second)
    rate = options.records / took.wall
    print(f"{options.client}: {rate:,.0f} calls/s, {took.processor / options.records * 1e6:.1f} µs of processors each")
    print(
        f"RESULT name=ingest client={options.client} value={rate:.0f} unit=calls/s reference={reference:.0f} "
        f"ratio={rate / reference:.2f}"
    )
    print(f"RESULT name=ingest_peak_memory client={options.client} value={peak_mib:.0f} unit=MiB reference=1536")
    print(f"RESULT name=ingest_disk client={options.client} value={disk:.1f} unit=bytes/call reference={mean_bytes():.0f}")


def ingest(store: Store, settings: KafkaSettings, records: int) -> tuple[Seconds, float]:
    """From the start of the consumer until every record can be queried, in every rollup; and the peak of memory until then."""
    intake = build_intake(Settings(kafka=settings), build_format("tpscope", {}))
    consumer = Consumer(open_source(settings), intake, store, settings, SystemClock())
    stop = threading.Event()
    threads = [threading.Thread(target=run, args=(stop,)) for run in (consumer.run, MemoryKeeper(store).run)]
    wall, processor = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    try:
        while counted(store, "count()", "calls") < records:
            if not threads[0].is_alive() or time.perf_counter() - wall > DEADLINE_S:
                sys.exit(f"bench_ingest: not all of {records} records were written")
            time.sleep(0.2)
        seconds = Seconds(wall=time.perf_counter() - wall, processor=time.process_time() - processor)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before counting, which takes memory, too
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    distinct = counted(store, "uniqExact(partition, offset)", "calls")
    totals = {table: counted(store, "sum(calls)", table) for table in ROLLUP_TABLES} | {
        "calls": counted(store, "count()", "calls")
    }
    assert distinct == records, distinct
    assert set(totals.values()) == {records}, totals
    return seconds, peak_mib


def from_file(records: int, start: datetime, per_second: int) -> float:
    """Calls a second of ClickHouse's own reader of the same records, without rollups."""
    with tempfile.TemporaryDirectory(prefix="tpscope-bench-") as folder, fresh_store() as store:
        path = Path(folder) / "calls.ndjson"
        path.write_bytes(b"\n".join(call_records(records, start=start, per_second=per_second)))
        store.command("CREATE TABLE calls_bare AS calls")
        began = time.perf_counter()
        store.command(
            f"INSERT INTO calls_bare ({fields(store, path)}) SELECT * FROM file('{path}', JSONEachRow) "
            "SETTINGS date_time_input_format = 'best_effort', input_format_null_as_default = 1"
        )
        took = time.perf_counter() - began
        assert counted(store, "count()", "calls_bare") == records
    return records / took


def fields(store: Store, path: Path) -> str:
    """The columns of the file, in its order."""
    described = store.frame(f"DESCRIBE file('{path}', JSONEachRow)")
    return ", ".join(described["name"])


def mean_bytes() -> float:
    """Bytes of a record as JSON."""
    sample = call_records(10_000)
    return sum(map(len, sample)) / len(sample)


def settle(store: Store) -> None:
    """Merge what there is into one part a partition."""
    store.command("OPTIMIZE TABLE calls FINAL")


def bytes_on_disk(store: Store) -> int:
    return counted(store, "sum(bytes_on_disk)", "system.parts WHERE active AND database = currentDatabase()")


def counted(store: Store, what: str, table: str) -> int:
    return int(store.arrow(f"SELECT toInt64({what}) AS found FROM {table}").column("found")[0].as_py())


@contextmanager
def fresh_store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="tpscope-bench-") as folder:
        store = open_store(StoreSettings(url=f"chdb://{Path(folder) / 'store'}"), owner=True)
        try:
            migrate(store)
            yield store
        finally:
            store.close()


if __name__ == "__main__":
    main()
