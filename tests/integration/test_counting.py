"""The job that counts transactions: the watermark, late data, a definition that changes, downtime, and a deleted tenant."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.counting import JOB, TransactionCounter
from core.clock import FakeClock
from core.config import Settings
from core.types import Watermark
from storage.calls import insert_calls
from storage.contract import Store
from storage.jobs import read_job
from storage.tenants import delete_tenant
from storage.transaction_series import read_counts, read_transaction_series
from storage.transactions import read_definitions
from storage.watermarks import arrived_until, write_watermarks
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START, at, batch

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with chdb_store(tmp_path) as opened:
        yield opened


def configured(**parts: Any) -> Settings:
    return Settings.model_validate({"transactions": [{"name": "chat", "selector": {"service": "chat"}, **parts}]})


def calls(store: Store, first: timedelta, count: int, offset: int, **columns: Any) -> None:
    """One call every ten seconds."""
    start = first.total_seconds()
    row = {"service": "chat", "status": 200, "tenant": "acme", **columns}
    insert_calls(store, batch([{"ts": at(start + 10 * n), **row} for n in range(count)], offset))


def total(store: Store, settings: Settings) -> int:
    return int(read_counts(store, settings.transactions[0].definition, START, START + 40 * DAY)["total"].sum())


def test_minutes_are_counted_when_they_have_arrived_and_again_when_more_comes(store: Store) -> None:
    settings, counter = configured(), TransactionCounter()
    calls(store, HOUR, 30, 0)
    now = START + HOUR + 5 * MINUTE
    mark = Watermark(topic="t", partition=0, event_at=now - 2.5 * MINUTE, arrived_at=now, next_offset=1, delay_s=1.0)
    write_watermarks(store, [mark])
    clock = FakeClock(now + timedelta(seconds=30))
    assert arrived_until(store, clock.now(), 5 * timedelta(seconds=1), 10 * MINUTE) == now - 3 * MINUTE
    patient = settings.model_copy(update={"detection": settings.detection.model_copy(update={"max_delay": 10 * MINUTE})})
    report = counter.run(store, clock, patient, 1)
    assert (report.cursor, report.items, total(store, settings)) == (now - 3 * MINUTE, 2, 12)
    clock.advance(10 * MINUTE)
    assert counter.run(store, clock, settings, 1).items == 3, "the minutes that are complete now"
    calls(store, HOUR + MINUTE, 3, 100)
    assert counter.run(store, clock, settings, 1).items == 1, "late data makes its minute again"
    assert total(store, settings) == 33
    assert counter.run(store, clock, settings, 1).items == 0
    state = read_job(store, JOB)
    assert state is not None
    assert state.last_error == ""


def test_a_changed_definition_is_filled_back_from_the_calls_that_are_kept(store: Store) -> None:
    settings = configured()
    calls(store, timedelta(0), 60, 0)
    calls(store, 3 * DAY, 60, 100, status=404)
    clock = FakeClock(START + 3 * DAY + HOUR)
    assert TransactionCounter().run(store, clock, settings, 1).items == 20
    stricter = configured(success={"statuses": ["2xx"]})
    counter = TransactionCounter(most_work_s=0.0)
    reports = [counter.run(store, clock, stricter, 1) for _ in range(5)]
    assert sum(report.items for report in reports) == 20
    assert "counting the past" in reports[0].note
    assert reports[-1].note == ""
    assert total(store, settings) == total(store, stricter) == 120
    first, second = (read_counts(store, one.transactions[0].definition, START, START + 4 * DAY) for one in (settings, stricter))
    assert (first["good"].sum(), second["good"].sum()) == (120, 60)
    assert len(read_definitions(store, "chat")) == 2
    back = TransactionCounter()
    assert back.run(store, clock, settings, 1).items == 0, "what was counted once need not be counted again"
    assert read_definitions(store, "chat")[0].definition == settings.transactions[0].definition


def test_minutes_of_which_calls_are_gone_keep_their_counts(store: Store) -> None:
    settings = configured()
    calls(store, timedelta(0), 6, 0)
    counter = TransactionCounter()
    counter.run(store, FakeClock(START + HOUR), settings, 1)
    store.command("ALTER TABLE calls DELETE WHERE offset < 3 SETTINGS mutations_sync = 2")
    calls(store, timedelta(seconds=1), 1, 50)
    assert counter.run(store, FakeClock(START + 2 * HOUR), settings, 1).items == 0
    assert total(store, settings) == 6


def test_a_deleted_tenant_is_in_no_count(store: Store) -> None:
    settings = configured()
    calls(store, timedelta(0), 6, 0)
    calls(store, timedelta(seconds=1), 3, 10, tenant="other")
    calls(store, 5 * MINUTE, 6, 20)
    clock = FakeClock(START + HOUR)
    TransactionCounter().run(store, clock, settings, 1)
    assert total(store, settings) == 15
    assert delete_tenant(store, "acme", actor="test", now=clock.now()).complete
    TransactionCounter().run(store, clock, settings, 1)
    assert total(store, settings) == 3
    series = read_transaction_series(store, settings.transactions[0].definition, "tps", START, START + MINUTE)
    assert series["value"][0] == pytest.approx(3 / 60)


def test_without_transactions_nothing_is_counted(store: Store) -> None:
    report = TransactionCounter().run(store, FakeClock(START), Settings(), 1)
    assert (report.items, report.note) == (0, "no transactions are configured")
