"""How soon a call is to be seen: from when it is produced to when the minute rollups have it.

`python -m benchmarks.bench_freshness [--rate 20000] [--seconds 30] [--partitions 4]`. A process of its own produces call
records to a real Apache Kafka of this machine at that rate, each with the time at which it is produced; the consumer writes
them into the embedded engine, and every 50 ms the rollup is asked how many calls of each partition it has. The reference of
the P99 is the 2 seconds that it should stay below.
"""

import argparse
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import numpy as np

from benchmarks.bench_ingest import counted, fresh_store
from core.clock import SystemClock
from core.config import KafkaSettings, Settings
from ingest.consumer import Consumer
from ingest.formats import build_format
from ingest.intake import build_intake
from ingest.open_source import open_source
from storage.contract import Store
from tests.support.engines import EngineMissing
from tests.support.kafka_broker import KafkaBroker
from tpscope.memory import give_memory_back

TOPIC = "fresh"
LOOK_EVERY_S = 0.05
TICK_S = 0.01
LIMIT_MS = 2_000
BY_PARTITION = "SELECT gateway, toInt64(sum(calls)) AS calls FROM route_1m GROUP BY gateway"
PRODUCED = "SELECT gateway, toUnixTimestamp64Milli(ts) AS produced_ms FROM calls ORDER BY gateway, offset"

Looks = list[tuple[float, dict[str, int]]]
"""Times, and how many calls of each partition were visible then."""


def main() -> None:
    parser = argparse.ArgumentParser(description="time from produced to visible")
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--partitions", type=int, default=4)
    options = parser.parse_args()
    try:
        broker = KafkaBroker()
    except EngineMissing as missing:
        print(f"bench_freshness: not measured, {missing}")
        return
    give_memory_back()
    with broker, fresh_store() as store:
        broker.create_topic(TOPIC, options.partitions)
        looks = watch(store, broker.bootstrap, options.rate, options.seconds, options.partitions)
        delays = delays_ms(store, looks)
    for name, value in (("p50", np.quantile(delays, 0.5)), ("p99", np.quantile(delays, 0.99)), ("max", delays.max())):
        print(f"RESULT name=freshness_{name} rate={options.rate} value={value:.0f} unit=ms reference={LIMIT_MS}", flush=True)


def watch(store: Store, bootstrap: str, rate: int, seconds: int, partitions: int) -> Looks:
    """Consume while a child produces; what was visible when."""
    kafka = KafkaSettings(brokers=(bootstrap,), topic=TOPIC)
    intake = build_intake(Settings(kafka=kafka), build_format("tpscope", {}))
    consumer = Consumer(open_source(kafka), intake, store, kafka, SystemClock())
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    command = [
        sys.executable,
        "-m",
        "benchmarks.bench_freshness",
        "produce",
        bootstrap,
        str(rate),
        str(seconds),
        str(partitions),
    ]
    looks: Looks = []
    with subprocess.Popen(command) as producer:
        deadline = time.monotonic() + seconds + 60
        while producer.poll() is None or sum(looks[-1][1].values()) < rate * seconds:
            if time.monotonic() > deadline:
                producer.kill()
                sys.exit("bench_freshness: not all calls became visible in time")
            time.sleep(LOOK_EVERY_S)
            found = store.arrow(BY_PARTITION)
            visible = {row["gateway"]: row["calls"] for row in found.to_pylist()}
            looks.append((time.time() * 1000, visible))
    stop.set()
    thread.join()
    assert counted(store, "count()", "calls") == rate * seconds
    return looks


def delays_ms(store: Store, looks: Looks) -> np.ndarray:
    """Of every call, in milliseconds."""
    produced = store.frame(PRODUCED)
    times = np.array([at for at, _ in looks])
    delays = []
    for gateway, mine in produced.groupby("gateway", observed=True)["produced_ms"]:
        visible = np.array([seen.get(str(gateway), 0) for _, seen in looks])
        first_look = np.searchsorted(visible, np.arange(1, len(mine) + 1))
        delays.append(times[first_look] - mine.to_numpy())
    return np.concatenate(delays)


def produce(bootstrap: str, rate: int, seconds: int, partitions: int) -> None:
    """Produce steadily, a hundredth of a second's calls at a time."""
    from confluent_kafka import Producer

    from benchmarks.call_records import call_records

    bodies = [record.split(b",", 1)[1].replace(b'"gateway":"gw-', b'"was":"') for record in call_records(10_000)]
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    began, sent = time.monotonic(), 0
    while sent < rate * seconds:
        due = min(rate * seconds, int((time.monotonic() - began) * rate))
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for number in range(sent, due):
            at = number % partitions
            producer.produce(
                TOPIC, b'{"ts":"%s","gateway":"p%d",%s' % (now.encode(), at, bodies[number % len(bodies)]), partition=at
            )
        sent = due
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush(60)


if __name__ == "__main__":
    if sys.argv[1:2] == ["produce"]:
        produce(sys.argv[2], *map(int, sys.argv[3:6]))
    else:
        main()
