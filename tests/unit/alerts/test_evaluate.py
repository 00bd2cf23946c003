"""Rules over windows and anomalies: what fires, what is clear, and what is unknown."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evaluate import judge_anomalies, judge_threshold, judge_windows
from alerts.judgement import Clear, Firing, Judgement
from core.config import ThresholdRule
from core.series import Direction, Selector
from core.types import Severity
from tests.unit.alerts.builders import anomaly, contribution, slow, unusual
from tests.unit.alerts.memory import MINUTE, START

UTC_ZONE = ZoneInfo("UTC")
NAN = float("nan")


def frame(*groups: tuple[str, Sequence[float], Sequence[int] | int], column: str = "service") -> pd.DataFrame:
    """Groups with a value and calls per minute; the first window ends one minute after START."""
    rows = []
    for name, values, calls in groups:
        counts = [calls] * len(values) if isinstance(calls, int) else list(calls)
        for number, (value, count) in enumerate(zip(values, counts, strict=True)):
            rows.append((START + (number + 1) * MINUTE, name, value, count))
    made = pd.DataFrame(rows, columns=["end", column, "value", "calls"])
    return made.assign(end=pd.to_datetime(made["end"], utc=True).astype("datetime64[ms, UTC]"))


def judge(rule: ThresholdRule, values: Sequence[float], calls: Sequence[int] | int = 100) -> Judgement:
    """What the rule says of service chat at the last of the minutes, with an incident open."""
    verdicts = judge_windows(rule, frame(("chat", values, calls)))
    return judge_threshold(verdicts, START + len(values) * MINUTE, {'slow{service="chat"}'}, UTC_ZONE)


def fires(judgement: Judgement) -> Firing:
    (found,) = judgement.firings
    assert judgement.clears == ()
    return found


def clears(judgement: Judgement) -> Clear:
    (found,) = judgement.clears
    assert judgement.firings == ()
    return found


def test_a_breach_says_what_where_since_when_and_how_bad() -> None:
    rule = slow(selector={"gateway": "gw-1"}, labels={"team": "llm"}, severity="critical", runbook="https://wiki.example.com/x")
    verdicts = judge_windows(rule, frame(("chat", [100, 800, 900], 1234), ("search", [10, 20, 30], 50)))
    firing = fires(judge_threshold(verdicts, START + 3 * MINUTE, set(), UTC_ZONE))
    assert firing.fingerprint == 'slow{gateway="gw-1",service="chat"}'
    assert firing.labels == {"gateway": "gw-1", "service": "chat", "team": "llm"}
    assert (firing.severity, firing.runbook) == (Severity.CRITICAL, "https://wiki.example.com/x")
    assert firing.since == START + MINUTE, "the start of the first breaching minute"
    assert firing.until == START + 3 * MINUTE, "the end of the last one"
    assert (firing.value, firing.threshold, firing.unit, firing.metric) == (900, 500, "ms", "latency_p95")
    assert firing.title == "Latency P95 above 500 ms: gateway gw-1, service chat"
    assert firing.summary == (
        "Latency P95 was 900 ms in the minute to 2026-03-02 12:03 UTC (1,234 calls); it should be at most 500 ms. "
        "Since 2026-03-02 12:01 UTC."
    )


def test_times_are_in_the_configured_zone() -> None:
    verdicts = judge_windows(slow(), frame(("chat", [900], 30)))
    (firing,) = judge_threshold(verdicts, START + MINUTE, set(), ZoneInfo("Europe/Berlin")).firings
    assert "to 2026-03-02 13:01 CET" in firing.summary


@pytest.mark.parametrize(
    ("value", "calls", "verdict"),
    [
        (500.1, 100, "fires"),
        (500.0, 100, "clear"),
        (NAN, 100, "unknown"),
        (900.0, 19, "unknown"),
        (900.0, 20, "fires"),
        (0.0, 0, "unknown"),
        (float("inf"), 100, "unknown"),
    ],
)
def test_no_data_is_neither_a_breach_nor_a_recovery(value: float, calls: int, verdict: str) -> None:
    found = judge(slow(), [value], calls)
    assert ("fires" if found.firings else "clear" if found.clears else "unknown") == verdict


@pytest.mark.parametrize(
    ("values", "held", "since_min"),
    [
        ([900, 900], False, 0),
        ([900, 900, 900], True, 0),
        ([900, 900, 100, 900, 900], False, 3),
        ([900, NAN, 900, NAN, NAN, 900], True, 0),
        ([900, NAN, NAN, 900], False, 0),
        ([100, NAN, 900], False, 2),
    ],
)
def test_hold_counts_known_breaching_minutes_only(values: list[float], held: bool, since_min: int) -> None:
    firing = fires(judge(slow(hold="3m"), values))
    assert (firing.held, firing.since) == (held, START + since_min * MINUTE)


@pytest.mark.parametrize(
    ("values", "recovered", "since_min"),
    [
        ([900, 100], False, 1),
        ([900, 100, 100], True, 1),
        ([900, 100, 900, 100], False, 3),
        ([900, 100, NAN, 100], True, 1),
        ([900, NAN, NAN, NAN, 100], False, 4),
    ],
)
def test_recovery_counts_known_clear_minutes_only(values: list[float], recovered: bool, since_min: int) -> None:
    clear = clears(judge(slow(recover_after="2m"), values))
    assert (clear.recovered, clear.since, clear.value) == (recovered, START + since_min * MINUTE, 100)


def test_clear_groups_are_named_only_where_an_incident_is_open() -> None:
    verdicts = judge_windows(slow(), frame(("chat", [100], 50), ("search", [100], 50)))
    found = judge_threshold(verdicts, START + MINUTE, {'slow{service="search"}'}, UTC_ZONE)
    assert [clear.fingerprint for clear in found.clears] == ['slow{service="search"}']


def test_a_minute_outside_of_what_was_read_is_unknown() -> None:
    verdicts = judge_windows(slow(), frame(("chat", [900], 50)))
    assert judge_threshold(verdicts, START + 2 * MINUTE, set(), UTC_ZONE) == Judgement()
    assert judge_threshold(verdicts, START - 9 * MINUTE, set(), UTC_ZONE) == Judgement()


def test_a_rule_without_groups_is_one_series() -> None:
    rule = slow(by=[], selector={"service": "chat"})
    data = frame(("x", [900], 50)).drop(columns="service")
    firing = fires(judge_threshold(judge_windows(rule, data), START + MINUTE, set(), UTC_ZONE))
    assert (firing.fingerprint, firing.labels) == ('slow{service="chat"}', {"service": "chat"})


def test_no_rows_are_no_series() -> None:
    empty = frame(("chat", [900], 50)).iloc[:0]
    assert judge_threshold(judge_windows(slow(), empty), START + MINUTE, set(), UTC_ZONE) == Judgement()


def test_windows_of_several_minutes_say_so() -> None:
    firing = fires(judge(slow(window="5m"), [900, 900]))
    assert "over the 5 min to 2026-03-02 12:02 UTC" in firing.summary


@pytest.mark.parametrize(
    ("given_rule", "verdict"),
    [
        ({"metric": "tps", "below": 5}, "fires"),  # silence is what it looks for
        ({"metric": "tps", "below": 5, "min_calls": 20}, "unknown"),  # the user said so
        ({"metric": "cache_hit_rate", "below": 0.5}, "unknown"),  # a ratio of no calls is nothing
        ({"metric": "tps", "above": -1}, "unknown"),
    ],
)
def test_few_calls_are_what_a_lower_limit_on_a_rate_looks_for(given_rule: dict[str, object], verdict: str) -> None:
    found = judge(slow(above=None, **given_rule) if "below" in given_rule else slow(**given_rule), [0.0], 0)
    assert ("fires" if found.firings else "clear" if found.clears else "unknown") == verdict


@given(st.lists(st.sampled_from([900.0, 100.0, NAN]), min_size=1, max_size=30), st.integers(0, 10), st.integers(0, 10))
def test_a_verdict_follows_from_the_known_minutes_alone(values: list[float], hold: int, recover: int) -> None:
    found = judge(slow(hold=timedelta(minutes=hold), recover_after=timedelta(minutes=recover)), values)
    known = [value for value in values if not np.isnan(value)]
    if np.isnan(values[-1]):
        assert found == Judgement()
        return
    run = 0
    for value in reversed(known):
        if value != values[-1]:
            break
        run += 1
    if values[-1] > 500:
        assert fires(found).held == (run >= hold)
    else:
        assert clears(found).recovered == (run >= recover)


def test_an_open_anomaly_fires_with_what_is_known_of_it() -> None:
    found = anomaly(contributions=(contribution(0.6, provider="openai"), contribution(0.4, service="chat")))
    firing = fires(judge_anomalies(unusual(labels={"team": "llm"}), [found], START + 3 * MINUTE, UTC_ZONE))
    assert firing.fingerprint == 'unusual{anomaly="a1"}'
    assert firing.labels == {"provider": "openai", "team": "llm"}
    assert firing.title == "Error rate higher than expected: provider openai"
    assert firing.summary == found.explanation
    assert (firing.value, firing.threshold, firing.unit, firing.anomaly_id) == (0.4, 0.03, "1", "a1")
    assert (firing.since, firing.until, firing.held) == (START, START + 2 * MINUTE, True)
    assert firing.scopes == (Selector.of(provider="openai"), Selector.of(service="chat"))


def test_a_drop_is_judged_by_its_lower_edge() -> None:
    found = anomaly(metric="tps", direction=Direction.BOTH, observed=1.0, expected=9.0, lower=6.0, upper=12.0, explanation="")
    firing = fires(judge_anomalies(unusual(), [found], START + 3 * MINUTE, UTC_ZONE))
    assert firing.title == "Transactions per second lower than expected: provider openai"
    assert firing.threshold == 6.0
    assert "was 1 calls/s; expected 6 to 12 calls/s" in firing.summary


@pytest.mark.parametrize(
    ("rule", "asked_for"),
    [
        ({}, True),
        ({"min_severity": 0.81}, False),
        ({"metrics": ["tps"]}, False),
        ({"metrics": ["tps", "error_rate"]}, True),
        ({"selector": {"provider": "openai"}}, True),
        ({"selector": {"provider": "mistral"}}, False),
        ({"selector": {"service": "chat"}}, False),
    ],
)
def test_only_anomalies_that_the_rule_asks_for_fire(rule: dict[str, object], asked_for: bool) -> None:
    found = judge_anomalies(unusual(**rule), [anomaly()], START + 3 * MINUTE, UTC_ZONE)
    assert bool(found.firings) is asked_for


def test_an_ended_anomaly_is_clear_and_told_only_while_it_is_fresh() -> None:
    ended = anomaly(ended_at=START + 5 * MINUTE)
    fresh = judge_anomalies(unusual(), [ended], START + 6 * MINUTE, UTC_ZONE)
    assert [(clear.since, clear.recovered) for clear in fresh.clears] == [(START + 5 * MINUTE, True)]
    assert [firing.until for firing in fresh.firings] == [START + 5 * MINUTE]
    old = judge_anomalies(unusual(), [ended], START + 21 * MINUTE, UTC_ZONE)
    assert old.firings == ()
    assert len(old.clears) == 1


def test_the_end_counts_although_the_rule_would_no_longer_ask_for_it() -> None:
    found = judge_anomalies(unusual(min_severity=0.9), [anomaly(ended_at=START + MINUTE)], START + 2 * MINUTE, UTC_ZONE)
    assert len(found.clears) == 1
    assert found.firings == ()


def test_an_anomaly_of_imported_history_wakes_nobody() -> None:
    assert judge_anomalies(unusual(), [anomaly()], START + timedelta(days=300), UTC_ZONE) == Judgement()
