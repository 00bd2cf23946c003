"""Puts records into a topic before a benchmark's clock starts, quickly enough for millions of them."""

import subprocess
import sys
from datetime import datetime

from benchmarks.call_records import call_records

CHUNK = 100_000


def fill(bootstrap: str, topic: str, partitions: int, records: int, start: datetime, per_second: int) -> None:
    """Put `records` call records into the topic, in turn, from a process of its own, so that its memory is not counted."""
    numbers = [str(partitions), str(records), str(per_second)]
    command = [sys.executable, "-m", "benchmarks.producing", bootstrap, topic, start.isoformat(), *numbers]
    subprocess.run(command, check=True, timeout=1_800)


def _fill(bootstrap: str, topic: str, start: datetime, partitions: int, records: int, per_second: int) -> None:
    from confluent_kafka import Producer

    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 50, "batch.size": 256 * 1024, "queue.buffering.max.messages": 2 * CHUNK}
    )
    for first in range(0, records, CHUNK):
        count = min(CHUNK, records - first)
        values = call_records(count, start=start, first=first, per_second=per_second)
        for number, value in enumerate(values):
            producer.produce(topic, value, partition=(first + number) % partitions)
        producer.flush(120)


if __name__ == "__main__":
    _fill(sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3]), *map(int, sys.argv[4:]))
