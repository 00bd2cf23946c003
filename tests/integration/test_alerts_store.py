"""From calls in a real store to messages at a real receiver."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.jobs import DELIVERY_JOB, AlertReport, Deliverer, run_alerts
from alerts.pipeline import JOB as ALERTS_JOB
from core.clock import FakeClock, floor_to
from core.config import Settings
from core.series import Direction, Selector
from core.types import Anomaly, DeliveryState, IncidentState, Watermark
from storage.anomalies import write_anomalies
from storage.calls import insert_calls
from storage.contract import Store
from storage.incidents import incident_history, read_incidents
from storage.jobs import read_job
from storage.notifications import read_notifications
from storage.watermarks import write_watermarks
from tests.support.data import REPOSITORY
from tests.support.receiver import Answer, Receiver
from tests.support.stores import chdb_store
from tests.support.wait import wait_until
from tests.unit.storage.batches import batch
from tests.unit.storage.conftest import empty

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
EPOCH = 7


class Gateway:
    """Writes a minute's calls and how far they have arrived, as ingest does. Ends now, because retention counts from now."""

    def __init__(self, store: Store, minutes: int = 40) -> None:
        self.store = store
        self.minute = floor_to(datetime.now(UTC), MINUTE) - minutes * MINUTE
        self.clock = FakeClock(self.minute)
        self._offset = 0

    def passes(self, failing: dict[str, float] | None = None, *, seconds: int = 60) -> None:
        """A minute (or its first seconds) with 30 calls of each provider, of which the given share fails."""
        rows = [
            {
                "ts": self.minute + number * SECOND * 60 / 30,
                "provider": provider,
                "service": "chat",
                "status": 503 if number < 30 * (failing or {}).get(provider, 0.0) else 200,
                "latency_ms": 100.0,
                "topic": "calls",
            }
            for provider in ("openai", "mistral")
            for number in range(30)
            if number * 2 < seconds
        ]
        insert_calls(self.store, batch(rows, self._offset))
        self._offset += len(rows)
        self.arrived(self.minute + seconds * SECOND)
        self.clock.set(self.minute + seconds * SECOND + 6 * SECOND)
        if seconds == 60:
            self.minute += MINUTE

    def arrived(self, until: datetime) -> None:
        mark = Watermark(topic="calls", partition=0, event_at=until, arrived_at=until + SECOND, next_offset=0, delay_s=0.5)
        write_watermarks(self.store, [mark])


FAILING = {"kind": "threshold", "name": "failing", "metric": "error_rate", "by": ["provider"], "above": 0.2}


def settings_for(url: str, **more: Any) -> Settings:
    receivers = [{"name": "ops", "url": f"{url}/hook", "timeout": "2s", "backoff": "100ms"}]
    routing = {"group_wait": "0s", "group_wait_critical": "0s"}
    return Settings.model_validate({"rules": [FAILING], "receivers": receivers, "routing": routing, **more})


@pytest.fixture(scope="module")
def _module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("alerts")) as store:
        yield store


@pytest.fixture
def store(_module_store: Store) -> Store:
    empty(_module_store)
    return _module_store


@pytest.fixture
def gateway(store: Store) -> Gateway:
    return Gateway(store)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def reasons(receiver: Receiver) -> list[tuple[str, str]]:
    return [(request.json["reason"], request.json["incident"]["rule"]) for request in receiver.requests]


def test_one_message_for_the_opening_and_one_for_the_end(store: Store, gateway: Gateway, receiver: Receiver) -> None:
    given = settings_for(receiver.url)

    def passes(share: float) -> AlertReport:
        gateway.passes({"openai": share})
        report = run_alerts(store, gateway.clock, given, EPOCH)
        for _ in range(2):
            assert run_alerts(store, gateway.clock, given, EPOCH).notifications == 0
        Deliverer(store, given, gateway.clock, EPOCH).run_once()
        return report

    assert passes(0.0) == AlertReport(
        judged_until=gateway.minute, minutes=1, firing=0, inhibited=0, opened=0, repeated=0, resolved=0, notifications=0
    )
    started = gateway.minute
    for _ in range(3):
        passes(0.5)
    assert reasons(receiver) == [("opened", "failing")]
    ended = gateway.minute
    passes(0.0)
    assert len(receiver.requests) == 1, "recover_after is two minutes"
    passes(0.0)
    passes(0.0)
    assert reasons(receiver) == [("opened", "failing"), ("resolved", "failing")]
    opening, end = (request.json for request in receiver.requests)
    assert (opening["threshold"], opening["labels"]) == (0.2, {"provider": "openai"})
    # Judged are the 60 s up to 5 s after the minute: 3 of its 15 failed calls lie before them, and nothing has come since.
    assert opening["value"] == pytest.approx(12 / 27)
    assert opening["incident"]["title"] == "Error rate above 20 %: provider openai"
    assert opening["incident"]["started_at"] == started.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert end["incident"]["resolved_at"] == ended.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert end["incident"]["id"] == opening["incident"]["id"]
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 2
    (incident,) = read_incidents(store)
    assert [event.state for event in incident_history(store, incident.id)][-1] is IncidentState.RESOLVED
    job = read_job(store, ALERTS_JOB)
    assert job is not None
    assert (job.cursor, job.last_error) == (gateway.minute, "")
    delivery = read_job(store, DELIVERY_JOB)
    assert delivery is not None
    assert delivery.last_success_at == gateway.clock.now() - MINUTE


def test_a_partly_arrived_minute_is_not_judged(store: Store, gateway: Gateway, receiver: Receiver) -> None:
    below = {"kind": "threshold", "name": "few", "metric": "tps", "below": 0.9, "selector": {"service": "chat"}}
    given = settings_for(receiver.url, rules=[below])
    gateway.passes()
    gateway.passes()
    assert run_alerts(store, gateway.clock, given, EPOCH).firing == 0
    gateway.passes(seconds=20)
    gateway.clock.advance(timedelta(minutes=5))
    report = run_alerts(store, gateway.clock, given, EPOCH)
    assert (report.firing, report.judged_until) == (0, gateway.minute), "what stopped arriving says nothing"
    gateway.arrived(gateway.minute + MINUTE + SECOND)
    report = run_alerts(store, gateway.clock, given, EPOCH)
    assert (report.firing, report.judged_until) == (1, gateway.minute + MINUTE), "now it is known to be a third"


def test_a_window_of_several_minutes_slides(store: Store, gateway: Gateway, receiver: Receiver) -> None:
    rule = {**FAILING, "window": "5m", "hold": "2m", "by": [], "selector": {"provider": "openai"}}
    given = settings_for(receiver.url, rules=[rule])
    opened = []
    for share in (0, 0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5):
        gateway.passes({"openai": share})
        opened.append(run_alerts(store, gateway.clock, given, EPOCH).opened)
    # The mean over five minutes is above 20 % from the third failing minute on (1.5 of 5); held for two: the fourth.
    assert opened == [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert "over the 5 min" in read_incidents(store)[0].summary


def test_an_anomaly_is_told_once_and_what_it_causes_is_joined(store: Store, gateway: Gateway, receiver: Receiver) -> None:
    anomalies = {"kind": "anomaly", "name": "unusual"}
    given = settings_for(receiver.url, rules=[anomalies, FAILING])
    gateway.passes()
    run_alerts(store, gateway.clock, given, EPOCH)
    found: dict[str, Any] = {
        "id": "a1", "started_at": gateway.minute, "last_at": gateway.minute, "ended_at": None,
        "selector": Selector.of(provider="openai"), "metric": "error_rate", "direction": Direction.HIGH, "score": 4.0,
        "severity": 0.9, "observed": 0.5, "expected": 0.0, "lower": float("nan"), "upper": 0.02, "contributions": (),
        "explanation": "Error rate of provider openai is 50 %.", "model_version": "m", "baseline_version": "b",
    }  # fmt: skip

    def deliver() -> None:
        Deliverer(store, given, gateway.clock, EPOCH).run_once()

    gateway.passes({"openai": 0.5})
    write_anomalies(store, [Anomaly(**found)], EPOCH)
    report = run_alerts(store, gateway.clock, given, EPOCH)
    assert (report.firing, report.inhibited, report.notifications) == (2, 1, 1)
    deliver()
    by_rule = {incident.rule: incident for incident in read_incidents(store)}
    assert by_rule["failing"].labels["inhibited_by"] == by_rule["unusual"].id
    events = len(incident_history(store, by_rule["unusual"].id))
    run_alerts(store, gateway.clock, given, EPOCH)
    assert len(incident_history(store, by_rule["unusual"].id)) == events, "an unchanged incident is not written again"
    write_anomalies(store, [Anomaly(**{**found, "ended_at": gateway.minute})], EPOCH)
    gateway.passes({"openai": 0.5})
    run_alerts(store, gateway.clock, given, EPOCH)
    deliver()
    assert sorted(reasons(receiver)[1:]) == [("opened", "failing"), ("resolved", "unusual")]
    assert reasons(receiver)[0] == ("opened", "unusual")
    assert receiver.requests[0].json["incident"]["anomaly_id"] == "a1"


def test_a_receiver_that_was_down_gets_each_message_once_when_it_is_back(
    store: Store, gateway: Gateway, receiver: Receiver
) -> None:
    given = settings_for(receiver.url)
    receiver.answer(503, Answer(drop=True), Answer(status=429, headers={"retry-after": "3"}))
    gateway.passes({"openai": 0.5})
    run_alerts(store, gateway.clock, given, EPOCH)

    def round(after: timedelta) -> int:
        gateway.clock.advance(after)
        return Deliverer(store, given, gateway.clock, EPOCH).run_once().sent

    assert [round(0 * SECOND), round(SECOND), round(SECOND), round(2 * SECOND)] == [0, 0, 0, 0]
    assert len(receiver.requests) == 3, "the receiver asked for three seconds"
    waiting = read_notifications(store)[0]
    assert (waiting.state, waiting.attempts, waiting.error) == (DeliveryState.PENDING, 3, "HTTP 429")
    assert round(SECOND) == 1
    assert round(MINUTE) == 0
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1
    assert read_notifications(store)[0].state is DeliveryState.SENT


def test_a_refused_message_is_given_up_with_its_reason(store: Store, gateway: Gateway, receiver: Receiver) -> None:
    given = settings_for(receiver.url)
    receiver.answer(Answer(status=404, body=b"no_service"))
    gateway.passes({"openai": 0.5})
    run_alerts(store, gateway.clock, given, EPOCH)
    for _ in range(3):
        Deliverer(store, given, gateway.clock, EPOCH).run_once()
        gateway.clock.advance(MINUTE)
    (refused,) = read_notifications(store)
    assert (refused.state, refused.error) == (DeliveryState.FAILED, "HTTP 404 (no_service)")
    assert len(receiver.requests) == 1
    job = read_job(store, DELIVERY_JOB)
    assert job is not None
    assert job.last_error == "ops: HTTP 404 (no_service)"


@contextmanager
def delivering(deliverer: Deliverer) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def test_a_slow_receiver_delays_no_other(store: Store, gateway: Gateway, receiver: Receiver) -> None:
    slow = Receiver()
    slow.start()
    slow.answer(otherwise=Answer(delay_s=60))
    entries = [
        {"name": "slow", "url": slow.url, "timeout": "30s"},
        {"name": "quick", "url": receiver.url, "timeout": "5s"},
    ]
    given = settings_for(receiver.url, receivers=entries)
    gateway.passes({"openai": 0.5, "mistral": 0.5})
    run_alerts(store, gateway.clock, given, EPOCH)
    with delivering(Deliverer(store, lambda: given, gateway.clock, lambda: EPOCH)):
        try:
            slow.wait_for(1, 20)
            began = time.monotonic()
            assert len(receiver.wait_for(2, 20)) == 2, "both incidents, while the other one is still waiting"
            for _ in range(2):
                gateway.passes()
                run_alerts(store, gateway.clock, given, EPOCH)
            assert len(receiver.wait_for(4, 20)) == 4, "and both ends"
            assert time.monotonic() - began < 25, "the slow one has not even timed out"
            assert len(slow.requests) == 1
        finally:
            slow.stop()  # answers what waits


def test_nothing_is_sent_while_another_process_is_the_active_one(store: Store, gateway: Gateway, receiver: Receiver) -> None:
    given = settings_for(receiver.url)
    epochs: list[int | None] = [None]
    gateway.passes({"openai": 0.5})
    run_alerts(store, gateway.clock, given, EPOCH)
    assert Deliverer(store, given, gateway.clock, lambda: epochs[0]).run_once().sent == 0
    epochs[0] = EPOCH + 1
    assert Deliverer(store, given, gateway.clock, lambda: epochs[0]).run_once().sent == 1


_CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from core.clock import FakeClock
from core.config import StoreSettings
from alerts.jobs import Deliverer, run_alerts
from storage.open import open_store
from tests.integration.test_alerts_store import EPOCH, settings_for

folder, url, now, part = sys.argv[1:]
store = open_store(StoreSettings(url=f"chdb://{folder}/store"), owner=True)
clock, given = FakeClock(datetime.fromisoformat(now)), settings_for(url)
if part == "evaluate":
    print(run_alerts(store, clock, given, EPOCH).notifications, flush=True)
else:
    Deliverer(store, given, clock, EPOCH).run_once()
    print("delivered", flush=True)
sys.stdin.read()
"""


@contextmanager
def process(folder: Path, url: str, now: datetime, part: str) -> Iterator[subprocess.Popen[str]]:
    """Another process over the store, which is killed at the end."""
    command = [sys.executable, "-c", _CHILD, str(folder), url, now.isoformat(), part]
    running = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate(timeout=30)


def test_killed_between_the_outbox_and_the_receiver_and_killed_before_the_answer() -> None:
    """Runs in a process of its own, because the embedded engine opens one directory a process."""
    script = "from tests.integration.test_alerts_store import killed_twice; killed_twice()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "made": 1,
        "before_kill": 0,
        "requests": ["opened", "opened"],
        "keys": 1,
        "states": ["sent"],
        "attempts": [1],
        "after": 0,
    }


def killed_twice() -> None:
    """Kill a process after it wrote the outbox, another one after it sent and before it was answered; print what came of it."""
    import tempfile

    with tempfile.TemporaryDirectory() as name, Receiver() as receiver:
        folder = Path(name)
        with chdb_store(folder) as store:
            gateway = Gateway(store)
            gateway.passes({"openai": 0.5})
        with process(folder, receiver.url, gateway.clock.now(), "evaluate") as first:
            assert first.stdout is not None
            made = int(first.stdout.readline())
        before_kill = len(receiver.requests)
        receiver.answer(Answer(delay_s=30))
        with process(folder, receiver.url, gateway.clock.now(), "deliver"):
            receiver.wait_for(1, 60)
        with chdb_store(folder) as store:
            given = settings_for(receiver.url)
            deliver: Callable[[], object] = Deliverer(store, given, gateway.clock, EPOCH).run_once
            deliver()
            after = run_alerts(store, gateway.clock, given, EPOCH).notifications
            deliver()
            rows = read_notifications(store)
        wait_until(lambda: len(receiver.requests) >= 2, 10)
        print(
            json.dumps(
                {
                    "made": made,
                    "before_kill": before_kill,
                    "requests": [request.json["reason"] for request in receiver.requests],
                    "keys": len({request.headers["idempotency-key"] for request in receiver.requests}),
                    "states": [row.state.value for row in rows],
                    "attempts": [row.attempts for row in rows],
                    "after": after,
                }
            )
        )
