"""Topics and groups that change under the consumer, with both Kafka clients and a store: each call is counted once."""

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import REGISTRY

from core.config import KafkaSettings, StoreSettings
from ingest import confluent_client, confluent_source, kafka_client, positions
from ingest.batch import Partition
from ingest.plan import Progress
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from tests.integration.ingesting import consuming, kafka_settings
from tests.integration.kafka_reading import CLIENTS, call, reading
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.kafka_operator import Operator
from tests.support.secure_kafka import SecureKafkaBroker
from tests.support.wait import wait_until

_WAIT_S = 8.0
_CALLS = """
SELECT toInt64(uniqExact(request_id)) AS kept, toInt64(count()) AS calls FROM calls WHERE tenant = {tenant:String}
"""
_ROLLED_UP = "SELECT toInt64(sum(calls)) AS calls FROM tenant_1m WHERE tenant = {tenant:String}"

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <s(ocket|sl)[.]:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _sockets_are_collected_here() -> Iterator[None]:
    """kafka-python leaves the sockets of failed connections to the garbage collector, which warns of them."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def store(clickhouse_native: ClickHouseNativeServer, unique_name: Callable[[str], str]) -> Iterator[Store]:
    name = unique_name("changes")
    admin = open_store(StoreSettings(url=clickhouse_native.url), owner=False)
    admin.command(f"CREATE DATABASE {name}")
    opened = open_store(StoreSettings(url=clickhouse_native.url_of(name), retries=0), owner=True)
    try:
        migrate(opened)
        yield opened
    finally:
        opened.close()
        admin.command(f"DROP DATABASE {name}")
        admin.close()


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A topic of the test's own, written and read and meddled with.

    The topic's name is the tenant of its calls, so that the rollup can be asked for it too.
    """

    store: Store
    bootstrap: str
    operator: Operator
    client: str
    topic: str

    def write(self, numbers: range, partition: int = 0, topic: str = "") -> None:
        self.operator.write(topic or self.topic, [call(one, self.topic) for one in numbers], partition)

    def settings(self, **changes: Any) -> KafkaSettings:
        return kafka_settings(self.bootstrap, changes.pop("topic", self.topic), client=self.client, **changes)

    @contextmanager
    def consuming(self, **changes: Any) -> Iterator[None]:
        with consuming(self.store, self.settings(**changes)):
            yield

    def tally(self) -> tuple[int, int, int]:
        """Different calls, calls, and calls in the rollup."""
        given = {"tenant": self.topic}
        row = self.store.frame(_CALLS, given).iloc[0]
        return int(row.kept), int(row.calls), int(self.store.frame(_ROLLED_UP, given).calls[0])

    def wait_for(self, count: int) -> None:
        """Return when `count` different calls are there; each of them once, in the rollup too."""
        wait_until(lambda: min(self.tally()) >= count, _WAIT_S, f"{count} calls", step_s=0.1)
        assert self.tally() == (count, count, count)


@pytest.fixture(params=CLIENTS)
def scene(
    request: pytest.FixtureRequest,
    store: Store,
    secure_kafka_broker: SecureKafkaBroker,
    kafka_operator: Operator,
    unique_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    # Changes are found within 30 s; here sooner.
    monkeypatch.setattr(kafka_client, "_METADATA_AGE_MS", 300)
    monkeypatch.setattr(confluent_client, "_METADATA_AGE_MS", 300)
    monkeypatch.setattr(confluent_source, "_ASK_AGAIN_S", 0.3)
    monkeypatch.setattr(confluent_source, "_BEFORE_HOLD_S", 0.0)
    topic = unique_name("changes")
    kafka_operator.create(topic)
    bootstrap = secure_kafka_broker.bootstrap
    return Scene(store=store, bootstrap=bootstrap, operator=kafka_operator, client=request.param, topic=topic)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_topics_of_a_pattern_are_read_also_those_that_appear_later(scene: Scene) -> None:
    later = f"{scene.topic}-later"
    scene.write(range(5))
    with scene.consuming(topic=f"^{scene.topic}(-later)?$", group=scene.topic, start="latest"):
        scene.operator.create(later)
        scene.write(range(5, 25), topic=later)
        wait_until(lambda: scene.tally()[0] >= 20, 60, "the calls of the later topic", step_s=0.1)
        scene.write(range(25, 30))
        scene.wait_for(25)


def test_a_topic_that_is_made_later_is_waited_for_and_read_from_its_beginning(scene: Scene) -> None:
    later = f"{scene.topic}-later"
    with scene.consuming(topic=f"{scene.topic},{later}", group=scene.topic, start="latest"):
        scene.operator.create(later)
        scene.write(range(20), topic=later)
        scene.wait_for(20)


def test_partitions_that_are_added_are_read_from_their_beginning_even_where_reading_began_at_the_end(scene: Scene) -> None:
    scene.write(range(3))
    with scene.consuming(start="latest"):
        wait_until(lambda: committed(scene, 0) is not None, 60, "the place to be kept", step_s=0.1)
        scene.operator.add_partitions(scene.topic, 3)
        scene.write(range(10, 20), partition=1)
        scene.write(range(20, 30), partition=2)
        scene.wait_for(20)
        scene.write(range(30, 35))
        scene.wait_for(25)


def test_where_a_group_began_is_kept_although_nothing_came_yet(scene: Scene) -> None:
    scene.operator.add_partitions(scene.topic, 2)
    for partition in range(2):
        scene.write(range(10 * partition, 10 * partition + 5), partition)
    with scene.consuming(start="latest"):
        wait_until(lambda: committed(scene, 1) is not None, 60, "the places to be kept", step_s=0.1)
        scene.write(range(100, 105))
        scene.wait_for(5)
    scene.write(range(200, 203), partition=1)
    with scene.consuming(start="latest"):
        scene.wait_for(8)


def test_what_retention_removed_before_it_was_read_is_counted_and_said(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.write(range(10))
    with scene.consuming():
        scene.wait_for(10)
    scene.write(range(10, 17))
    scene.write(range(17, 30))
    scene.operator.delete_records(scene.topic, 17)
    with caplog.at_level(logging.WARNING), scene.consuming():
        scene.wait_for(10 + 13)
    assert metric("tpscope_ingest_lost_total", topic=scene.topic) == 7
    assert f"topic {scene.topic}, partition 0: 7 records (offsets 10 to 16) are lost" in caplog.text


def test_what_retention_removes_while_reading_waits_is_counted_and_said(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.write(range(10))
    with caplog.at_level(logging.WARNING), reading(scene.settings()) as reader:
        reader.poll_until(10)
        for _ in range(4):  # until no request is under way that was sent before
            reader.poll(max_records=0)
        scene.write(range(10, 17))
        scene.write(range(17, 32))  # the log is cut between two batches
        scene.operator.delete_records(scene.topic, 17)
        reader.records.clear()
        reader.poll_until(15)
        assert [offset for _, _, offset, _ in reader.records] == list(range(17, 32))
    assert metric("tpscope_ingest_lost_total", topic=scene.topic) == 7
    assert "7 records (offsets 10 to 16) are lost" in caplog.text


def test_a_topic_that_is_made_again_is_read_from_its_beginning_while_nobody_reads(scene: Scene) -> None:
    again = 15
    scene.write(range(10))
    with scene.consuming():
        scene.wait_for(10)
    scene.operator.delete(scene.topic)
    scene.operator.create(scene.topic)
    scene.write(range(100, 100 + again))
    with scene.consuming():
        scene.wait_for(10 + again)


def test_a_topic_that_is_made_again_is_read_from_its_beginning_while_it_is_read(scene: Scene) -> None:
    again = 15  # more than were read of the old one, so that its offset is there too
    scene.write(range(10))
    with scene.consuming():
        scene.wait_for(10)
        scene.operator.delete(scene.topic)
        scene.operator.create(scene.topic)
        scene.write(range(100, 100 + again))
        scene.wait_for(10 + again)


@pytest.mark.parametrize("again", [5, 15])
def test_a_commit_that_was_meant_for_a_deleted_topic_leaves_out_nothing_of_the_new_one(
    scene: Scene, again: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is the new topic's when the commit arrives: its offset says nothing about it."""
    owner, name = {
        "confluent": (confluent_source.ConfluentSource, "_made_again"),
        "kafka-python": (positions.Positions, "made_again"),
    }[scene.client]
    asked: Callable[[Any, Any], set[Partition]] = getattr(owner, name)
    done: list[bool] = []

    def looked_up_just_before(self: Any, progress: Any) -> set[Partition]:
        found = asked(self, progress)
        if not done and any(isinstance(one, Progress) and one.offset == 10 for one in getattr(progress, "values", list)()):
            done.append(True)
            scene.operator.delete(scene.topic)
            scene.operator.create(scene.topic)
            scene.write(range(100, 100 + again))
        return found

    monkeypatch.setattr(owner, name, looked_up_just_before)
    scene.write(range(10))
    with scene.consuming():
        scene.wait_for(10 + again)
    assert done


@pytest.mark.parametrize("what", ["earlier", "deleted"])
def test_offsets_that_an_operator_resets_repeat_nothing(scene: Scene, what: str) -> None:
    scene.write(range(20))
    with scene.consuming():
        scene.wait_for(20)
    group = f"{scene.topic}-group"
    if what == "deleted":
        scene.operator.delete_group(group)
    else:
        scene.operator.set_group(group, {(scene.topic, 0): 5})
    scene.write(range(20, 25))
    before = metric("tpscope_ingest_repeated_total")
    with scene.consuming():
        scene.wait_for(25)
    assert metric("tpscope_ingest_repeated_total") - before == (15 if what == "earlier" else 20)


def committed(scene: Scene, partition: int) -> int | None:
    """The offset that the group has committed."""
    return scene.operator.committed(f"{scene.topic}-group", scene.topic, partition)
