"""What lies in topics as people have them, read by both Kafka clients: each record once, with its own offset."""

import gc
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaProducer

from ingest.plan import Progress
from tests.integration.ingesting import kafka_settings
from tests.integration.kafka_reading import CLIENTS, call, producing, reading
from tests.support.kafka_operator import Operator
from tests.support.secure_kafka import SecureKafkaBroker
from tests.support.topics import read_all
from tests.support.wait import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <s(ocket|sl)[.]:pytest.PytestUnraisableExceptionWarning")

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
Expected = list[tuple[str, int, int, bytes]]


@pytest.fixture(autouse=True)
def _sockets_are_collected_here() -> Iterator[None]:
    """kafka-python leaves the sockets of failed connections to the garbage collector, which warns of them."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def broker(secure_kafka_broker: SecureKafkaBroker) -> str:
    return secure_kafka_broker.bootstrap


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def topic(kafka_operator: Operator, unique_name: Callable[[str], str]) -> str:
    name = unique_name("reading")
    kafka_operator.create(name)
    return name


@pytest.fixture(scope="module")
def mixed(broker: str, kafka_operator: Operator, unique_name: Callable[[str], str]) -> tuple[str, Expected]:
    """A partition in which batches of every codec, of transactions, with keys, headers and tombstones follow one another."""
    topic = unique_name("mixed")
    expected: Expected = []
    kafka_operator.create(topic)

    def send(producer: KafkaProducer, count: int, **options: Any) -> None:
        values = [call(len(expected) + number) for number in range(count)]
        sent = [producer.send(topic, value, partition=0, **options) for value in values]
        producer.flush(timeout=30)
        expected.extend((topic, 0, one.get(timeout=0).offset, value) for one, value in zip(sent, values, strict=True))

    for turn in range(2):
        for codec in CODECS:
            with producing(broker, compression_type=codec, linger_ms=20) as producer:
                send(producer, 20 + turn)
                send(producer, 3, key=b"k" * 70, headers=[("trace", b"\x00\x01"), ("empty", b"")])
                send(producer, 1)
        with producing(broker) as producer:
            tombstone = producer.send(topic, None, key=b"gone", partition=0).get(timeout=10)
            expected.append((topic, 0, tombstone.offset, b""))
        with producing(broker, transactional_id=f"{topic}-{turn}", compression_type="lz4", linger_ms=20) as producer:
            producer.init_transactions()
            for committed in (True, False, True):
                producer.begin_transaction()
                if committed:
                    send(producer, 7)
                    producer.commit_transaction()
                else:
                    aborted = [producer.send(topic, b"aborted", partition=0) for _ in range(5)]
                    producer.flush(timeout=30)
                    assert all(one.get(timeout=0).offset >= 0 for one in aborted)
                    producer.abort_transaction()
    return topic, expected


@pytest.fixture(scope="module")
def compacted(broker: str, kafka_operator: Operator, unique_name: Callable[[str], str]) -> tuple[str, Expected]:
    """A partition whose batches have lost records to compaction, at their beginning, in their middle and at their end."""
    topic = unique_name("compacted")
    kafka_operator.create(topic, cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01")
    written: dict[str, tuple[int, bytes]] = {}

    def send(keys: str) -> None:
        with producing(broker, linger_ms=50) as producer:
            values = [call(number) for number, _ in enumerate(keys)]
            sent = [producer.send(topic, value, key=key.encode(), partition=0) for key, value in zip(keys, values, strict=True)]
        written.update({key: (one.get(timeout=0).offset, value) for key, one, value in zip(keys, sent, values, strict=True)})

    for keys in ("abcdefgh", "ijklmnop", "qrstuvwx", "abdjlpwx"):
        send(keys)
    last = len("abcdefgh") * 4
    # A segment is compacted once the next one has begun.
    filler = iter("0123456789")

    def done() -> bool:
        if len(read_all(broker, topic)[0]) > last - 8 + len([key for key in written if key.isdigit()]):
            time.sleep(0.1)  # the age at which a segment ends
            send(next(filler))
            return False
        return True

    wait_until(done, 60, "the compaction", step_s=0.2)
    return topic, [(topic, 0, offset, value) for offset, value in sorted(written.values())]


def test_every_record_is_read_once_whatever_it_is_wrapped_in(
    broker: str, client: str, mixed: tuple[str, Expected], compacted: tuple[str, Expected]
) -> None:
    expected = sorted(mixed[1] + compacted[1])
    given = kafka_settings(broker, f"{mixed[0]}, {compacted[0]}", group=f"{mixed[0]}-{client}", client=client)
    with reading(given) as reader:
        reader.poll_until(len(expected))
        assert sorted(reader.records) == expected
        for topic in (mixed[0], compacted[0]):
            offsets = [offset for at, _, offset, _ in reader.records if at == topic]
            assert offsets == sorted(offsets)
    assert all(b"aborted" not in value for *_, value in expected)


def test_reading_goes_on_in_the_middle_of_a_batch(broker: str, client: str, mixed: tuple[str, Expected]) -> None:
    topic, expected = mixed
    group = f"{topic}-{client}-middle"
    for place in (7, len(expected) // 2):
        with reading(kafka_settings(broker, topic, group=group, client=client)) as reader:
            reader.poll_assigned()
            (at,) = reader.assigned
            assert reader.source.commit({at: Progress(offset=expected[place][2], bounds=(expected[-1][2],))})
        with reading(kafka_settings(broker, topic, group=group, client=client)) as reader:
            reader.poll_until(len(expected) - place)
            assert reader.records == expected[place:]
            assert reader.assigned[at].progress == Progress(offset=expected[place][2], bounds=(expected[-1][2],))


@pytest.mark.parametrize("start", ["earliest", "latest", "time"])
def test_a_new_group_starts_where_it_should(broker: str, kafka_operator: Operator, client: str, topic: str, start: str) -> None:
    kafka_operator.write(topic, [call(0), call(1)])
    between = datetime.now(UTC)
    with producing(broker) as producer:
        late = producer.send(topic, call(2), partition=0, timestamp_ms=int(between.timestamp() * 1000) + 60_000)
    assert late.get(timeout=10).offset == 2
    given = {"earliest": "earliest", "latest": "latest", "time": datetime.fromtimestamp(between.timestamp() + 30, UTC)}[start]
    first = {"earliest": 0, "latest": 3, "time": 2}[start]
    with reading(kafka_settings(broker, topic, client=client, start=given)) as reader:
        reader.poll_assigned()
        kafka_operator.write(topic, [call(3)])
        reader.poll_until(4 - first)
        assert [offset for _, _, offset, _ in reader.records] == list(range(first, 4))
