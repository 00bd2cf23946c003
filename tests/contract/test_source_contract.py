"""What every source promises, run over the topic in memory, Apache Kafka and the demo's embedded broker."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from core.config import KafkaSettings
from ingest.batch import Partition
from ingest.memory_source import MemorySource
from ingest.open_source import open_source
from ingest.plan import Progress
from ingest.source import Source
from tests.integration.ingesting import kafka_settings
from tests.support.topics import produce
from tests.support.wait import wait_until

PARTITIONS = 2
BROKERS = [
    pytest.param("kafka", marks=pytest.mark.kafka),
    pytest.param("kafka confluent", marks=pytest.mark.kafka),
    pytest.param("tansu", marks=pytest.mark.tansu),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic of the test's own: how to write to it and how to read it as a member of one group."""

    name: str
    append: Callable[[list[bytes]], None]
    source: Callable[[], Source]

    def at(self, partition: int) -> Partition:
        return Partition(self.name, partition)


@pytest.fixture(params=["memory", *BROKERS])
def topic(request: pytest.FixtureRequest, unique_name: Callable[[str], str]) -> Topic:
    name = unique_name("contract")
    if request.param != "memory":
        return on_broker(request, name)
    memory = MemorySource(name, PARTITIONS)

    def append(values: list[bytes]) -> None:
        for number in range(PARTITIONS):
            memory.append(values[number::PARTITIONS], number)

    return Topic(name=name, append=append, source=lambda: memory)


@pytest.fixture(params=BROKERS)
def shared_topic(request: pytest.FixtureRequest, unique_name: Callable[[str], str]) -> Topic:
    """For what takes several members, which the topic in memory does not have."""
    return on_broker(request, unique_name("contract"))


def on_broker(request: pytest.FixtureRequest, name: str) -> Topic:
    name_of_broker, _, client = request.param.partition(" ")
    broker = request.getfixturevalue(f"{name_of_broker}_broker")
    broker.create_topic(name, PARTITIONS)
    settings: KafkaSettings = kafka_settings(broker.bootstrap, name, session_timeout="6s", client=client or "kafka-python")
    return Topic(
        name=name,
        append=lambda values: produce(broker.bootstrap, name, values, PARTITIONS),
        source=lambda: open_source(settings),
    )


@pytest.fixture
def source(topic: Topic) -> Iterator[Source]:
    opened = topic.source()
    yield opened
    opened.close()


def read(source: Source, count: int, max_records: int = 1000) -> dict[Partition, list[tuple[int, bytes]]]:
    """Poll until `count` records have come."""
    found: dict[Partition, list[tuple[int, bytes]]] = {}

    def complete() -> bool:
        for piece in source.poll(0.1, max_records).pieces:
            one = piece.unpack()
            assert (one.first, one.last) == (piece.first, piece.last)
            values = [value for value in one.values if isinstance(value, bytes)]
            assert 0 < sum(map(len, values)) == one.size_bytes <= piece.size_bytes
            found.setdefault(one.partition, []).extend(zip([int(offset) for offset in one.offsets], values, strict=True))
        return sum(map(len, found.values())) >= count

    wait_until(complete, 60, f"{count} records", step_s=0)
    return found


def test_records_come_in_order_with_their_offsets(topic: Topic, source: Source) -> None:
    topic.append([b"%d" % number for number in range(20)])
    assert read(source, 20, max_records=7) == {
        topic.at(number): [(offset, b"%d" % (offset * PARTITIONS + number)) for offset in range(10)] for number in range(2)
    }


def test_a_poll_returns_in_its_time_when_nothing_comes(topic: Topic, source: Source) -> None:
    topic.append([b"x"] * 2)
    read(source, 2)
    assert source.poll(0.2, 100).pieces == ()


def test_without_room_nothing_comes_and_afterwards_everything(topic: Topic, source: Source) -> None:
    topic.append([b"x"] * 4)
    read(source, 4)
    topic.append([b"y"] * 6)
    for _ in range(5):
        assert source.poll(0.1, 0).pieces == ()
    found = read(source, 6)
    assert {at: [offset for offset, _ in records] for at, records in found.items()} == {
        topic.at(0): [2, 3, 4],
        topic.at(1): [2, 3, 4],
    }


def test_lag_is_what_has_not_been_polled(topic: Topic, source: Source) -> None:
    topic.append([b"x"] * 10)
    read(source, 10)
    none = {topic.at(0): 0, topic.at(1): 0}
    wait_until(lambda: source.poll(0.05, 10) is not None and source.lag() == none, 60, "no lag", step_s=0)


def test_reading_goes_on_from_the_commit_after_a_restart(shared_topic: Topic) -> None:
    topic = shared_topic
    topic.append([b"x"] * 10)
    first = topic.source()
    read(first, 10)
    assert first.commit({topic.at(0): Progress(offset=3), topic.at(1): Progress(offset=5)})
    first.close()
    second = topic.source()
    try:
        found = read(second, 2)
        assert {at: [offset for offset, _ in records] for at, records in found.items()} == {topic.at(0): [3, 4]}
    finally:
        second.close()


def test_a_partition_that_goes_to_another_member_is_reported(shared_topic: Topic) -> None:
    topic = shared_topic
    topic.append([b"x"] * 10)
    first = topic.source()
    read(first, 10)
    done = threading.Event()
    second_has: list[Partition] = []

    def be_second() -> None:
        second = topic.source()
        while not done.is_set():
            second_has.extend(one.partition for one in second.poll(0.2, 100).pieces)
        second.close()

    other = threading.Thread(target=be_second)
    other.start()
    gone: set[Partition] = set()
    given: set[Partition] = set()

    def polled() -> None:
        found = first.poll(0.2, 100)
        gone.update(found.revoked)
        given.update(found.assigned)

    def shared_out() -> bool:
        polled()
        return bool(second_has) and bool(given or len(gone) == 1)

    try:
        # Nothing was committed: each reads what it has from its beginning, also what stays here.
        wait_until(shared_out, 60, "a rebalance and the other's records", step_s=0)
        assert set(second_has) == gone - given
        assert len(gone - given) == 1
    finally:
        done.set()
        other.join(20)
        first.close()


def test_closing_twice_is_harmless(topic: Topic) -> None:
    opened = topic.source()
    opened.close()
    opened.close()
