"""Real processes, brokers and stores that are killed in the middle: no record is lost and none is stored twice."""

import gc
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from kafka import KafkaProducer

from core.config import StoreSettings
from core.errors import BrokerUnavailable, StoreUnavailable
from ingest.kafka_source import KafkaSource
from storage.contract import Store
from storage.dead_letters import count_dead_letters
from storage.migrate import migrate
from storage.open import open_store
from tests.integration.ingesting import consuming, kafka_settings
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.data import REPOSITORY
from tests.support.kafka_broker import KafkaBroker
from tests.support.stores import chdb_store, lay_store
from tests.support.topics import produce
from tests.support.wait import wait_until
from tpscope.guarded import free_port

# kafka-python leaves the sockets of failed connections to the garbage collector, which warns of them.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <s(ocket|sl)[.]:pytest.PytestUnraisableExceptionWarning")

PARTITIONS = 3


@pytest.fixture(autouse=True)
def _sockets_are_collected_here() -> Iterator[None]:
    yield
    gc.collect()


def records(count: int) -> list[bytes]:
    """Calls of now, each with its number as the request id."""
    now = datetime.now(UTC).isoformat()
    return [orjson.dumps({"ts": now, "request_id": str(number), "tenant": "a", "status": 200}) for number in range(count)]


@contextmanager
def opened(url: str) -> Iterator[Store]:
    store = open_store(StoreSettings(url=url, retries=0), owner=True)
    try:
        migrate(store)
        yield store
    finally:
        store.close()


@pytest.fixture
def clickhouse(clickhouse_url: str) -> Iterator[Store]:
    with opened(clickhouse_url) as store:
        yield store


@pytest.fixture
def topic(kafka_broker: KafkaBroker, unique_name: Callable[[str], str]) -> str:
    name = unique_name("faults")
    kafka_broker.create_topic(name, PARTITIONS)
    return name


def tally(store: Store) -> tuple[int, int]:
    """Different records among the calls, and calls; the rollup has to agree."""
    row = store.frame("SELECT toInt64(uniqExact(request_id)) AS kept, toInt64(count()) AS calls FROM calls").iloc[0]
    rolled_up = store.frame("SELECT toInt64(sum(calls)) AS calls FROM tenant_1m").iloc[0]
    assert rolled_up.calls == row.calls
    return int(row.kept), int(row.calls)


def kept(store: Store) -> int:
    return int(store.frame("SELECT toInt64(uniqExact(request_id)) AS kept FROM calls").kept[0])


# --- import ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kills", "rows"), [(3, 12_000), pytest.param(40, 30_000, marks=pytest.mark.soak)])
def test_an_import_that_is_killed_at_random_moments_writes_every_row_once(tmp_path: Path, kills: int, rows: int) -> None:
    chunk_rows, rng = 500, random.Random(kills)
    path, url = tmp_path / "calls.ndjson", f"chdb://{tmp_path / 'store'}"
    lay_store(tmp_path)
    path.write_bytes(b"\n".join([*records(rows), b"broken"]))
    killed = 0
    for _ in range(kills):
        with child("import", url, str(path), str(chunk_rows)) as process:
            assert process.stdout is not None
            for _ in range(rng.randint(1, max(2, rows // chunk_rows // kills))):
                if not process.stdout.readline().startswith("chunk"):
                    break
            # Somewhere within the next chunk; this wait is the fault itself, nothing is assumed to have happened in it.
            time.sleep(rng.uniform(0, 0.03))
            process.kill()
            killed += process.wait(20) == -signal.SIGKILL
    assert killed >= kills // 2
    with child("import", url, str(path), str(chunk_rows)) as process:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
    _, written, skipped, rejected = said.splitlines()[-1].split()
    assert int(written) + int(skipped) + int(rejected) == rows + 1
    assert int(skipped) >= chunk_rows
    with chdb_store(tmp_path) as store:
        assert tally(store) == (rows, rows)
        assert count_dead_letters(store).letters.tolist() == [1]


# --- consume --------------------------------------------------------------------------------------------------------------


def test_sigterm_writes_and_commits_what_was_read_so_that_nothing_comes_twice(
    clickhouse: Store, clickhouse_url: str, kafka_broker: KafkaBroker, topic: str
) -> None:
    with feeding(kafka_broker.bootstrap, topic) as feeder:
        for _ in range(2):
            before = kept(clickhouse)
            with consumer_child(clickhouse_url, kafka_broker.bootstrap, topic) as process:
                wait_until(lambda before=before: kept(clickhouse) > before, 60, "calls")  # type: ignore[misc]
                process.terminate()
                assert process.wait(10) == 0, "a container that has not ended after ten seconds is killed"
    with consumer_child(clickhouse_url, kafka_broker.bootstrap, topic) as process:
        wait_until(lambda: kept(clickhouse) == feeder.sent, 60, "every record")
        process.terminate()
        assert process.wait(15) == 0
    assert tally(clickhouse) == (feeder.sent, feeder.sent)


def test_a_killed_consumer_loses_nothing_and_stores_nothing_twice(
    clickhouse: Store, clickhouse_url: str, kafka_broker: KafkaBroker, topic: str
) -> None:
    brokers = kafka_broker.bootstrap
    with feeding(brokers, topic) as feeder, consumer_child(clickhouse_url, brokers, topic) as process:
        wait_until(lambda: kept(clickhouse) > 0, 60, "calls")
        process.kill()
        process.wait(15)
    with consuming(clickhouse, kafka_settings(brokers, topic)):
        wait_until(lambda: kept(clickhouse) == feeder.sent, 60, "every record")
    assert tally(clickhouse) == (feeder.sent, feeder.sent)


def test_a_broker_that_is_killed_and_started_again_loses_nothing(
    clickhouse: Store, own_kafka_broker: KafkaBroker, unique_name: Callable[[str], str]
) -> None:
    broker, topic = own_kafka_broker, unique_name("faults")
    broker.create_topic(topic, PARTITIONS)
    produce(broker.bootstrap, topic, records(2000), PARTITIONS)
    with consuming(clickhouse, kafka_settings(broker.bootstrap, topic)) as thread:
        wait_until(lambda: kept(clickhouse) == 2000, 60, "the first calls")
        with feeding(broker.bootstrap, topic, first=2000) as feeder:
            wait_until(lambda: kept(clickhouse) > 2000, 60, "more calls")
            broker.kill()
            wait_until(lambda: feeder.stuck, 60, "the producer to notice")
            broker.start()
            sent = feeder.sent
            wait_until(lambda: feeder.sent > sent, 60, "the producer to go on")
        wait_until(lambda: kept(clickhouse) >= feeder.sent, 60, "every record")
        assert thread.is_alive()
    assert tally(clickhouse)[0] >= feeder.sent  # what the producer was not told of may be there as well


def test_a_store_that_is_away_for_a_while_loses_nothing(
    own_clickhouse_native: ClickHouseNativeServer, kafka_broker: KafkaBroker, topic: str
) -> None:
    server = own_clickhouse_native
    with opened(server.url) as store, feeding(kafka_broker.bootstrap, topic) as feeder:
        with consuming(store, kafka_settings(kafka_broker.bootstrap, topic)) as thread:
            wait_until(lambda: kept(store) > 0, 60, "the first calls")
            server.kill()
            sent = feeder.sent
            wait_until(lambda: feeder.sent > sent + 2000, 60, "records that nobody can write")
            server.start()
            feeder.stop()
            wait_until(lambda: _answers(store) and kept(store) == feeder.sent, 60, "every record")
            assert thread.is_alive()
        assert tally(store) == (feeder.sent, feeder.sent)


def test_members_that_come_and_go_lose_nothing(clickhouse: Store, kafka_broker: KafkaBroker, topic: str) -> None:
    settings = kafka_settings(kafka_broker.bootstrap, topic)
    with feeding(kafka_broker.bootstrap, topic) as feeder, consuming(clickhouse, settings):
        wait_until(lambda: kept(clickhouse) > 0, 60, "the first calls")
        for _ in range(2):
            with consuming(clickhouse, settings):
                before = kept(clickhouse)
                wait_until(lambda before=before: kept(clickhouse) > before + 500, 60, "calls of both")  # type: ignore[misc]
        feeder.stop()
        wait_until(lambda: kept(clickhouse) == feeder.sent, 60, "every record")
    assert tally(clickhouse) == (feeder.sent, feeder.sent)


# --- start ----------------------------------------------------------------------------------------------------------------


def test_a_broker_that_is_not_there_is_one_clear_line_in_time() -> None:
    address = f"127.0.0.1:{free_port()}"
    threads = threading.active_count()
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable) as caught:
        KafkaSource(kafka_settings(address, "calls", connect_timeout="1s"))
    assert 0.9 < time.monotonic() - began < 4
    wanted = f"kafka.brokers: no broker answers at {address} within 1 s; start Kafka or correct kafka.brokers"
    assert str(caught.value) == wanted
    wait_until(lambda: threading.active_count() <= threads, 10, "its threads to end")


def test_a_broker_that_speaks_otherwise_is_told_from_one_that_is_not_there(kafka_broker: KafkaBroker) -> None:
    settings = kafka_settings(kafka_broker.bootstrap, "calls", connect_timeout="1s", security="SSL")
    with pytest.raises(BrokerUnavailable) as caught:
        KafkaSource(settings)
    assert "accepts connections, but not as Kafka with kafka.security SSL within 1 s; check" in str(caught.value)


def test_a_topic_that_is_made_later_is_waited_for(
    clickhouse: Store, kafka_broker: KafkaBroker, unique_name: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    topic = unique_name("later")
    with consuming(clickhouse, kafka_settings(kafka_broker.bootstrap, topic)):
        wait_until(lambda: f"kafka.topic '{topic}' does not exist" in caplog.text, 60, "the warning")
        kafka_broker.create_topic(topic, PARTITIONS)
        produce(kafka_broker.bootstrap, topic, records(10), PARTITIONS)
        wait_until(lambda: kept(clickhouse) == 10, 60, "the calls")
    assert caplog.text.count("does not exist") == 1


class Feeder:
    """Produces numbered records to a topic, a few thousand a second, until it is stopped."""

    def __init__(self, bootstrap: str, topic: str, first: int) -> None:
        self.sent = first
        self._sent_at = time.monotonic()
        self._topic = topic
        self._stop = threading.Event()
        # Long enough for every outage here: kafka-python 3.0.12 sends nothing any more once a delivery has timed out.
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", request_timeout_ms=2000, delivery_timeout_ms=90_000
        )
        self._thread = threading.Thread(target=self._run, name="feeder")
        self._thread.start()

    def stop(self) -> None:
        """Stop; every record that was counted has been acknowledged."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    @property
    def stuck(self) -> bool:
        """Whether nothing has been acknowledged for a second."""
        return time.monotonic() - self._sent_at > 1

    def _run(self) -> None:
        now = datetime.now(UTC).isoformat()
        while not self._stop.wait(0.02):
            numbers = range(self.sent, self.sent + 50)
            values = (orjson.dumps({"ts": now, "request_id": str(number), "tenant": "a", "status": 200}) for number in numbers)
            pending = [self._producer.send(self._topic, value, partition=n % PARTITIONS) for n, value in enumerate(values)]
            for one in pending:
                one.get(timeout=100)
            self.sent, self._sent_at = numbers.stop, time.monotonic()
        self._producer.close(timeout=5)


@contextmanager
def feeding(bootstrap: str, topic: str, first: int = 0) -> Iterator[Feeder]:
    feeder = Feeder(bootstrap, topic, first)
    try:
        yield feeder
    finally:
        feeder.stop()


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.ingest_child", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def consumer_child(url: str, bootstrap: str, topic: str) -> Iterator[subprocess.Popen[str]]:
    with child("consume", url, bootstrap, topic) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def _answers(store: Store) -> bool:
    try:
        store.command("SELECT 1")
    except StoreUnavailable:
        return False
    return True
