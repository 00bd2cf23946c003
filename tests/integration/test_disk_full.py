"""A disk that is full or cannot be written: ingest waits in its group, says so once, goes on by itself and loses nothing."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from core.config import StoreSettings
from core.errors import StoreUnavailable
from storage.chdb_backend import KEEP_FREE_BYTES
from storage.health import write_obstacle
from storage.migrate import migrate
from storage.open import open_store
from tests.integration.chaos import PARTITIONS, check, committed, record
from tests.integration.chaos_child import group_of
from tests.integration.ingesting import consuming, kafka_settings
from tests.support.kafka_broker import KafkaBroker
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.topics import answered, produce
from tests.support.wait import wait_until

ROWS = 3_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", KEEP_FREE_BYTES + 64 * 2**20) as mounted:
        yield mounted


@contextmanager
def full(disk: SmallDisk) -> Iterator[None]:
    disk.fill()
    try:
        yield
    finally:
        disk.clear()


@contextmanager
def read_only(disk: SmallDisk) -> Iterator[None]:
    with disk.read_only():
        yield


@pytest.mark.parametrize(
    ("obstacle", "said", "ready"),
    [
        pytest.param(full, "less than 256 MiB are free on the disk of ", "the store's disk is full (default)", id="full"),
        pytest.param(
            read_only, " cannot be written (Read-only file system); correct that", "cannot be written", id="read-only"
        ),
    ],
)
def test_ingest_waits_until_the_disk_can_be_written(
    kafka_broker: KafkaBroker,
    unique_name: Callable[[str], str],
    disk: SmallDisk,
    caplog: pytest.LogCaptureFixture,
    obstacle: Callable[[SmallDisk], contextlib.AbstractContextManager[None]],
    said: str,
    ready: str,
) -> None:
    caplog.set_level(logging.INFO, "ingest.consumer")
    brokers, topic = kafka_broker.bootstrap, unique_name("disk")
    kafka_broker.create_topic(topic, PARTITIONS)
    numbered = [record(number, datetime.now(UTC).isoformat()) for number in range(3 * ROWS)]
    store = open_store(StoreSettings(url=f"chdb://{disk.folder / 'store'}"), owner=True)
    try:
        migrate(store)
        assert write_obstacle(store) == ""
        with consuming(store, kafka_settings(brokers, topic)) as thread:
            produce(brokers, topic, numbered[:ROWS], PARTITIONS)
            wait_until(lambda: committed(brokers, topic) == ROWS, 60, "the first records", step_s=0.3)
            with obstacle(disk):
                produce(brokers, topic, numbered[ROWS : 2 * ROWS], PARTITIONS)
                wait_until(lambda: said in caplog.text, 60, "a word in the log")
                assert ready in write_obstacle(store)
                produce(brokers, topic, numbered[2 * ROWS :], PARTITIONS)
                with pytest.raises(StoreUnavailable):
                    store.command("INSERT INTO watermarks (topic) VALUES ('refused')")
                assert thread.is_alive()
                assert members(brokers, topic) == 1
                assert committed(brokers, topic) == ROWS
            wait_until(lambda: committed(brokers, topic) == 3 * ROWS, 60, "every record", step_s=0.3)
        told = [one for one in caplog.records if "cannot be written and is tried again" in one.getMessage()]
        assert [("\n" in one.getMessage(), str(disk.folder) in one.getMessage()) for one in told] == [(False, True)]
        assert caplog.text.count("the store takes batches again") == 1
        assert write_obstacle(store) == ""
        check(store, 3 * ROWS)
    finally:
        store.close()


def members(brokers: str, topic: str) -> int:
    """Members of the group, which is in no rebalance."""
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=brokers)) as admin:
        described = answered(lambda: admin.describe_groups([group_of(topic)]))
        found = described[group_of(topic)] if isinstance(described, dict) else described[0]
        assert found["group_state"] == "Stable", found
        return len(found["members"])
