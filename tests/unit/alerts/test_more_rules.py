"""Objectives, absence and tpscope's own pipeline; recovery conditions and no-data modes of thresholds."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from alerts.absence import judge_absence
from alerts.burn import judge_burn
from alerts.evaluate import judge_anomalies, judge_threshold, judge_windows
from alerts.own_pipeline import judge_pipeline
from alerts.pipeline import evaluate
from core.burning import burn_rate, exhausted_in
from core.clock import FakeClock
from core.config import AbsenceRule, ObjectiveRule, PipelineRule, Settings, ThresholdRule
from core.durations import parse_duration
from core.types import JobState, Severity, Watermark
from tests.support.error_rates import ERRORS, ErrorRate, fires, first
from tests.unit.alerts.builders import anomaly, settings, slow, unusual
from tests.unit.alerts.memory import MINUTE, START, MemoryRepository

UTC = ZoneInfo("UTC")
BURN = ObjectiveRule.model_validate({"kind": "objective", "name": "burn", "objective": "errors"})
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.05, 0.02])
def test_detection_times_are_the_workbooks(share: float) -> None:
    """Detection time = (1 - SLO) / error ratio x window x burn rate, for the fast pair of 1 h and 14.4 times."""
    only = BURN.model_copy(update={"windows": BURN.windows[:1]})
    expected_s = 0.001 / share * 3600 * 14.4
    assert first(only, ErrorRate((0.0, share)), True, 0, 7200) == pytest.approx(expected_s, abs=1.0)


FOUND_AFTER = [
    (0, 1.0, "52s", 1),
    (1, 1.0, "2m10s", 1),
    (2, 1.0, "4m19s", 1),
    (0, 0.1, "8m38s", 1),
    (1, 0.01, "3h36m", 1),
    (2, 0.002, "36h", 2),
]


@pytest.mark.parametrize(("number", "share", "detected", "tolerance_s"), FOUND_AFTER)
def test_every_pair_of_the_workbook_detects_in_time(number: int, share: float, detected: str, tolerance_s: int) -> None:
    only = BURN.model_copy(update={"windows": BURN.windows[number : number + 1]})
    found = first(only, ErrorRate((0.0, share)), True, 0, 4 * 86400)
    assert found == pytest.approx(parse_duration(detected).total_seconds(), abs=tolerance_s)


@pytest.mark.parametrize(("number", "short_s"), [(0, 300), (1, 1800), (2, 21600)])
def test_reset_times_are_those_of_the_short_window(number: int, short_s: int) -> None:
    """The workbook's point of the short window: the alert ends at most one short window after the errors, not one long one."""
    only = BURN.model_copy(update={"windows": BURN.windows[number : number + 1]})
    pair, share, end = only.windows[0], 0.2, 3 * 3600
    errors = ErrorRate((0.0, share), (end, 0.0))
    assert fires(only, errors, end) is not None
    reset = first(only, errors, False, end, end + short_s) - end
    assert reset == pytest.approx(short_s * (1 - pair.burn * 0.001 / share), abs=1.0)


def test_a_rate_just_below_the_slowest_pair_never_fires_and_little_traffic_says_nothing() -> None:
    assert fires(BURN, ErrorRate((0.0, 0.00099)), 10 * 86400) is None
    assert fires(BURN, ErrorRate((0.0, 0.0011)), 10 * 86400) is Severity.WARNING
    few = ErrorRate((0.0, 1.0)).frame(BURN, 3600).assign(calls=99.0)
    assert judge_burn(BURN, ERRORS, few, START, ()).firings == ()


def test_a_burn_says_how_fast_and_how_long_the_budget_lasts() -> None:
    (found,) = judge_burn(BURN, ERRORS, ErrorRate((0.0, 0.05)).frame(BURN, 3600), START, ()).firings
    assert found.title == "Objective errors burns its budget too fast: all traffic"
    assert "50 times as fast" in found.summary
    assert "used up in 14 h 24 min" in found.summary
    assert (found.fingerprint, found.threshold) == ("burn{}", 0.001)
    assert found.value == pytest.approx(0.05)
    assert burn_rate(0.05, 0.001) == pytest.approx(50)
    assert (exhausted_in(1.0), exhausted_in(6.0, 0.5)) == (timedelta(days=30), timedelta(days=2.5))


def test_a_burn_that_is_over_clears_what_is_open() -> None:
    frame = ErrorRate((0.0, 0.0)).frame(BURN, 3600)
    assert [one.fingerprint for one in judge_burn(BURN, ERRORS, frame, START, {"burn{}"}).clears] == ["burn{}"]
    assert judge_burn(BURN, ERRORS, frame, START, ()).clears == ()


def test_an_objective_rule_needs_an_objective_of_a_share() -> None:
    latency = {"name": "errors", "metric": "latency_p99", "at_most": 500}
    for objectives, problem in (([], "there is no objective 'errors'"), ([latency], "is no share with an at_most")):
        with pytest.raises(ValueError, match=problem):
            Settings.model_validate({"rules": [BURN.model_dump()], "objectives": objectives})


ABSENCE = AbsenceRule.model_validate({"kind": "absence", "name": "gone", "by": ["service"], "min_expected": 30})


def spans(**services: tuple[float, float, float]) -> pd.DataFrame:
    rows = [(number, name, calls) for name, counts in services.items() for number, calls in enumerate(counts) if calls]
    return pd.DataFrame(rows, columns=["span", "service", "calls"])


@pytest.mark.parametrize(
    ("counts", "history", "missed"),
    [
        ((0, 100, 100), timedelta(days=30), True),
        ((1, 100, 100), timedelta(days=30), False),
        ((0, 100, 0), timedelta(days=30), False),  # it rests on this day of the week
        ((0, 0, 100), timedelta(days=30), False),  # it rested yesterday as well
        ((0, 29, 100), timedelta(days=30), False),
        ((0, 100, 0), timedelta(days=3), True),  # a week ago is not known
        ((0, 100, 0), timedelta(hours=3), False),  # neither is yesterday
    ],
)
def test_a_series_is_missed_that_had_traffic_a_day_and_a_week_ago(
    counts: tuple[float, float, float], history: timedelta, missed: bool
) -> None:
    found = judge_absence(ABSENCE, spans(chat=counts, other=(5, 5, 5)), START, START - history, ())
    assert [one.fingerprint for one in found.firings] == (['gone{service="chat"}'] if missed else [])


def test_absence_ends_with_the_first_call() -> None:
    (found,) = judge_absence(ABSENCE, spans(chat=(1, 0, 0)), START, START - MINUTE, {'gone{service="chat"}'}).clears
    assert found.recovered


def watermark(**more: Any) -> Watermark:
    given = {"topic": "calls", "partition": 0, "event_at": START, "arrived_at": START, "next_offset": 1, "delay_s": 1.0}
    return Watermark(**{**given, **more})


def state(name: str, age: timedelta) -> JobState:
    at = START - age
    return JobState(name=name, cursor=None, last_success_at=at, last_error_at=None, last_error="store down", duration_s=1.0)


def test_the_pipeline_tells_of_late_calls_still_jobs_and_unread_records() -> None:
    rule = PipelineRule.model_validate({"kind": "pipeline", "name": "own"})
    fine = [state("detection", MINUTE), state("hours", 6 * MINUTE)]
    quiet = judge_pipeline(rule, [watermark()], fine, 99, START, {'own{check="lag"}', 'own{check="dead-letters"}'})
    assert quiet.firings == ()
    assert {one.fingerprint for one in quiet.clears} == {'own{check="lag"}', 'own{check="dead-letters"}'}
    marks = [watermark(delay_s=900.0), watermark(partition=1), watermark(topic="import:x", delay_s=1e6)]
    found = judge_pipeline(rule, marks, [state("detection", 20 * MINUTE)], 100, START, ())
    assert [one.title for one in found.firings] == [
        "tpscope: Calls arrive late: 15 min",
        "tpscope: Job detection stands still",
        "tpscope: Records cannot be read",
    ]
    gone = judge_pipeline(rule, [watermark(delay_s=900.0, arrived_at=START - 2 * timedelta(hours=1))], [], 0, START, ())
    assert gone.firings == ()


def test_a_rule_of_each_kind_opens_and_ends_an_incident() -> None:
    repository, clock = MemoryRepository(), FakeClock(START)
    given = settings(ABSENCE, PipelineRule.model_validate({"kind": "pipeline", "name": "own"}))  # type: ignore[arg-type]
    repository.in_spans, repository.unread = spans(chat=(0, 100, 100)), 500
    assert evaluate(repository, clock, given).opened == 2
    repository.in_spans, repository.unread = spans(chat=(9, 100, 100)), 0
    clock.advance(MINUTE)
    assert evaluate(repository, clock, given).resolved == 2


def verdicts(rule: ThresholdRule, values: list[float], calls: list[int] | None = None) -> list[str]:
    ends = [START + number * MINUTE for number in range(len(values))]
    frame = pd.DataFrame({"end": ends, "service": "chat", "value": values, "calls": calls or [100] * len(values)})
    frame["end"] = pd.to_datetime(frame["end"], utc=True)
    judged = judge_windows(rule, frame)
    fingerprint = judged.fingerprints[0]
    found = (judge_threshold(judged, end, {fingerprint}, UTC) for end in ends)
    return ["breach" if one.firings else "clear" if one.clears else "-" for one in found]


def test_recovery_may_have_a_condition_of_its_own() -> None:
    assert verdicts(slow(recover=400), [600, 450, 401, 400, 450]) == ["breach", "-", "-", "clear", "-"]
    low = slow(metric="tps", above=None, below=5.0, recover=8.0)
    assert verdicts(low, [4, 6, 8]) == ["breach", "-", "clear"]
    with pytest.raises(ValueError, match="good side"):
        slow(recover=600)
    with pytest.raises(ValueError, match="good side"):
        slow(above=None, below=5.0, recover=4.0)


@pytest.mark.parametrize(("mode", "said"), [("keep", "-"), ("ok", "clear"), ("alert", "breach")])
def test_what_no_data_means_is_the_rules_to_say(mode: str, said: str) -> None:
    found = verdicts(slow(no_data=mode), [600, np.nan, np.nan], [100, 0, 3])
    assert found == ["breach", said, "-"], "few calls are not none"


def test_an_anomaly_must_be_large_enough_and_on_the_asked_side() -> None:
    small = anomaly(observed=0.012, expected=0.01)

    def told(at: datetime = START + MINUTE, **rule: Any) -> int:
        return len(judge_anomalies(unusual(**rule), [small], at, UTC).firings)

    assert (told(), told(min_effect=0.15), told(min_effect=0.25)) == (1, 1, 0)
    assert (told(direction="high"), told(direction="low")) == (1, 0)


def live(value: float, calls: int = 100) -> pd.DataFrame:
    return pd.DataFrame({"span": [0], "service": ["chat"], "calls": [calls], "value": [value]})


def states(repository: MemoryRepository) -> list[str]:
    return [one.state.value for one in repository.latest_incidents()]


def test_a_breach_within_a_minute_opens_at_once_and_whole_minutes_end_it() -> None:
    repository, given = MemoryRepository(), settings(slow())
    for minute in range(-10, 1):
        repository.put("latency_p95", "chat", START + minute * MINUTE, 100.0)
    clock = FakeClock(START + 22 * SECOND)
    assert evaluate(repository, clock, given).opened == 0
    repository.live = live(900.0, calls=19)
    assert evaluate(repository, clock, given).opened == 0, "too few calls"
    repository.live = live(900.0)
    assert evaluate(repository, clock, given).opened == 1
    (opened,) = repository.latest_incidents()
    assert (opened.started_at, opened.value) == (START - 38 * SECOND, 900.0)
    assert evaluate(repository, clock, given).opened == 0
    repository.live = live(100.0)
    ended = []
    for minute in range(1, 5):  # none of them is a minute that breached
        repository.put("latency_p95", "chat", START + minute * MINUTE, 100.0)
        clock.set(START + minute * MINUTE + 10 * SECOND)
        ended.append(evaluate(repository, clock, given).resolved)
    assert ended == [0, 0, 0, 1]
    assert states(repository) == ["resolved"]


def test_seconds_keep_open_what_the_last_minute_calls_clear() -> None:
    repository, given = MemoryRepository(), settings(slow(recover_after="1m"))
    repository.put("latency_p95", "chat", START, 900.0)
    clock = FakeClock(START + 10 * SECOND)
    assert evaluate(repository, clock, given).opened == 1
    repository.put("latency_p95", "chat", START + MINUTE, 100.0)
    repository.live = live(900.0)
    clock.set(START + MINUTE + 10 * SECOND)
    assert evaluate(repository, clock, given).resolved == 0
    assert states(repository) == ["firing"]


def test_what_must_hold_or_is_below_waits_for_whole_minutes() -> None:
    repository = MemoryRepository()
    repository.live = live(900.0)
    given = settings(slow(hold="2m"), slow(name="low", above=None, below=1e6), slow(name="long", window="10m"))
    assert evaluate(repository, FakeClock(START), given).opened == 0
