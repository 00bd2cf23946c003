"""The state machine: when anomalies open and end, what belongs together, and that restarts change nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.detect import MinuteVerdict, severity_of
from analytics.run_state import RunSettings, RunState, Versions
from analytics.runs import advance
from core.series import ALL_CALLS, Selector
from core.types import Anomaly
from tests.unit.analytics.builders import MINUTE, MONDAY, Point, minute_of

SETTINGS = RunSettings()
VERSIONS = Versions(model="m1", baseline="b1")
OPENAI, MISTRAL = Selector.of(provider="openai"), Selector.of(provider="mistral")
TEAM = Selector.of(tenant="team-1")
ROWS = (ALL_CALLS, OPENAI, MISTRAL, TEAM)
CALLS = dict(zip(ROWS, (300.0, 100.0, 200.0, 30.0), strict=True))

Minutes = Sequence[Mapping[Selector, float]]


def minute(at: int, scores: Mapping[Selector, float], metric: str = "error_rate") -> MinuteVerdict:
    """Minute number `at` in which the selections' `metric` is as far out as they score, by 25 calls each."""
    rows = {
        row: {metric: Point(value=0.01 + 25.0 / CALLS[row], expected=0.01, strength=scores[row])} if scores.get(row) else {}
        for row in ROWS
    }
    return minute_of(rows, CALLS, MONDAY + at * MINUTE)


def played(minutes: Minutes, settings: RunSettings = SETTINGS, restart: bool = False) -> list[list[Anomaly]]:
    """Events of each minute."""
    state, events = RunState(), []
    for at, scores in enumerate(minutes):
        if restart:
            state = RunState.from_json(json.loads(json.dumps(state.to_json())))
        state, found = advance(state, minute(at, scores), settings, VERSIONS)
        events.append(found)
    return events


def test_two_of_the_last_three_minutes_open_and_the_first_of_them_began_it() -> None:
    events = played([{}, {OPENAI: 1.2}, {}, {OPENAI: 1.7}, {}, {}, {}])
    assert [len(found) for found in events] == [0, 0, 0, 1, 0, 0, 1]
    opened, ended = events[3][0], events[6][0]
    assert opened.started_at == MONDAY + MINUTE
    assert opened.ended_at is None
    assert (opened.selector, opened.metric) == (OPENAI, "error_rate")
    assert ended.id == opened.id
    assert ended.ended_at == MONDAY + 4 * MINUTE, "the first of the normal minutes that ended it"
    assert ended.last_at == MONDAY + 3 * MINUTE
    assert (ended.model_version, ended.baseline_version) == ("m1", "b1")


def test_one_minute_or_two_far_apart_open_nothing() -> None:
    assert sum(map(len, played([{OPENAI: 1.4}, {}, {}, {OPENAI: 1.4}, {}, {}, {}]))) == 0


def test_a_very_high_score_opens_at_once_unless_it_cannot_be_relied_on() -> None:
    assert len(played([{OPENAI: 1.6}])[0]) == 1
    unsure = minute(0, {OPENAI: 1.6})
    unsure.sure[:] = False
    assert advance(RunState(), unsure, SETTINGS, VERSIONS)[1] == []


def test_settings_decide() -> None:
    strict = RunSettings(confirm_minutes=4, instant_score=9.0, resolve_minutes=1)
    events = played([{OPENAI: 2.0}] * 4 + [{}], strict)
    assert [len(found) for found in events] == [0, 0, 0, 1, 1]
    assert events[4][0].ended_at == MONDAY + 4 * MINUTE


@pytest.mark.parametrize(
    ("out", "score", "quiet"),
    [(1, 2.0, 3), (9, 2.0, 3), (15, 2.0, 5), (30, 2.0, 10), (120, 2.0, 12), (3, 1.2, 8), (30, 1.2, 10)],
)
def test_what_lasted_long_or_hardly_shows_pauses_for_longer(out: int, score: float, quiet: int) -> None:
    """Told twice were faults that few calls tell of: three normal minutes in a row are chance there."""
    again = played([*[{OPENAI: score}] * out, *[{}] * (quiet - 1), *[{OPENAI: 2.0}] * 2])
    assert len({one.id for found in again for one in found}) == 1
    over = played([*[{OPENAI: score}] * out, *[{}] * quiet])
    assert over[-1][0].ended_at == MONDAY + out * MINUTE


def test_a_score_short_of_the_edge_keeps_an_open_anomaly_alive() -> None:
    events = played([{OPENAI: 2.0}, {OPENAI: 0.8}, {OPENAI: 0.8}, {}, {}, {}])
    assert [len(found) for found in events] == [1, 1, 1, 0, 0, 1]
    assert events[5][0].last_at == MONDAY + 2 * MINUTE


def test_what_strays_together_is_one_anomaly_and_keeps_its_highest_score() -> None:
    events = played([{OPENAI: 2.0, ALL_CALLS: 1.3}, {OPENAI: 3.0, ALL_CALLS: 1.2, TEAM: 1.1}, {OPENAI: 1.5}])
    assert {anomaly.id for found in events for anomaly in found} == {events[0][0].id}
    last = events[2][0]
    assert last.score == 3.0
    assert last.severity == severity_of(3.0)
    assert 0.99 < sum(part.share for part in last.contributions) <= 1.0 + 1e-9
    assert last.contributions[0].selector == last.selector == OPENAI
    assert "Error rate of provider openai rose to 26 %" in last.explanation


def test_a_later_fault_elsewhere_is_an_anomaly_of_its_own() -> None:
    events = played([{OPENAI: 2.0}] * 8 + [{OPENAI: 2.0, MISTRAL: 2.0}] * 2)
    assert len(events[7]) == 1
    assert {anomaly.selector for anomaly in events[9]} == {OPENAI, MISTRAL}
    assert len({anomaly.id for anomaly in events[9]}) == 2


def test_a_later_consequence_joins() -> None:
    events = played([{OPENAI: 2.0}] * 8 + [{OPENAI: 2.0, TEAM: 2.0}] * 2)
    assert len({anomaly.id for found in events for anomaly in found}) == 1


def test_calls_do_not_follow_from_failures() -> None:
    state, events = RunState(), list[Anomaly]()
    for at in range(10):
        seen = minute(at, {OPENAI: 2.0})
        if at >= 8:
            surge = {"tps": Point(value=5.0, expected=0.5, strength=2.0)}
            seen = minute_of(
                {OPENAI: {"error_rate": Point(value=0.5, expected=0.01, strength=2.0)}, TEAM: surge},
                CALLS,
                MONDAY + at * MINUTE,
            )
        state, events = advance(state, seen, SETTINGS, VERSIONS)
    assert {(anomaly.metric, anomaly.selector) for anomaly in events} == {("error_rate", OPENAI), ("tps", TEAM)}


def test_a_gap_is_no_confirmation() -> None:
    state, _ = advance(RunState(), minute(0, {OPENAI: 1.2}), SETTINGS, VERSIONS)
    assert advance(state, minute(2, {OPENAI: 1.2}), SETTINGS, VERSIONS)[1] == []
    assert len(advance(state, minute(1, {OPENAI: 1.2}), SETTINGS, VERSIONS)[1]) == 1


def test_a_selection_that_is_no_longer_known_ends_its_anomaly() -> None:
    state, _ = advance(RunState(), minute(0, {OPENAI: 2.0}), SETTINGS, VERSIONS)
    for at in (1, 2, 3):
        seen = minute_of({ALL_CALLS: {}}, CALLS, MONDAY + at * MINUTE)
        state, events = advance(state, seen, SETTINGS, VERSIONS)
    assert events[0].ended_at == MONDAY + MINUTE
    assert state.open == ()


SCORES = st.sampled_from([0.0, 0.0, 0.0, 0.8, 1.1, 1.2, 1.7, 3.0])
MINUTES = st.lists(st.fixed_dictionaries(dict.fromkeys(ROWS, SCORES)), min_size=1, max_size=60)


@settings(deadline=None)
@given(MINUTES)
def test_each_opens_once_and_ends_once(minutes: Minutes) -> None:
    events = played([*minutes, *[{}] * 20])
    ended: set[str] = set()
    open_ids: set[str] = set()
    for at, found in enumerate(events):
        assert len({anomaly.id for anomaly in found}) == len(found)
        for anomaly in found:
            assert anomaly.id not in ended, "nothing follows an end"
            assert anomaly.started_at <= anomaly.last_at <= MONDAY + at * MINUTE
            if anomaly.ended_at is None:
                open_ids.add(anomaly.id)
            else:
                assert anomaly.id in open_ids, "an end follows an opening"
                assert anomaly.ended_at == anomaly.last_at + MINUTE
                ended.add(anomaly.id)
    assert open_ids == ended, "normal minutes end everything"


@settings(deadline=None)
@given(MINUTES)
def test_no_series_is_in_two_open_anomalies(minutes: Minutes) -> None:
    state = RunState()
    for at, scores in enumerate(minutes):
        state, _ = advance(state, minute(at, scores), SETTINGS, VERSIONS)
        members = [name for run in state.open for name in run.members]
        assert len(members) == len(set(members))


@settings(deadline=None)
@given(MINUTES)
def test_a_restart_in_any_minute_brings_the_same_events(minutes: Minutes) -> None:
    assert played(minutes, restart=True) == played(minutes)


@settings(deadline=None)
@given(MINUTES)
def test_a_minute_judged_twice_changes_nothing(minutes: Minutes) -> None:
    state = RunState()
    for at, scores in enumerate(minutes):
        state, _ = advance(state, minute(at, scores), SETTINGS, VERSIONS)
        assert advance(state, minute(at, scores), SETTINGS, VERSIONS) == (state, [])
    assert replace(state) == state
