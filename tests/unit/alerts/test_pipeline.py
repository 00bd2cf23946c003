"""Whole evaluations over memory: catching up, crashes between the writes, rules that cannot be read."""

from datetime import timedelta

import pytest

from alerts.pipeline import JOB, evaluate
from core.clock import FakeClock
from core.config import Settings
from core.errors import StoreError, StoreUnavailable
from core.types import IncidentState, NotifyReason
from tests.unit.alerts.builders import anomaly, settings, slow, unusual
from tests.unit.alerts.memory import MINUTE, START, Killed, MemoryRepository

OPENED, REPEATED, RESOLVED = NotifyReason.OPENED, NotifyReason.REPEATED, NotifyReason.RESOLVED
GIVEN = settings(slow())
MILLISECOND = timedelta(milliseconds=1)


class Harness:
    def __init__(self, given: Settings = GIVEN) -> None:
        self.repository, self.clock, self.settings = MemoryRepository(), FakeClock(START + 10 * timedelta(seconds=1)), given

    def minutes(self, *values: float | None, metric: str = "latency_p95") -> None:
        """Let a minute pass for each value."""
        for value in values:
            self.clock.advance(MINUTE)
            end = self.clock.now().replace(second=0)
            if value is not None:
                self.repository.put(metric, "chat", end, value)

    def run(self) -> list[NotifyReason]:
        """Evaluate; the reasons of the messages that this made."""
        before = len(self.repository.notification_events)
        self.report = evaluate(self.repository, self.clock, self.settings)
        return [one.reason for one in self.repository.notification_events[before:]]

    def states(self) -> list[IncidentState]:
        return [one.state for one in self.repository.latest_incidents()]


def test_an_incident_opens_repeats_and_ends_once_each() -> None:
    harness = Harness()
    harness.minutes(100)
    assert harness.run() == []
    harness.minutes(900)
    assert harness.run() == [OPENED]
    assert harness.run() == []
    harness.minutes(900)
    assert harness.run() == []
    assert harness.repository.latest_incidents()[0].started_at == START + MINUTE
    harness.minutes(*[900] * 240)
    assert harness.run() == [REPEATED]
    harness.minutes(100)
    assert harness.run() == []
    harness.minutes(100)
    assert harness.run() == [RESOLVED]
    assert harness.run() == []
    assert harness.states() == [IncidentState.RESOLVED]


def test_minutes_that_passed_during_a_downtime_are_caught_up_on() -> None:
    harness = Harness()
    harness.minutes(100)
    harness.run()
    harness.minutes(900, 900, 100, 100, 100, 900)
    assert harness.run() == [OPENED, RESOLVED, OPENED]
    assert harness.report.minutes == 6
    made = [one.created_at - harness.clock.now() for one in harness.repository.notification_events]
    assert made == [0 * MILLISECOND, 3 * MILLISECOND, 5 * MILLISECOND], "in the order of the minutes"


def test_a_long_downtime_tells_of_the_last_hour_only() -> None:
    harness = Harness()
    harness.minutes(100)
    harness.run()
    harness.minutes(*[900] * 10, *[100] * 90)
    assert harness.run() == []
    assert harness.report.minutes == 60


def test_history_wakes_nobody() -> None:
    harness = Harness()
    harness.minutes(900)
    harness.clock.advance(timedelta(days=100))
    assert harness.run() == []
    assert (harness.report.judged_until, harness.report.minutes) == (None, 0)


def test_no_data_ends_nothing() -> None:
    harness = Harness()
    harness.minutes(900)
    assert harness.run() == [OPENED]
    harness.minutes(*[None] * 30)
    assert harness.run() == []
    assert harness.states() == [IncidentState.FIRING]
    harness.minutes(100)
    assert harness.run() == [], "one clear minute is less than recover_after"
    harness.minutes(100)
    assert harness.run() == [RESOLVED]


def test_late_data_counts_until_the_next_minute_is_judged() -> None:
    harness = Harness()
    harness.minutes(100)
    assert harness.run() == []
    harness.repository.put("latency_p95", "chat", START + MINUTE, 900)
    assert harness.run() == [OPENED]


@pytest.mark.parametrize("write", ["incidents", "notifications", "job"])
def test_killed_at_any_write_the_next_run_makes_it_good(write: str) -> None:
    harness = Harness()
    harness.minutes(100)
    harness.run()
    for value, told in ((900.0, OPENED), (100.0, RESOLVED)):
        harness.minutes(value, value)
        harness.repository.kill_before = write
        with pytest.raises(Killed):
            harness.run()
        harness.run()
        harness.run()
        assert [one.reason for one in harness.repository.latest_notifications()].count(told) == 1
    assert len(harness.repository.latest_incidents()) == 1


def test_an_opening_lost_in_a_crash_is_told_although_it_ended_meanwhile() -> None:
    harness = Harness()
    harness.minutes(100)
    harness.run()
    harness.minutes(900)
    harness.repository.kill_before = "notifications"
    with pytest.raises(Killed):
        harness.run()
    harness.minutes(100, 100)
    assert harness.run() == [OPENED, RESOLVED]


def test_an_end_lost_in_a_crash_is_told_after_a_day_of_downtime() -> None:
    harness = Harness(settings(unusual()))
    harness.repository.stored_anomalies["a1"] = anomaly()
    harness.minutes(None, None)
    assert harness.run() == [OPENED]
    harness.repository.stored_anomalies["a1"] = anomaly(ended_at=START + 5 * MINUTE)
    harness.clock.advance(timedelta(days=1))
    harness.repository.kill_before = "notifications"
    with pytest.raises(Killed):
        harness.run()
    assert harness.run() == [RESOLVED]
    assert harness.run() == []


def test_killed_between_two_jumps_of_the_clock_an_opening_is_still_told() -> None:
    harness = Harness(settings(unusual()))
    harness.run()
    harness.clock.advance(-90 * MINUTE)
    harness.repository.stored_anomalies["a1"] = anomaly(
        started_at=harness.clock.now() - MINUTE, last_at=harness.clock.now() - MINUTE
    )
    harness.repository.kill_before = "notifications"
    with pytest.raises(Killed):
        harness.run()
    harness.clock.advance(90 * MINUTE)
    assert harness.run() == [OPENED]


def test_a_clock_set_back_makes_no_old_minute_new() -> None:
    harness = Harness()
    harness.minutes(900)
    harness.run()
    harness.minutes(*[100] * 30)
    assert harness.run() == [RESOLVED]
    harness.clock.advance(-30 * MINUTE)
    assert harness.run() == []
    harness.clock.advance(30 * MINUTE)
    harness.minutes(900)
    assert harness.run() == [OPENED]


def test_a_removed_rule_ends_its_incidents() -> None:
    harness = Harness()
    harness.minutes(900)
    harness.run()
    harness.settings = settings()
    assert harness.run() == [RESOLVED]
    harness.settings = GIVEN
    assert harness.run() == [], "the minute before its removal is the old incident's"
    harness.minutes(900)
    assert harness.run() == [OPENED], "it is back, and the condition still holds: a new incident"


def test_rules_that_ask_the_same_share_a_read() -> None:
    harness = Harness(settings(slow(), slow(name="slower", above=5000.0, hold="10m"), slow(name="other", metric="latency_p99")))
    harness.minutes(900)
    harness.run()
    assert [(query.metric, query.window) for query in harness.repository.reads] == [
        ("latency_p95", MINUTE),
        ("latency_p99", MINUTE),
    ]
    assert harness.repository.reads[0].first_end == START + MINUTE - 9 * MINUTE - 15 * MINUTE


def test_a_rule_that_cannot_be_read_keeps_its_incidents_and_harms_no_other() -> None:
    harness = Harness(settings(slow(), slow(name="other", metric="latency_p99")))
    harness.minutes(900)
    assert harness.run() == [OPENED]
    harness.repository.broken_metrics = {"latency_p95"}
    harness.repository.put("latency_p99", "chat", harness.clock.now().replace(second=0), 900)
    assert harness.run() == [OPENED]
    assert harness.report.errors == ("rule slow: latency_p95 cannot be read",)
    assert harness.states() == [IncidentState.FIRING] * 2
    job = harness.repository.jobs[JOB]
    assert (job.last_error, job.last_error_at) == (harness.report.errors[0], harness.clock.now())
    assert job.last_success_at == harness.clock.now()


def test_a_store_that_does_not_answer_is_recorded_and_caught_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness()
    harness.minutes(100)
    harness.run()
    harness.minutes(900, 100, 100)

    def down(since: object) -> None:
        raise StoreUnavailable("the store does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(harness.repository, "incidents", down)
        with pytest.raises(StoreUnavailable):
            harness.run()
    job = harness.repository.jobs[JOB]
    assert (job.last_error, job.cursor) == ("the store does not answer", START + MINUTE)
    assert harness.run() == [OPENED, RESOLVED]
    assert harness.repository.jobs[JOB].cursor == START + 4 * MINUTE


def test_a_failure_that_cannot_be_recorded_is_still_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness()

    def broken(*args: object) -> None:
        raise StoreError("read-only")

    monkeypatch.setattr(harness.repository, "incidents", broken)
    monkeypatch.setattr(harness.repository, "write_job", broken)
    with pytest.raises(StoreError, match="read-only"):
        harness.run()


def test_the_report_counts_what_fires_and_what_is_joined() -> None:
    harness = Harness(settings(slow(), unusual()))
    harness.repository.stored_anomalies["a1"] = anomaly(
        started_at=START, selector=anomaly().selector.of(service="chat"), last_at=START + MINUTE
    )
    harness.minutes(900)
    assert harness.run() == [OPENED]
    assert (harness.report.firing, harness.report.inhibited, harness.report.opened) == (2, 1, 1)
    assert harness.report.notifications == 1


def test_what_has_drifted_for_days_hides_nothing_that_breaks_now() -> None:
    harness = Harness(settings(slow(), unusual()))
    harness.repository.stored_anomalies["a1"] = anomaly(
        started_at=START - timedelta(days=3),
        opened_at=START,
        selector=anomaly().selector.of(service="chat"),
        last_at=START + MINUTE,
    )
    harness.minutes(900)
    harness.run()
    assert (harness.report.firing, harness.report.inhibited) == (2, 0)
