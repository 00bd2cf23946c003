"""What is not told, or told to others: silences, maintenance windows, acknowledgements, routes, intervals and groups."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.grouping import GROUP_SIZE, GROUPED_INTO
from alerts.judgement import Clear, Judgement
from alerts.matching import within
from alerts.routing import receivers_of_incident, repeat_interval
from alerts.silences import SILENCED_BY, check_windows, window_at
from alerts.state import ACKNOWLEDGED_BY, EXPECTED, Decision, decide
from core.alert_settings import MaintenanceSettings, TimeInterval
from core.config import Settings
from core.errors import ConfigError
from core.types import Action, Incident, IncidentAction, IncidentState, NotifyReason, Severity
from tests.unit.alerts.builders import incident, settings, silence, slow, unusual
from tests.unit.alerts.memory import MINUTE, START
from tests.unit.alerts.test_state import firing, odd

NOW = START + 5 * MINUTE
SECOND = timedelta(seconds=1)


def run(
    known: Sequence[Incident],
    given: Settings,
    now: datetime = NOW,
    *,
    firings: Sequence[Any] = (),
    clears: Sequence[Clear] = (),
    **more: Any,
) -> Decision:
    return decide(known, [Judgement(firings=tuple(firings), clears=tuple(clears))], now, given, **more)


def after(known: Sequence[Incident], decision: Decision) -> list[Incident]:
    """All incidents as they are after a step."""
    return list({one.id: one for one in (*known, *decision.updates)}.values())


def reasons(decision: Decision) -> list[str]:
    return [notice.reason.value for notice in decision.notices]


def test_a_silence_mutes_and_shows_it_and_what_still_fires_at_its_end_is_told() -> None:
    given = settings(slow())
    muted = run([], given, firings=[firing()], silences=[silence()])
    (one,) = muted.updates
    assert (one.state, one.labels[SILENCED_BY], reasons(muted)) == (IncidentState.FIRING, "s1", [])
    told = run(muted.updates, given, START + timedelta(hours=1), firings=[firing()], silences=[silence()])
    assert reasons(told) == ["opened"]
    assert SILENCED_BY not in told.updates[0].labels


def test_what_ends_under_a_silence_is_never_told() -> None:
    given = settings(slow())
    muted = run([], given, firings=[firing()], silences=[silence()])
    clear = Clear(fingerprint=muted.updates[0].fingerprint, since=START + 3 * MINUTE, recovered=True)
    ended = run(muted.updates, given, firings=[], clears=[clear], silences=[silence()])
    assert (ended.updates[0].state, reasons(ended)) == (IncidentState.RESOLVED, [])


def test_a_silence_holds_back_reminders_but_not_the_end_of_what_was_told() -> None:
    given, late = settings(slow()), NOW + timedelta(hours=9)
    long = silence(ends_at=late + MINUTE)
    quiet = run([incident()], given, late, firings=[firing()], silences=[long])
    assert reasons(quiet) == []
    assert quiet.updates[0].labels[SILENCED_BY] == "s1"
    clear = Clear(fingerprint=incident().fingerprint, since=START + 3 * MINUTE, recovered=True)
    assert reasons(run([incident()], given, late, clears=[clear], silences=[long])) == ["resolved"]


@pytest.mark.parametrize("match", [{"service": "search"}, {"service": "~ch"}, {"severity": "critical"}, {"team": "x"}])
def test_a_silence_of_something_else_mutes_nothing(match: dict[str, str]) -> None:
    assert reasons(run([], settings(slow()), firings=[firing()], silences=[silence(match=match)])) == ["opened"]


@pytest.mark.parametrize("match", [{}, {"service": "~c.*"}, {"rule": "slow", "severity": "warning", "metric": "latency_p95"}])
def test_a_silence_matches_by_labels_rule_and_severity(match: dict[str, str]) -> None:
    assert reasons(run([], settings(slow()), firings=[firing()], silences=[silence(match=match)])) == []


def said(action: Action, **more: Any) -> IncidentAction:
    return IncidentAction(**{"id": "n1", "incident_id": "i1", "action": action, "receiver": "chat", "at": NOW, **more})


def test_what_was_acknowledged_is_not_repeated_and_its_end_is_told() -> None:
    given, late = settings(slow()), NOW + timedelta(hours=9)
    assert reasons(run([incident()], given, late, firings=[firing()])) == ["repeated"]
    seen = run([incident()], given, firings=[firing()], actions=[said(Action.ACKNOWLEDGE)])
    assert (seen.updates[0].state, seen.updates[0].labels[ACKNOWLEDGED_BY]) == (IncidentState.ACKNOWLEDGED, "chat")
    known = after([incident()], seen)
    assert reasons(run(known, given, late, firings=[firing()])) == []
    recovering = run(known, given, clears=[Clear(fingerprint=incident().fingerprint, since=NOW, recovered=False)])
    known = after(known, recovering)
    assert run(known, given, firings=[firing()]).updates[0].state is IncidentState.ACKNOWLEDGED
    clear = Clear(fingerprint=incident().fingerprint, since=NOW, recovered=True)
    assert reasons(run(known, given, late, clears=[clear])) == ["resolved"]


def test_an_action_that_is_read_again_changes_nothing() -> None:
    given = settings(slow())
    for action in Action:
        once = after([incident()], run([incident()], given, actions=[said(action)]))
        assert run(once, given, NOW + MINUTE, actions=[said(action)]) == Decision()


def test_a_snooze_holds_back_reminders_until_it_ends() -> None:
    given = settings(slow(), routing={"repeat_interval": "10m"})
    known = after([incident()], run([incident()], given, actions=[said(Action.SNOOZE)]))
    assert reasons(run(known, given, NOW + timedelta(minutes=59), firings=[firing()])) == []
    assert reasons(run(known, given, NOW + timedelta(minutes=60), firings=[firing()])) == ["repeated"]


def test_expected_is_an_acknowledgement_that_says_so() -> None:
    (found,) = run([incident()], settings(slow()), actions=[said(Action.EXPECTED)]).updates
    assert (found.state, found.labels[EXPECTED]) == (IncidentState.ACKNOWLEDGED, "yes")


def test_nothing_can_be_said_of_what_has_ended() -> None:
    ended = incident(state=IncidentState.RESOLVED, resolved_at=NOW)
    assert run([ended], settings(slow()), actions=[said(Action.ACKNOWLEDGE)]) == Decision()


def window(**more: Any) -> MaintenanceSettings:
    return MaintenanceSettings.model_validate({"name": "night", "cron": "0 2 * * *", "duration": "1h", **more})


@pytest.mark.parametrize(
    ("at", "zone", "open_"),
    [
        (datetime(2026, 3, 2, 2, 0, tzinfo=UTC), "UTC", True),
        (datetime(2026, 3, 2, 2, 59, tzinfo=UTC), "UTC", True),
        (datetime(2026, 3, 2, 3, 0, tzinfo=UTC), "UTC", False),
        (datetime(2026, 3, 2, 1, 59, tzinfo=UTC), "UTC", False),
        (datetime(2026, 3, 2, 1, 30, tzinfo=UTC), "Europe/Berlin", True),
        (datetime(2026, 7, 2, 0, 30, tzinfo=UTC), "Europe/Berlin", True),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "Europe/Berlin", True),  # 02:00 does not exist: it is done at 03:00
    ],
)
def test_a_maintenance_window_recurs_in_its_time_zone(at: datetime, zone: str, open_: bool) -> None:
    assert (window_at(window(), at, ZoneInfo(zone)) is not None) is open_
    assert (window_at(window(time_zone=zone), at, ZoneInfo("Asia/Tokyo")) is not None) is open_


def test_a_cron_expression_that_is_none_is_named() -> None:
    check_windows([window()])
    with pytest.raises(ConfigError, match=r"silences\.1\.cron: 'every day' is no cron expression"):
        check_windows([window(), window(cron="every day")])


@pytest.mark.parametrize(
    ("days", "start", "end", "at", "inside"),
    [
        (["mon-fri"], "08:00", "18:00", "2026-03-02T08:00", True),  # a Monday
        (["mon-fri"], "08:00", "18:00", "2026-03-02T18:00", False),
        (["mon-fri"], "08:00", "18:00", "2026-03-07T12:00", False),
        (["fri"], "22:00", "06:00", "2026-03-07T05:59", True),  # Friday's night reaches into Saturday
        (["fri"], "22:00", "06:00", "2026-03-06T05:59", False),
        (["sat-mon"], "00:00", "24:00", "2026-03-01T23:59", True),
    ],
)
def test_time_intervals(days: list[str], start: str, end: str, at: str, inside: bool) -> None:
    interval = TimeInterval.model_validate({"name": "x", "days": days, "from": start, "to": end, "time_zone": "Europe/Berlin"})
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert within(interval, moment, ZoneInfo("UTC")) is inside


ROUTES = {
    "receivers": ["chat"],
    "routes": [
        {
            "match": {"service": "chat"},
            "routes": [{"match": {"severity": "critical"}, "receivers": ["pager"], "repeat_interval": "1h"}],
        },
        {"match": {"service": "~search|find"}, "receivers": ["search"], "continue": True},
        {"match": {"service": "search"}, "receivers": ["night"], "active": ["nights"]},
    ],
}
NIGHTS = [{"name": "nights", "from": "22:00", "to": "06:00"}]


@pytest.mark.parametrize(
    ("labels", "severity", "hour", "told"),
    [
        ({"service": "chat"}, "warning", 12, ["chat"]),
        ({"service": "chat"}, "critical", 12, ["pager"]),
        ({"service": "find"}, "warning", 12, ["search"]),
        ({"service": "search"}, "warning", 12, ["search"]),
        ({"service": "search"}, "warning", 23, ["search", "night"]),
        ({"service": "other"}, "critical", 12, ["chat"]),
    ],
)
def test_who_is_told_by_labels_and_time(labels: dict[str, str], severity: str, hour: int, told: list[str]) -> None:
    given = settings(slow(), receivers=("chat", "pager", "search", "night"), routing=ROUTES, time_intervals=NIGHTS)
    one = incident(labels=labels, severity=Severity(severity))
    found = receivers_of_incident(one, given, START.replace(hour=hour))
    assert [receiver.name for receiver in found] == told


def test_the_innermost_repeat_interval_counts() -> None:
    given = settings(slow(), receivers=("chat", "pager", "search", "night"), routing=ROUTES, time_intervals=NIGHTS)
    assert repeat_interval(incident(severity=Severity.CRITICAL), given) == timedelta(hours=1)
    assert repeat_interval(incident(), given) == timedelta(hours=4)


def test_what_began_in_a_muted_interval_is_told_when_that_ends() -> None:
    routing = {"routes": [{"match": {}, "mute": ["nights"]}]}
    given = settings(slow(), routing=routing, time_intervals=NIGHTS)
    night = START.replace(hour=23)
    opened = run([], given, night, firings=[firing()])
    assert reasons(opened) == []
    assert reasons(run(opened.updates, given, night + timedelta(hours=8), firings=[firing()])) == ["opened"]


GROUPING = {"group_wait": "20s", "group_wait_critical": "5s", "group_from": 3}


def many(count: int, **more: Any) -> list[Any]:
    rule = slow(by=["provider", "route"], severity=more.pop("severity", "warning"))
    return [firing(rule, labels={"provider": "openai", "route": f"/r{number}"}, **more) for number in range(count)]


def test_a_wait_of_five_seconds_is_over_at_the_run_five_seconds_later_even_a_little_early() -> None:
    critical = slow(severity="critical")
    given, firings = settings(critical, routing=GROUPING), [firing(critical)]
    first = run([], given, firings=firings)
    known = after([], first)
    early, timely = (run(known, given, NOW + timedelta(seconds=wait), firings=firings) for wait in (4.2, 4.9))
    assert (reasons(first), reasons(early), len(reasons(timely))) == ([], [], 1)


@pytest.mark.parametrize(("severity", "wait_s"), [("critical", 5), ("warning", 20)])
def test_a_thousand_series_that_break_for_one_cause_are_one_incident(severity: str, wait_s: int) -> None:
    rule = slow(by=["provider", "route"], severity=severity)
    given = settings(rule, unusual(severity=severity), routing=GROUPING)
    firings = many(1000, severity=severity)
    first = run([], given, firings=firings[:600])
    assert reasons(first) == [], "it waits for others of its cause"
    known = after([], first)
    told = run(known, given, NOW + wait_s * SECOND, firings=firings)
    known = after(known, told)
    (notice,) = told.notices
    assert notice.incident.title == "Latency P95 above 500 ms: provider openai, 1,000 routes"
    assert notice.incident.labels == {"provider": "openai", GROUP_SIZE: "1000"}
    assert [(cause.text, cause.share) for cause in notice.incident.causes] == [("provider openai", 1.0)]
    assert notice.incident.started_at == START

    explained = odd(severity=severity, labels={"provider": "openai"})
    more = run(known, given, NOW + timedelta(seconds=90), firings=[*many(1100, severity=severity), explained])
    assert reasons(more) == [], "neither more of the same nor the anomaly behind it is told again"
    known = after(known, more)
    fingerprints = [one.fingerprint for one in known if GROUPED_INTO in one.labels]
    assert len(fingerprints) == 1101
    ends = [Clear(fingerprint=name, since=NOW + 3 * MINUTE, recovered=True) for name in fingerprints]
    half = run(known, given, NOW + 5 * MINUTE, clears=ends[:700])
    assert reasons(half) == []
    ended = run(after(known, half), given, NOW + 6 * MINUTE, clears=ends)
    assert reasons(ended) == ["resolved"]
    assert ended.notices[0].incident.id == notice.incident.id


def test_two_causes_are_two_groups_and_few_are_told_alone() -> None:
    rule = slow(by=["provider", "route"])
    given = settings(rule, routing={**GROUPING, "group_wait": "0s"})
    other = [firing(rule, labels={"provider": "aws", "route": f"/x{number}"}) for number in range(3)]
    lone = firing(rule, labels={"provider": "local", "route": "/only"})
    told = run([], given, firings=[*many(5), *other, lone])
    titles = sorted(notice.incident.title for notice in told.notices)
    assert titles == [
        "Latency P95 above 500 ms: provider aws, 3 routes",
        "Latency P95 above 500 ms: provider openai, 5 routes",
        "Latency P95 above 500 ms: service chat",
    ]


def test_a_critical_incident_is_not_hidden_in_a_group_of_warnings() -> None:
    rule = slow(by=["provider", "route"])
    severe = slow(name="severe", by=["provider"], severity="critical")
    given = settings(rule, severe, routing={**GROUPING, "group_wait": "0s", "group_wait_critical": "0s"})
    told = run([], given, firings=many(5))
    late = firing(severe, labels={"provider": "openai"})
    again = run(after([], told), given, NOW + MINUTE, firings=[*many(5), late])
    assert [(notice.reason, notice.incident.severity) for notice in again.notices] == [(NotifyReason.OPENED, Severity.CRITICAL)]


def test_a_group_ends_with_its_rule() -> None:
    given = settings(slow(by=["provider", "route"]), routing={**GROUPING, "group_wait": "0s"})
    told = run([], given, firings=many(5))
    ended = run(after([], told), settings(unusual()), NOW + MINUTE)
    assert reasons(ended) == ["resolved"]
    assert all(one.state is IncidentState.RESOLVED for one in after(told.updates, ended))
    assert replace(ended.notices[0].incident, summary="").fingerprint.startswith("slow{group=")
