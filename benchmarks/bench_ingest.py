"""How fast records get from a Kafka topic into the embedded engine with all its rollups, end to end, in one process.

`python -m benchmarks.bench_ingest [--records 500000] [--partitions 4] [--batch 50000]`. The records are in the topic before the
clock starts, on a real Apache Kafka of this machine; it stops when the last offset is committed, which is after the write. The
references, from the same run: `ingest_kafka_only` is the same source without decoding or writing (all that kafka-python can
deliver), `ingest_decode_only` the format alone. `…_per_cpu` is records a second of this process's processor time.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kafka import KafkaProducer

from benchmarks.call_records import call_records
from core.clock import SystemClock
from core.config import KafkaSettings, StoreSettings
from ingest.batch import Partition
from ingest.consumer import Consumer
from ingest.formats import build_format
from ingest.kafka_source import KafkaSource
from storage.calls import count_calls
from storage.migrate import migrate
from storage.open import open_store
from tests.support.engines import EngineMissing
from tests.support.kafka_broker import KafkaBroker

TOPIC = "bench"
DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Of the clock on the wall, and of this process's processor time."""

    wall: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description="records a second from Kafka to rollups")
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--batch", type=int, default=50_000)
    options = parser.parse_args()
    try:
        broker = KafkaBroker()
    except EngineMissing as missing:
        print(f"bench_ingest: not measured, {missing}")
        return
    values = call_records(options.records, start=datetime.now(UTC) - timedelta(minutes=10))
    with broker:
        broker.create_topic(TOPIC, options.partitions)
        fill(broker.bootstrap, values, options.partitions)
        settings = KafkaSettings(brokers=(broker.bootstrap,), topic=TOPIC, batch_records=options.batch)
        kafka = timed(lambda: read_only(settings, options.records))
        decode = timed(lambda: decode_only(values, options.batch))
        ingest = timed_ingest(settings, options.records)
    report("ingest_kafka_only", options.records, kafka, kafka)
    report("ingest_decode_only", options.records, decode, decode)
    report("ingest_end_to_end", options.records, ingest, kafka)


def fill(bootstrap: str, values: list[bytes], partitions: int) -> None:
    """Put the values into the topic, in turn."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=50, batch_size=256 * 1024)
    for number, value in enumerate(values):
        producer.send(TOPIC, value, partition=number % partitions)
    producer.flush(timeout=120)
    producer.close(timeout=10)


def read_only(settings: KafkaSettings, records: int) -> None:
    """Poll the whole topic and do nothing with it."""
    source = KafkaSource(settings.model_copy(update={"group": "read-only"}))
    seen, deadline = 0, time.monotonic() + DEADLINE_S
    while seen < records:
        if time.monotonic() > deadline:
            sys.exit(f"bench_ingest: only {seen} of {records} records came within {DEADLINE_S:g} s")
        seen += sum(len(one.offsets) for one in source.poll(0.2, settings.batch_records).slices)
    source.close()


def decode_only(values: list[bytes], batch: int) -> None:
    """Decode the values in batches."""
    format_ = build_format("tpscope", {})
    for start in range(0, len(values), batch):
        format_.decode(values[start : start + batch])


def timed_ingest(settings: KafkaSettings, records: int) -> Seconds:
    """From the start of the consumer to the commit of the last offset."""
    with tempfile.TemporaryDirectory(prefix="tpscope-bench-") as folder:
        store = open_store(StoreSettings(url=f"chdb://{Path(folder) / 'store'}"), owner=True)
        migrate(store)
        source = _Counting(settings)
        consumer = Consumer(source, build_format("tpscope", {}), store, settings, SystemClock())
        stop = threading.Event()
        thread = threading.Thread(target=consumer.run, args=(stop,))

        def run() -> None:
            thread.start()
            if not source.reached(records):
                sys.exit(f"bench_ingest: not all of {records} records were committed within {DEADLINE_S:g} s")

        seconds = timed(run)
        stop.set()
        thread.join()
        rolled_up = int(store.arrow("SELECT toInt64(sum(calls)) AS calls FROM route_1m").column("calls")[0].as_py())
        assert count_calls(store) == rolled_up == records, (count_calls(store), rolled_up)
        store.close()
    return seconds


class _Counting(KafkaSource):
    """Tells when so many records have been committed."""

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self._offsets: dict[Partition, int] = {}
        self._changed = threading.Condition()

    def commit(self, next_offsets: Mapping[Partition, int]) -> bool:
        committed = super().commit(next_offsets)
        if committed:
            with self._changed:
                self._offsets.update(next_offsets)
                self._changed.notify_all()
        return committed

    def reached(self, records: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: sum(self._offsets.values()) >= records, DEADLINE_S)


def timed(run: Callable[[], object]) -> Seconds:
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return Seconds(wall=time.perf_counter() - wall, processor=time.process_time() - processor)


def report(name: str, records: int, seconds: Seconds, reference: Seconds) -> None:
    print(f"{name:20} {records / seconds.wall:>9,.0f} records/s, {records / seconds.processor:>9,.0f} a processor second")
    print(f"RESULT name={name} value={records / seconds.wall:.0f} unit=records/s reference={records / reference.wall:.0f}")
    rate, wanted = records / seconds.processor, records / reference.processor
    print(f"RESULT name={name}_per_cpu value={rate:.0f} unit=records/s reference={wanted:.0f}", flush=True)


if __name__ == "__main__":
    main()
