"""One step in the life of incidents."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.evaluate import fingerprint_of
from alerts.inhibition import INHIBITED_BY
from alerts.judgement import Clear, Firing, Judgement
from alerts.state import Cause, Decision, decide, needs_update
from core.config import AnomalyRule, Settings, ThresholdRule
from core.series import Selector
from core.types import Incident, IncidentState, NotifyReason, Severity
from tests.unit.alerts.builders import incident, settings, slow, unusual
from tests.unit.alerts.memory import MINUTE, START

NOW = START + 5 * MINUTE
OPENED, REPEATED, RESOLVED = NotifyReason.OPENED, NotifyReason.REPEATED, NotifyReason.RESOLVED
BOTH = settings(slow(), unusual())


def firing(rule: ThresholdRule | AnomalyRule | None = None, **more: Any) -> Firing:
    rule = rule or slow()
    labels = more.pop("labels", {"service": "chat"})
    known = fingerprint_of(rule, labels) if isinstance(rule, ThresholdRule) else f'{rule.name}{{anomaly="a1"}}'
    given: dict[str, Any] = {
        "rule": rule.name,
        "kind": rule.kind,
        "fingerprint": known,
        "labels": labels,
        "severity": rule.severity,
        "title": "Latency P95 above 500 ms: service chat",
        "summary": "Latency P95 was 900 ms.",
        "metric": "latency_p95",
        "value": 900.0,
        "threshold": 500.0,
        "unit": "ms",
        "since": START,
        "until": START + 2 * MINUTE,
        "held": True,
        "scopes": (Selector.of(labels),),
        "anomaly_id": "a1" if isinstance(rule, AnomalyRule) else "",
    }
    return Firing(**{**given, **more})


def odd(**more: Any) -> Firing:
    """The firing of an anomaly of service chat."""
    return firing(unusual(severity=more.pop("severity", "warning")), **more)


def clear(recovered: bool = True, since: datetime = START + 3 * MINUTE, fingerprint: str = 'slow{service="chat"}') -> Clear:
    return Clear(fingerprint=fingerprint, since=since, recovered=recovered, value=120.0)


def step(
    known: Sequence[Incident] = (),
    firings: Sequence[Firing] = (),
    clears: Sequence[Clear] = (),
    now: datetime = NOW,
    given: Settings = BOTH,
) -> Decision:
    return decide(known, [Judgement(firings=tuple(firings), clears=tuple(clears))], now, given)


def told(decision: Decision) -> list[tuple[NotifyReason, Cause]]:
    return [(notice.reason, notice.cause) for notice in decision.notices]


def only(decision: Decision) -> Incident:
    (found,) = decision.updates
    return found


def test_a_firing_that_held_opens_an_incident_and_tells_it_once() -> None:
    decision = step(firings=[firing()])
    opened = only(decision)
    assert told(decision) == [(OPENED, Cause.STARTED)]
    assert decision.notices[0].incident == opened
    assert (opened.state, opened.started_at, opened.last_notified_at) == (IncidentState.FIRING, START, NOW)
    assert (opened.fingerprint, opened.rule, opened.labels) == ('slow{service="chat"}', "slow", {"service": "chat"})
    again = step([opened], [firing()], now=NOW + MINUTE)
    assert again == Decision(), "nothing changed, so nothing is written"


def test_a_firing_that_has_not_held_opens_nothing_but_keeps_open() -> None:
    short = firing(held=False, value=700.0)
    pending = step(firings=[short])
    assert [one.state for one in pending.updates] == [IncidentState.PENDING]
    assert (pending.updates[0].opened_at, pending.notices) == (None, ())
    assert only(step([incident()], [short])).value == 700.0


def test_what_is_unknown_stays_as_it_is() -> None:
    assert step([incident()]) == Decision()


def test_a_condition_that_is_gone_but_not_long_enough_recovers_without_a_word() -> None:
    decision = step([incident()], clears=[clear(recovered=False)])
    assert [one.state for one in decision.updates] == [IncidentState.RECOVERING]
    assert decision.notices == ()
    back = step(decision.updates, firings=[firing()])
    assert [one.state for one in back.updates] == [IncidentState.FIRING]
    assert back.notices == ()


def test_a_pending_incident_fires_when_it_has_held_and_is_dropped_when_it_is_gone() -> None:
    (pending,) = step(firings=[firing(held=False)]).updates
    fires = step([pending], firings=[firing()])
    assert [(one.id, one.state, one.opened_at) for one in fires.updates] == [(pending.id, IncidentState.FIRING, NOW)]
    assert [one.reason for one in fires.notices] == [OPENED]
    gone = step([pending], clears=[clear(recovered=False)])
    assert [(one.state, one.opened_at) for one in gone.updates] == [(IncidentState.RESOLVED, None)]
    assert gone.notices == ()
    again = step(gone.updates, firings=[firing()])
    assert [one.reason for one in again.notices] == [OPENED], "what never fired does not stand in the way"


def test_minutes_judged_again_after_a_crash_do_not_open_what_began_after_them() -> None:
    """The process was killed after it had written a pending incident and before it had noted how far it had judged."""
    (pending,) = step(firings=[firing(held=False, since=START + 4 * MINUTE, until=START + 5 * MINUTE)]).updates
    assert step([pending], firings=[firing()]).updates == ()


def test_a_recovered_condition_ends_the_incident_and_tells_it() -> None:
    decision = step([incident()], clears=[clear()])
    ended = only(decision)
    assert told(decision) == [(RESOLVED, Cause.RECOVERED)]
    assert (ended.state, ended.resolved_at, ended.last_notified_at) == (IncidentState.RESOLVED, START + 3 * MINUTE, NOW)
    assert ended.summary == "Latency P95 was 900 ms. Ended 2026-03-02 12:03 UTC after 3 min; back at 120 ms."
    assert ended.value == 900.0, "the message about the end still says how bad it was"
    assert step([ended], clears=[clear()], now=NOW + MINUTE) == Decision()


def test_a_firing_after_the_end_is_a_new_incident() -> None:
    ended = only(step([incident()], clears=[clear()]))
    decision = step([ended], [firing(since=NOW, until=NOW + MINUTE)], now=NOW + MINUTE)
    assert told(decision) == [(OPENED, Cause.STARTED)]
    assert only(decision).id != ended.id


def test_minutes_that_are_judged_again_after_a_crash_neither_open_nor_end_anything() -> None:
    ended = only(step([incident()], clears=[clear()]))
    assert ended.resolved_at == START + 3 * MINUTE
    assert step([ended], [firing(until=START + 3 * MINUTE)]) == Decision()
    assert step([incident()], clears=[clear(since=START - MINUTE)]) == Decision()


def test_ids_differ_although_the_clock_was_set_back() -> None:
    first = only(step(firings=[firing()]))
    ended = only(step([first], clears=[clear()]))
    assert only(step([ended], [firing(until=NOW)])).id != first.id


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(hours=4) - MINUTE, []),
        (timedelta(hours=4), [(REPEATED, Cause.REPEAT_INTERVAL_ELAPSED)]),
        (timedelta(days=3), [(REPEATED, Cause.REPEAT_INTERVAL_ELAPSED)]),
        (-timedelta(hours=3), []),
        (-timedelta(hours=5), [(REPEATED, Cause.REPEAT_INTERVAL_ELAPSED)]),
    ],
)
def test_it_repeats_by_the_distance_to_the_last_message(after: timedelta, expected: list[object]) -> None:
    known = incident(last_notified_at=NOW)
    decision = step([known], [firing()], now=NOW + after)
    assert told(decision) == expected
    if expected:
        assert only(decision).last_notified_at == NOW + after


def test_it_repeats_without_fresh_data_but_not_while_it_is_clear() -> None:
    later = NOW + timedelta(hours=5)
    assert told(step([incident()], now=later)) == [(REPEATED, Cause.REPEAT_INTERVAL_ELAPSED)]
    assert told(step([incident()], clears=[clear(recovered=False)], now=later)) == []


@pytest.mark.parametrize(
    ("last", "labels", "breaches", "clears", "expected"),
    [
        (None, {}, True, False, Cause.STARTED),
        (None, {INHIBITED_BY: "x"}, True, False, Cause.NO_LONGER_INHIBITED),
        (None, {INHIBITED_BY: "x"}, False, False, None),
        (NOW, {}, True, False, None),
        (NOW - timedelta(hours=4), {}, False, False, Cause.REPEAT_INTERVAL_ELAPSED),
        (NOW - timedelta(hours=4), {}, False, True, None),
    ],
)
def test_needs_update_names_its_cause(
    last: datetime | None, labels: dict[str, str], breaches: bool, clears: bool, expected: Cause | None
) -> None:
    known = incident(last_notified_at=last, labels=labels)
    assert needs_update(known, NOW, timedelta(hours=4), breaches=breaches, clears=clears) is expected


def test_an_open_incident_follows_what_is_observed() -> None:
    changed = only(step([incident()], [firing(value=1500.0, summary="worse", labels={"service": "chat"})]))
    assert (changed.value, changed.summary, changed.updated_at) == (1500.0, "worse", NOW)
    assert changed.started_at == incident().started_at


def test_an_unknown_threshold_is_not_a_change() -> None:
    known = only(step(firings=[odd(threshold=float("nan"))]))
    read_back = replace(known, threshold=float("nan"))
    assert step([read_back], [odd(threshold=float("nan"))], now=NOW + MINUTE) == Decision()


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (settings(), Cause.RULE_REMOVED),
        (settings(unusual(name="slow")), Cause.RULE_REMOVED),
        (settings(slow(by=["provider"])), Cause.RULE_CHANGED),
        (settings(slow(selector={"gateway": "gw-1"})), Cause.RULE_CHANGED),
    ],
)
def test_a_rule_that_is_gone_ends_its_incidents_and_says_so(given: Settings, cause: Cause) -> None:
    decision = step([incident()], given=given)
    assert told(decision) == [(RESOLVED, cause)]
    assert only(decision).summary == f"Latency P95 was 900 ms. Ended: {cause.value}."
    assert only(decision).resolved_at == NOW


def test_switching_detection_off_ends_the_incidents_of_anomalies() -> None:
    off = settings(unusual(), detection={"enabled": False})
    known = incident(rule="unusual", kind="anomaly", fingerprint='unusual{anomaly="a1"}', anomaly_id="a1")
    assert told(step([known], [odd()], given=off)) == [(RESOLVED, Cause.DETECTION_OFF)]
    assert step(firings=[odd()], given=off) == Decision()


def test_changing_a_limit_keeps_the_incident() -> None:
    assert step([incident()], given=settings(slow(above=800.0))) == Decision()


def test_an_anomaly_that_ended_ends_its_incident() -> None:
    known = only(step(firings=[odd()]))
    gone = Clear(fingerprint=known.fingerprint, since=START + 3 * MINUTE, recovered=True)
    ended = step([known], clears=[gone])
    assert told(ended) == [(RESOLVED, Cause.ANOMALY_ENDED)]
    assert only(ended).summary == "Latency P95 was 900 ms. Ended 2026-03-02 12:03 UTC after 3 min."


def test_an_anomaly_that_came_and_went_during_a_downtime_is_told_then_ended() -> None:
    over = odd(until=START + 3 * MINUTE)
    gone = clear(fingerprint='unusual{anomaly="a1"}')
    first = step(firings=[over], clears=[gone])
    assert told(first) == [(OPENED, Cause.STARTED)]
    second = step([only(first)], [over], [gone], now=NOW + MINUTE)
    assert told(second) == [(RESOLVED, Cause.ANOMALY_ENDED)]
    assert step([only(second)], [over], [gone], now=NOW + 2 * MINUTE) == Decision()


def test_without_receivers_an_incident_is_recorded_and_told_once_there_are_some() -> None:
    nobody = settings(slow(), receivers=())
    known = only(step(firings=[firing()], given=nobody))
    assert known.last_notified_at is None
    assert told(step([known], [firing()], given=nobody)) == []
    assert told(step([known], [firing()])) == [(OPENED, Cause.STARTED)]


def test_a_threshold_in_an_anomaly_is_recorded_but_not_told() -> None:
    decision = step(firings=[firing(), odd()])
    assert told(decision) == [(OPENED, Cause.STARTED)]
    by_rule = {update.rule: update for update in decision.updates}
    assert decision.notices[0].incident.rule == "unusual"
    assert by_rule["slow"].labels[INHIBITED_BY] == by_rule["unusual"].id
    assert by_rule["slow"].last_notified_at is None


def test_an_anomaly_that_drifted_for_days_before_it_was_told_hides_nothing() -> None:
    drift = replace(odd(), since=NOW - timedelta(days=8))
    assert told(step(firings=[firing(), drift])) == [(OPENED, Cause.STARTED)] * 2


def joined() -> tuple[Incident, Incident]:
    """The incident of an anomaly, and that of a threshold which is joined to it."""
    decision = step(firings=[odd(), firing()])
    by_rule = {update.rule: update for update in decision.updates}
    return by_rule["unusual"], by_rule["slow"]


def test_a_joined_incident_is_told_if_it_fires_on_after_the_anomaly_ended() -> None:
    cause, effect = joined()
    decision = step([cause, effect], [firing()], [clear(fingerprint=cause.fingerprint)], now=NOW + MINUTE)
    assert told(decision) == [(RESOLVED, Cause.ANOMALY_ENDED), (OPENED, Cause.NO_LONGER_INHIBITED)]
    assert INHIBITED_BY not in decision.notices[1].incident.labels


def test_a_joined_incident_that_ends_with_the_anomaly_is_never_told() -> None:
    cause, effect = joined()
    first = step([cause, effect], [], [clear(False), clear(fingerprint=cause.fingerprint)], now=NOW + MINUTE)
    assert told(first) == [(RESOLVED, Cause.ANOMALY_ENDED)]
    second = step([*first.updates, effect], clears=[clear()], now=NOW + 2 * MINUTE)
    assert told(second) == []
    assert only(second).state is IncidentState.RESOLVED


def test_a_joined_incident_never_repeats() -> None:
    cause, effect = joined()
    later = step([cause, effect], [odd(), firing()], now=NOW + timedelta(hours=5))
    assert [notice.incident.rule for notice in later.notices] == ["unusual"]


def test_what_was_told_before_the_anomaly_stays_told() -> None:
    known = only(step(firings=[firing()]))
    decision = step([known], [firing(), odd()], now=NOW + MINUTE)
    assert [notice.incident.rule for notice in decision.notices] == ["unusual"]
    assert INHIBITED_BY not in decision.updates[0].labels


def test_a_critical_threshold_is_not_hidden_behind_a_warning() -> None:
    critical = slow(severity="critical")
    given = settings(critical, unusual())
    assert told(step(firings=[firing(critical), odd()], given=given)) == [(OPENED, Cause.STARTED)] * 2


def test_a_threshold_for_another_team_is_told() -> None:
    given = settings(slow(receivers=["pager"]), unusual(receivers=["chat"]), receivers=("chat", "pager"))
    assert told(step(firings=[firing(), odd()], given=given)) == [(OPENED, Cause.STARTED)] * 2


def test_a_thousand_series_of_one_cause_are_one_message() -> None:
    everywhere = [firing(labels={"service": f"s{number}"}) for number in range(1000)]
    cause = odd(labels={}, scopes=(Selector.of({}),))
    decision = step(firings=[*everywhere, cause])
    assert len(decision.updates) == 1001
    assert [notice.incident.rule for notice in decision.notices] == ["unusual"]


def test_severity_follows_the_configuration() -> None:
    given = settings(slow(severity="critical"))
    assert only(step([incident()], [firing(slow(severity="critical"))], given=given)).severity is Severity.CRITICAL
