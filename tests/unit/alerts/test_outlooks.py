"""Limits by their forecast: fires on what is likely soon, and says nothing of what is not known."""

import math
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.outlooks import FRESH, judge_limits
from alerts.pipeline import evaluate
from core.capacity import Estimate, LimitOutlook
from core.clock import FakeClock
from core.config import ForecastRule, Settings
from core.series import Selector
from tests.unit.alerts.builders import HOOK
from tests.unit.alerts.memory import START, MemoryRepository

UTC = ZoneInfo("UTC")
DAY = timedelta(days=1)


def rule(**more: Any) -> ForecastRule:
    return ForecastRule.model_validate({"kind": "forecast", "name": "limits", **more})


def outlook(*by_day: float, **more: Any) -> LimitOutlook:
    given: dict[str, Any] = {
        "name": "gateway",
        "kind": "tps",
        "selector": Selector.of(service="chat"),
        "unit": "calls/s",
        "made_at": START,
        "limit": Estimate(value=500.0, lower=500.0, upper=500.0),
        "now": 320.0,
        "until": START + 28 * DAY,
        "probability": by_day[-1] if by_day else math.nan,
        "early_at": None,
        "likely_at": START + 5 * DAY,
        "late_at": None,
        "headroom": 0.1,
        "minutes": None,
        "words": "",
        "by_day": by_day,
    }
    return LimitOutlook(**{**given, **more})


RISING = (0.0, 0.1, 0.3, 0.6, 0.9)
CASES = [
    ({"within": "4d"}, RISING, True),
    ({"within": "3d"}, RISING, False),
    ({"within": "3d", "probability": 0.3}, RISING, True),
    ({"within": "28d"}, RISING, True),
    ({"limits": ["other"]}, RISING, False),
    ({}, (), False),
]


@pytest.mark.parametrize(("given", "by_day", "fires"), CASES)
def test_it_fires_on_the_probability_within_the_days_that_it_names(
    given: dict[str, Any], by_day: tuple[float, ...], fires: bool
) -> None:
    judged = judge_limits(rule(**given), [outlook(*by_day)], START, (), UTC)
    assert bool(judged.firings) is fires


def test_a_firing_says_which_limit_how_likely_and_when() -> None:
    (found,) = judge_limits(rule(within="4d"), [outlook(*RISING)], START, (), UTC).firings
    assert found.fingerprint == 'limits{limit="gateway"}'
    assert found.title == "Limit gateway is likely to be reached within 4 d: service chat"
    assert "500 calls/s will be reached within 4 d with a probability of 60 %" in found.summary
    assert "As likely as not by 2026-03-07 12:00 UTC. Now it is 320 calls/s." in found.summary


def test_between_recovery_and_the_condition_and_of_what_is_old_it_says_nothing() -> None:
    known = {'limits{limit="gateway"}'}
    middle = judge_limits(rule(), [outlook(*[0.45] * 7)], START, known, UTC)
    old = judge_limits(rule(), [outlook(*[0.9] * 7, made_at=START - 2 * FRESH)], START, known, UTC)
    assert (middle.firings, middle.clears, old.firings, old.clears) == ((), (), (), ())
    (clear,) = judge_limits(rule(), [outlook(*[0.4] * 7)], START, known, UTC).clears
    assert clear.recovered


def minutes(value: float) -> Estimate:
    return Estimate(value=value, lower=value / 2.0, upper=2.0 * value)


@pytest.mark.parametrize(
    ("left", "given", "fires"),
    [(12.0, {}, True), (0.0, {}, True), (16.0, {}, False), (16.0, {"quota_within": "20m"}, True), (math.inf, {}, False)],
)
def test_a_quota_that_is_used_up_soon_fires_without_any_forecast(left: float, given: dict[str, Any], fires: bool) -> None:
    one = outlook(kind="tokens_per_min", minutes=minutes(left))
    assert bool(judge_limits(rule(**given), [one], START, (), UTC).firings) is fires
    assert judge_limits(rule(quota_within=None), [one], START, (), UTC).firings == ()


def test_a_quota_says_so_and_recovers_when_it_lasts_and_no_limit_is_likely() -> None:
    known = {'limits{limit="gateway"}'}
    (found,) = judge_limits(rule(), [outlook(*[0.1] * 7, minutes=minutes(9.0))], START, known, UTC).firings
    assert found.title == "Quota gateway is used up within 15 min: service chat"
    assert (found.threshold, found.unit) == (15.0, "min")
    for by_day, count in (((), 1), ([0.1] * 7, 1), ([0.45] * 7, 0)):
        lasting = outlook(*by_day, minutes=minutes(math.inf))
        assert len(judge_limits(rule(), [lasting], START, known, UTC).clears) == count


def test_measured_ceilings_are_asked_for() -> None:
    ceiling = outlook(*[0.9] * 7, kind="ceiling", name="measured ceiling of service chat")
    assert judge_limits(rule(), [ceiling], START, (), UTC).firings == ()
    assert len(judge_limits(rule(measured=True), [ceiling], START, (), UTC).firings) == 1


def test_the_shipped_rule_opens_for_a_configured_limit_repeats_daily_and_ends_with_the_limits_entry() -> None:
    repository, clock = MemoryRepository(), FakeClock(START)
    limits = [{"name": "gateway", "kind": "tps", "at_most": 500}]
    given = {"limits": limits, "receivers": [{"name": "chat", "url": HOOK}], "routing": {"group_wait": "0s"}}
    settings = Settings.model_validate(given)
    for _ in range(50):
        repository.limit_outlooks = [outlook(*[0.9] * 7, made_at=clock.now())]
        evaluate(repository, clock, settings)
        clock.advance(timedelta(hours=1))
    assert [one.reason.value for one in repository.latest_notifications()] == ["opened", "repeated", "repeated"]
    evaluate(repository, clock, Settings.model_validate({**given, "limits": []}))
    assert [one.state.value for one in repository.latest_incidents()] == ["resolved"]


@pytest.mark.parametrize("wrong", [{"within": "36h"}, {"probability": 0}, {"recover": 0.9}])
def test_wrong_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"whole number of days|greater than 0|recover must not"):
        rule(**wrong)


def test_a_rule_that_names_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="no limit 'gone'"):
        Settings.model_validate({"rules": [rule(limits=["gone"]).model_dump()]})
