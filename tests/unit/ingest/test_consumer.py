"""The consumer against a topic in memory and a store that fails, hangs and recovers."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from core.clock import SystemClock
from core.config import KafkaSettings
from core.errors import StoreError, StoreUnavailable
from ingest.batch import Partition
from ingest.consumer import Consumer
from ingest.formats import build_format
from ingest.intake import Intake
from ingest.memory_source import MemorySource
from tests.support.wait import wait_until
from tests.unit.ingest.builders import encoded, record
from tests.unit.ingest.fake_store import FakeStore

INTAKE = Intake(format=build_format("tpscope", {}))
P0, P1 = Partition("gateway-calls", 0), Partition("gateway-calls", 1)


class Watched(MemorySource):
    """Checks at every commit that no offset is committed whose records are not in the store."""

    def __init__(self, store: FakeStore, **options: Any) -> None:
        super().__init__(**options)
        self._store = store
        self.commits = 0

    def commit(self, progress: Any) -> bool:
        for at, one in progress.items():
            offset = one.offset
            kept = {*self._store.offsets(at.number)}
            kept |= {row["offset"] for row in self._store.rows("dead_letters") if row["partition"] == at.number}
            assert kept >= set(range(offset)), f"{at} committed to {offset}, but only {len(kept)} records are kept"
        self.commits += 1
        return super().commit(progress)


def settings(**changes: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"batch_records": 100, "batch_age": "20ms", "dead_letter_bytes": 256, **changes})


def values(count: int, first: int = 0) -> list[bytes]:
    return encoded(*(record(request_id=str(number)) for number in range(first, first + count)))


@contextlib.contextmanager
def running(source: MemorySource, store: FakeStore, **changes: Any) -> Iterator[threading.Thread]:
    """The consumer on a thread; afterwards stopped, and its failure raised."""
    stop, failures = threading.Event(), []
    consumer = Consumer(source, INTAKE, store, settings(**changes), SystemClock())

    def run() -> None:
        try:
            consumer.run(stop)
        except BaseException as error:  # noqa: BLE001  (raised again in the test's thread)
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def test_records_are_written_with_their_coordinates_and_then_committed() -> None:
    store = FakeStore()
    source = Watched(store, partitions=2)
    source.append(values(250))
    source.append(values(30, 1000), partition=1)
    before = metric("tpscope_ingest_records_total", topic="gateway-calls")
    with running(source, store):
        wait_until(lambda: source.committed == {P0: 250, P1: 30}, 60, "the commits")
    assert store.offsets(0) == list(range(250))
    assert store.offsets(1) == list(range(30))
    for row in store.rows("calls"):
        assert row["topic"] == "gateway-calls"
        assert row["request_id"] == str(row["offset"] + 1000 * row["partition"])  # type: ignore[operator]
        assert row["ingested_at"] is not None
    assert all(part.num_rows <= 100 for part in store.tables["calls"])
    assert source.closed
    assert metric("tpscope_ingest_records_total", topic="gateway-calls") - before == 280


def test_what_cannot_be_read_is_kept_and_committed_too() -> None:
    store = FakeStore()
    source = Watched(store)
    source.append([b"{broken", *values(1), b"[]", *encoded(record(status="x" * 5000)), b""])
    before = metric("tpscope_ingest_rejected_total", topic="gateway-calls", reason="bad_value")
    with running(source, store):
        wait_until(lambda: source.committed == {P0: 5}, 60, "the commit")
    letters = store.rows("dead_letters")
    assert [(row["offset"], row["reason"]) for row in letters] == [
        (0, "not_json"),
        (2, "not_object"),
        (3, "bad_value"),
        (4, "empty"),
    ]
    assert letters[0]["payload"] == b"{broken"
    cut = letters[2]
    assert isinstance(cut["payload"], bytes)
    assert isinstance(cut["detail"], str)
    assert isinstance(cut["size_bytes"], int)
    assert len(cut["payload"]) == 256 < 5000 < cut["size_bytes"]
    assert cut["detail"].startswith("status: 'xxx")
    assert len(cut["detail"]) <= 300
    assert store.offsets() == [1]
    assert metric("tpscope_ingest_rejected_total", topic="gateway-calls", reason="bad_value") - before == 1


def test_a_topic_of_nothing_but_rubbish_goes_on() -> None:
    store = FakeStore()
    source = Watched(store)
    source.append([b"x"] * 300)
    with running(source, store):
        wait_until(lambda: source.committed == {P0: 300}, 60, "the commit")
    assert len(store.rows("dead_letters")) == 300
    assert "calls" not in store.tables


@pytest.mark.parametrize("failure", [StoreUnavailable("store: gone"), StoreError("refused", 241)])
def test_a_failing_store_is_tried_until_it_takes_the_batch_and_nothing_is_lost(failure: Exception) -> None:
    store = FakeStore()
    source = Watched(store)
    store.failures = [failure, failure]
    source.append(values(50))
    with running(source, store):
        wait_until(lambda: source.committed == {P0: 50}, 60, "the commit")
        source.append(values(20, 50))
        wait_until(lambda: source.committed == {P0: 70}, 60, "the next commit")
    assert store.offsets() == list(range(70))


def test_a_failure_after_the_calls_were_written_does_not_write_them_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore()
    source = Watched(store)
    insert, failures = store.insert, [StoreUnavailable("store: gone")]

    def fails_once(table: str, rows: Any, *, token: str | None = None) -> None:
        if table == "dead_letters" and failures:
            raise failures.pop()
        insert(table, rows, token=token)

    monkeypatch.setattr(store, "insert", fails_once)
    source.append([*values(10), b"broken"])
    with running(source, store):
        wait_until(lambda: source.committed == {P0: 11}, 60, "the commit")
    assert store.offsets() == list(range(10))
    assert len(store.rows("dead_letters")) == 1


def test_stopping_while_the_store_is_down_is_quick_and_commits_nothing() -> None:
    store = FakeStore()
    source = Watched(store)
    store.failing = lambda: StoreUnavailable("store: gone")
    source.append(values(50))
    with running(source, store):
        wait_until(lambda: store.attempts >= 1, 60, "an attempt")
        began = time.monotonic()
    assert time.monotonic() - began < 2
    assert source.committed == {}
    assert source.closed


def test_stopping_writes_and_commits_what_was_gathered() -> None:
    store = FakeStore()
    source = Watched(store)
    source.append(values(10))
    with running(source, store, batch_age="1h"):
        wait_until(lambda: source.lag() == {P0: 0}, 60, "the poll")
        assert store.attempts == 0
    assert store.offsets() == list(range(10))
    assert source.committed == {P0: 10}


def test_a_hanging_store_holds_reading_back_at_four_batches() -> None:
    store = FakeStore()
    source = Watched(store, slice_records=30)
    store.open.clear()
    source.append(values(1000))
    with running(source, store):
        assert store.waiting.wait(10)
        wait_until(lambda: source.lag()[P0] <= 1000 - 301, 60, "more batches to be gathered")
        polls = source.polls
        wait_until(lambda: source.polls > polls + 5, 60, "more polls")  # the membership is kept up meanwhile
        assert source.lag()[P0] >= 1000 - 4 * 100
        assert source.committed == {}
        store.open.set()
        wait_until(lambda: source.committed == {P0: 1000}, 60, "the commits")
    assert store.offsets() == list(range(1000))


def test_revoked_partitions_are_read_again_from_the_commit_and_nothing_is_lost() -> None:
    store = FakeStore()
    source = Watched(store, partitions=2)
    source.append(values(40))
    source.append(values(40), partition=1)
    before = metric("tpscope_ingest_revoked_records_total")
    with running(source, store, batch_age="1h"):
        wait_until(lambda: not any(source.lag().values()), 60, "the poll")
        source.revoke(0)
        wait_until(lambda: not any(source.lag().values()), 60, "the second poll")
    assert source.committed == {P0: 40, P1: 40}
    assert store.offsets(0) == store.offsets(1) == list(range(40))
    assert metric("tpscope_ingest_revoked_records_total") - before == 40


def test_a_batch_in_writing_is_not_committed_for_revoked_partitions() -> None:
    store = FakeStore()
    source = Watched(store, partitions=2)
    store.open.clear()
    source.append(values(10))
    source.append(values(10), partition=1)
    with running(source, store):
        assert store.waiting.wait(10)
        source.revoke(0)
        wait_until(lambda: source.lag()[P0] == 0, 60, "the second poll")
        store.open.set()
        wait_until(lambda: source.committed == {P0: 10, P1: 10}, 60, "the commits")
    assert store.offsets(1) == list(range(10))
    assert store.offsets(0) == list(range(10))  # written twice, under one token


def test_a_revoked_partition_leaves_a_batch_that_is_tried_again() -> None:
    store = FakeStore()
    source = Watched(store, partitions=2)
    down = threading.Event()
    down.set()
    store.failing = lambda: StoreUnavailable("store: gone") if down.is_set() else None
    source.append(values(10))
    source.append(values(10), partition=1)
    with running(source, store):
        wait_until(lambda: store.attempts >= 1, 60, "an attempt")
        source.revoke(0)
        wait_until(lambda: source.lag()[P0] == 0, 60, "the second poll")
        attempts = store.attempts
        wait_until(lambda: store.attempts > attempts + 1, 60, "an attempt that knows of it")
        down.clear()
        wait_until(lambda: source.committed == {P0: 10, P1: 10}, 60, "the commits")
    assert store.offsets(0) == store.offsets(1) == list(range(10))


def test_trouble_with_the_broker_is_waited_for() -> None:
    store = FakeStore()
    source = Watched(store)
    source.fail_polls = 1
    source.fail_commits = 2
    source.append(values(10))
    with running(source, store):
        wait_until(lambda: source.committed == {P0: 10}, 60, "the commit")
    assert store.offsets() == list(range(10))


def test_a_programming_error_ends_the_consumer_instead_of_being_hidden() -> None:
    store = FakeStore()
    source = MemorySource()
    store.failures = [TypeError("batch of calls: column 'x' is missing")]
    source.append(values(1))
    consumer = Consumer(source, INTAKE, store, settings(), SystemClock())
    with pytest.raises(TypeError, match="column 'x'"):
        consumer.run(threading.Event())
    assert source.closed
    assert source.committed == {}


def test_payloads_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = FakeStore()
    source = Watched(store, partitions=2)
    store.failures = [StoreUnavailable("store: gone")]
    source.append([b'{"ts": 1, "password": "hunter2", "status": "hunter3"}', b"hunter4", *values(3)])
    with caplog.at_level(logging.DEBUG), running(source, store):
        wait_until(lambda: source.committed == {P0: 5}, 60, "the commit")
    assert "tried again" in caplog.text
    assert "hunter" not in caplog.text


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
