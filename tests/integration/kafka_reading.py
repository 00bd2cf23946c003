"""A source read by hand."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from kafka import KafkaProducer

from core.config import KafkaSettings
from ingest.batch import Partition
from ingest.open_source import open_source
from ingest.source import Assigned, Source
from tests.support.wait import wait_until

CLIENTS = ("kafka-python", "confluent")


def call(number: int, tenant: str = "a") -> bytes:
    """A call of now with its number as the request id."""
    now = datetime.now(UTC).isoformat()
    return orjson.dumps({"ts": now, "request_id": str(number), "tenant": tenant, "status": 200})


@dataclass(slots=True)
class Reader:
    """Polls a source and keeps what comes.

    Attributes
    ----------
    records : list of (topic, partition, offset, value)
    assigned : dict of Partition to Assigned
        What every partition was said to be when it came, the last time.
    """

    source: Source
    records: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    assigned: dict[Partition, Assigned] = field(default_factory=dict)

    def poll(self, max_records: int = 1000) -> None:
        polled = self.source.poll(0.1, max_records)
        self.assigned.update(polled.assigned)
        for piece in polled.pieces:
            found = piece.unpack()
            for offset, value in zip(found.offsets, found.values, strict=True):
                assert isinstance(value, bytes)
                self.records.append((*found.partition, int(offset), value))

    def poll_until(self, count: int, timeout_s: float = 60.0) -> list[tuple[str, int, int, bytes]]:
        """Everything so far, as soon as it is `count` records."""

        def complete() -> bool:
            self.poll()
            return len(self.records) >= count

        wait_until(complete, timeout_s, f"{count} records, of which {self.records[-3:]} are the last", step_s=0)
        assert len(self.records) == count
        return self.records

    def poll_assigned(self, count: int = 1, timeout_s: float = 60.0) -> None:
        """Return when `count` partitions have come."""

        def complete() -> bool:
            self.poll()
            return len(self.assigned) >= count

        wait_until(complete, timeout_s, f"{count} partitions", step_s=0)


@contextlib.contextmanager
def reading(settings: KafkaSettings) -> Iterator[Reader]:
    source = open_source(settings)
    try:
        yield Reader(source)
    finally:
        source.close()


@contextlib.contextmanager
def producing(bootstrap: str, **options: Any) -> Iterator[KafkaProducer]:
    """A producer that has written everything when the block ends."""
    with contextlib.closing(KafkaProducer(bootstrap_servers=bootstrap, **options)) as producer:
        yield producer
        producer.flush(timeout=30)
