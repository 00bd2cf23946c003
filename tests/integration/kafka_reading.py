"""A source read by hand, and what people do to Kafka's topics and groups."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

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

    def poll_until(self, count: int, timeout_s: float = 15.0) -> list[tuple[str, int, int, bytes]]:
        """Everything so far, as soon as it is `count` records."""

        def complete() -> bool:
            self.poll()
            return len(self.records) >= count

        wait_until(complete, timeout_s, f"{count} records, of which {self.records[-3:]} are the last", step_s=0)
        assert len(self.records) == count
        return self.records

    def poll_assigned(self, count: int = 1, timeout_s: float = 15.0) -> None:
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


def write(bootstrap: str, topic: str, values: Iterable[bytes | None], partition: int = 0, **options: Any) -> list[int]:
    """Write to one partition; returns the offsets."""
    with producing(bootstrap, **options) as producer:
        sent = [producer.send(topic, value, partition=partition) for value in values]
    return [one.get(timeout=10).offset for one in sent]


class Operator:
    """What an operator does; each returns when the broker has done it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    @contextlib.contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=self._bootstrap)) as admin:
            yield admin

    def create(self, topic: str, partitions: int = 1, **configs: str) -> None:
        with self._admin() as admin:
            admin.create_topics(
                {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": _dotted(configs)}},
                wait_for_metadata=True,
            )

    def delete(self, topic: str) -> None:
        with self._admin() as admin:
            admin.delete_topics([topic])
            wait_until(lambda: topic not in admin.list_topics(), 10, f"the end of {topic}")

    def add_partitions(self, topic: str, count: int) -> None:
        with self._admin() as admin:
            admin.create_partitions({topic: count})
            wait_until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == count, 10, "the partitions")

    def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        with self._admin() as admin:
            admin.delete_records({TopicPartition(topic, partition): before}, timeout_ms=10_000)

    def set_group(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        with self._admin() as admin:
            places = {TopicPartition(*at): OffsetAndMetadata(offset, "", -1) for at, offset in offsets.items()}
            answers = admin.alter_group_offsets(group, places)
            assert all(error.errno == 0 for error in answers.values()), answers

    def delete_group(self, group: str) -> None:
        with self._admin() as admin:
            answers = admin.delete_groups([group])
            assert set(answers.values()) == {"OK"}, answers


def _dotted(configs: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in configs.items()}


def now_ms() -> int:
    return time.time_ns() // 1_000_000
