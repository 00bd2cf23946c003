"""Incidents against a reference, and against invariants under restarts, kills, clock jumps and changed configurations."""

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alerts.delivery import Courier
from alerts.memory import AlertMemory
from alerts.pipeline import evaluate
from core.clock import FakeClock
from core.config import Settings
from core.series import Selector
from core.types import Action, DeliveryState, IncidentAction, IncidentState, NotifyReason
from tests.unit.alerts import builders
from tests.unit.alerts.memory import MINUTE, START, Killed, MemoryPost, MemoryRepository, unavailable

HOLD, RECOVER = 2, 3
SLOW = builders.slow(hold=timedelta(minutes=HOLD), recover_after=timedelta(minutes=RECOVER))
ODD = builders.unusual()
NAMES = ("chat", "search")
BAD, GOOD = 900.0, 100.0
WRITES = ["", "incidents", "notifications", "job"]


class World:
    """A store, a clock, a receiver that fails at times, and a process that may be killed."""

    def __init__(self, given_settings: Settings) -> None:
        self.repository, self.clock, self.post = MemoryRepository(), FakeClock(START + timedelta(seconds=20)), MemoryPost()
        self.settings, self.memory = given_settings, AlertMemory()
        self.rules: tuple[Any, ...] = ()
        self.routing: dict[str, Any] = {}

    def configure(self) -> None:
        """Put other rules or another grouping in force."""
        self.settings = builders.settings(*self.rules, routing=self.routing)

    def minute(self, values: Sequence[float | None]) -> None:
        self.clock.advance(MINUTE)
        end = self.clock.now().replace(second=0, microsecond=0)
        for name, value in zip(NAMES, values, strict=True):
            if value is not None:
                self.repository.put("latency_p95", name, end, value)

    def evaluate(self, kill_before: str = "") -> None:
        self.repository.kill_before = kill_before
        try:
            evaluate(self.repository, self.clock, self.settings, self.memory)
        except Killed:
            self.memory = AlertMemory()  # another process
        self.repository.kill_before = ""

    def deliver(self, kill_before_write: bool = False) -> None:
        """One round of a new process; it may be killed after it sent and before it wrote so."""
        courier = Courier(self.post, self.clock, threading.Event())
        self.repository.kill_before = "notifications" if kill_before_write else ""
        try:
            with contextlib.suppress(Killed):
                courier.start(self.repository, self.settings)
                courier.wait()
        finally:
            self.repository.kill_before = ""
            courier.close()

    def settle(self) -> None:
        """Evaluate and deliver until nothing is left to do."""
        self.post.script = []
        self.evaluate()
        for _ in range(200):
            if all(one.state is not DeliveryState.PENDING for one in self.repository.latest_notifications()):
                return
            self.clock.advance(timedelta(seconds=30))
            self.deliver()
        raise AssertionError("messages are still pending")

    def arrived(self) -> list[tuple[str, str]]:
        """Incident and reason of each message that arrived, in order; a key counts once, as a receiver would count it."""
        first = {key: json.loads(payload) for _, key, payload in reversed(self.post.taken)}
        return [(found["incident"]["id"], found["reason"]) for found in reversed(first.values())]


def expected_incidents(values: Sequence[float | None]) -> list[str]:
    """What one series must tell, by a plain reading of the rule: minutes without data do not exist."""
    told, run, last, burning = [], 0, None, False
    for value in (value for value in values if value is not None):
        run, last = (run + 1 if value == last else 1), value
        if not burning and value == BAD and run >= HOLD:
            burning = True
            told.append("opened")
        elif burning and value == GOOD and run >= RECOVER:
            burning = False
            told.append("resolved")
    return told


steps = st.lists(
    st.tuples(
        st.lists(st.sampled_from([BAD, BAD, GOOD, GOOD, None]), min_size=1, max_size=4),  # minutes that pass
        st.sampled_from(WRITES),  # where the evaluation is killed, if anywhere
        st.booleans(),  # whether the delivery is killed
        st.sampled_from(["up", "down"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@example([([BAD, BAD, GOOD], "incidents", False, "up"), ([GOOD, GOOD, BAD], "notifications", False, "up")])
@given(steps)
def test_whatever_is_killed_each_opening_and_end_arrives_exactly_once(
    script: list[tuple[list[float | None], str, bool, str]],
) -> None:
    world = World(builders.settings(SLOW))
    world.minute([GOOD, None])
    world.evaluate()
    values: list[float | None] = [GOOD]
    for minutes, kill, kill_delivery, receiver in script:
        for value in minutes:
            world.minute([value, None])
            values.append(value)
        world.evaluate(kill)
        world.post.script = [unavailable()] * 3 if receiver == "down" else []
        world.deliver(kill_delivery)
    world.settle()
    assert [reason for _, reason in world.arrived()] == expected_incidents(values)


class Life(RuleBasedStateMachine):
    """Two series under a threshold rule and anomalies that come and go, whatever else happens."""

    @initialize()
    def begin(self) -> None:
        self.world = World(builders.settings(SLOW, ODD))
        self.world.rules = (SLOW, ODD)
        self.world.minute([GOOD, GOOD])
        self.count = 0

    @rule(values=st.tuples(*[st.sampled_from([BAD, GOOD, None])] * 2), again=st.integers(1, 3))
    def minutes_pass(self, values: tuple[float | None, ...], again: int) -> None:
        for _ in range(again):
            self.world.minute(values)
        self.world.evaluate()

    @rule(kill=st.sampled_from(WRITES))
    def evaluate(self, kill: str) -> None:
        self.world.evaluate(kill)

    @rule(kill=st.booleans(), failures=st.integers(0, 2))
    def deliver(self, kill: bool, failures: int) -> None:
        self.world.post.script = [unavailable()] * failures
        self.world.deliver(kill)

    @rule(minutes=st.sampled_from([-90, -5, -1, 5, 90, 60 * 24 * 3]))
    def the_clock_jumps(self, minutes: int) -> None:
        self.world.clock.advance(minutes * MINUTE)

    @rule(choice=st.integers(0, 100), action=st.sampled_from(Action))
    def somebody_acts(self, choice: int, action: Action) -> None:
        if known := self.world.repository.latest_incidents():
            self.count += 1
            at = self.world.clock.now()
            said = IncidentAction(
                id=f"n{self.count}", incident_id=known[choice % len(known)].id, action=action, receiver="chat", at=at
            )
            self.world.repository.said.append(said)

    @rule(minutes=st.sampled_from([1, 30]), service=st.sampled_from([*NAMES, "~.*"]))
    def somebody_silences(self, minutes: int, service: str) -> None:
        now = self.world.clock.now()
        silence = builders.silence(match={"service": service}, starts_at=now, ends_at=now + minutes * MINUTE)
        self.world.repository.stored_silences.append(silence)

    @rule(group_from=st.sampled_from([2, 1000]), wait=st.sampled_from(["0s", "20s"]))
    def grouping_changes(self, group_from: int, wait: str) -> None:
        self.world.routing = {"group_from": group_from, "group_wait": wait}
        self.world.configure()

    @rule(which=st.sampled_from([(SLOW, ODD), (SLOW,), (ODD,), ()]))
    def the_configuration_changes(self, which: tuple[Any, ...]) -> None:
        self.world.rules = which
        self.world.configure()

    @rule(service=st.sampled_from([*NAMES, ""]), severity=st.sampled_from([0.3, 0.9]))
    def an_anomaly_begins(self, service: str, severity: float) -> None:
        self.count += 1
        now = self.world.clock.now().replace(second=0, microsecond=0)
        selector = Selector.of(service=service) if service else Selector()
        found = builders.anomaly(f"a{self.count}", started_at=now - MINUTE, last_at=now, severity=severity, selector=selector)
        self.world.repository.stored_anomalies[found.id] = found

    @precondition(lambda self: self.world.repository.stored_anomalies)
    @rule(choice=st.integers(0, 100))
    def an_anomaly_ends(self, choice: int) -> None:
        anomalies = self.world.repository.stored_anomalies
        chosen = anomalies[sorted(anomalies)[choice % len(anomalies)]]
        ended = max(self.world.clock.now(), chosen.last_at + MINUTE)
        anomalies[chosen.id] = builders.anomaly(
            chosen.id, started_at=chosen.started_at, last_at=chosen.last_at, severity=chosen.severity,
            selector=chosen.selector, ended_at=chosen.ended_at or ended,
        )  # fmt: skip

    @invariant()
    def at_most_one_incident_of_a_fingerprint_fires(self) -> None:
        alive = [one for one in self.world.repository.latest_incidents() if one.state is not IncidentState.RESOLVED]
        assert len({one.fingerprint for one in alive}) == len(alive)

    @invariant()
    def an_incident_never_fires_again_after_its_end(self) -> None:
        ended: set[str] = set()
        for event in self.world.repository.incident_events:
            assert event.id not in ended or event.state is IncidentState.RESOLVED
            if event.state is IncidentState.RESOLVED:
                ended.add(event.id)

    @invariant()
    def openings_and_ends_are_made_at_most_once_and_ends_only_after_openings(self) -> None:
        rows = Counter((one.incident_id, one.reason) for one in self.world.repository.latest_notifications())
        for (incident_id, reason), count in rows.items():
            assert count == 1 or reason is NotifyReason.REPEATED
            assert (incident_id, NotifyReason.OPENED) in rows

    @invariant()
    def nothing_arrives_before_its_opening_or_after_its_end(self) -> None:
        seen: dict[str, list[str]] = {}
        for incident_id, reason in self.world.arrived():
            seen.setdefault(incident_id, []).append(reason)
        for reasons in seen.values():
            assert reasons[0] == "opened"
            assert "resolved" not in reasons[:-1]

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.clock.set(max([world.clock.now(), *(one.created_at for one in world.repository.latest_notifications())]))
        world.settle()
        told = Counter(world.arrived())
        for one in world.repository.latest_incidents():
            was_told = one.last_notified_at is not None
            assert told[(one.id, "opened")] == int(was_told)
            assert told[(one.id, "resolved")] == int(was_told and one.state is IncidentState.RESOLVED)


TestLife = Life.TestCase
TestLife.settings = settings(deadline=None, max_examples=25, stateful_step_count=30)
