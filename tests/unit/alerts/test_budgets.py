"""Budgets of calendar periods: each step once a period, the date at which it is used up, periods by the wall clock."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from alerts.budget import judge_budget, period_at, used_up_at
from alerts.memory import AlertMemory
from alerts.pipeline import evaluate
from alerts.usage import FRESH, UsageMemory
from core.clock import FakeClock
from core.config import BudgetRule, Settings
from core.periods import Period
from core.types import NotifyReason, Severity
from tests.unit.alerts.builders import HOOK
from tests.unit.alerts.memory import START, MemoryRepository

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def rule(**more: Any) -> BudgetRule:
    given = {"kind": "budget", "name": "spend", "at_most": 100, "by": ["tenant"], "period": "day"}
    return BudgetRule.model_validate({**given, **more})


def sums(**spent: float) -> pd.DataFrame:
    return pd.DataFrame({"tenant": list(spent), "calls": 1.0, "spent": list(spent.values())})


PERIODS = [
    ("day", "2026-03-28T23:30:00+00:00", "2026-03-28T23:00:00+00:00", 23, "2026-03-29"),
    ("week", "2026-03-29T10:00:00+00:00", "2026-03-22T23:00:00+00:00", 7 * 24 - 1, "2026-03-23"),
    ("month", "2026-10-31T12:00:00+00:00", "2026-09-30T22:00:00+00:00", 31 * 24 + 1, "2026-10-01"),
    ("month", "2026-12-31T23:30:00+00:00", "2026-12-31T23:00:00+00:00", 31 * 24, "2027-01-01"),
]


@pytest.mark.parametrize(("period", "at", "start", "hours", "name"), PERIODS)
def test_periods_begin_at_local_midnight_also_where_the_clock_changes(
    period: str, at: str, start: str, hours: int, name: str
) -> None:
    found = period_at(rule(period=period), datetime.fromisoformat(at), BERLIN)
    assert found == Period(start=datetime.fromisoformat(start), end=found.start + hours * HOUR, name=name)


def test_the_rules_own_time_zone_comes_first() -> None:
    assert period_at(rule(time_zone="Asia/Tokyo"), START, BERLIN).start == datetime(2026, 3, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(("spent", "step"), [(49.9, None), (50, "0.5"), (94, "0.8"), (95, "0.95"), (100, "1"), (250, "1")])
def test_the_highest_step_that_is_passed_fires(spent: float, step: str | None) -> None:
    period = period_at(rule(), START, BERLIN)
    found = judge_budget(rule(), sums(shop=spent), sums(shop=spent), period, START, (), BERLIN).firings
    assert [one.labels["step"] for one in found] == ([step] if step else [])
    assert all((one.severity is Severity.CRITICAL) is (step == "1") for one in found)


def test_a_firing_says_how_much_of_what_and_when_it_is_used_up() -> None:
    period = period_at(rule(), START, BERLIN)
    (found,) = judge_budget(rule(), sums(shop=60), sums(shop=240), period, START, (), BERLIN).firings
    assert found.title == "50 % of the cost budget of the day is used up: tenant shop"
    assert "60 of 100 USD since 2026-03-02 00:00 CET" in found.summary
    assert "used up by 2026-03-02 17:00 CET" in found.summary, "40 USD are left, 10 an hour"
    assert "170 % of it at the end of the day" in found.summary
    (slow,) = judge_budget(rule(), sums(shop=60), sums(shop=24), period, START, (), BERLIN).firings
    assert "it lasts until the end of the day: 71 % of it" in slow.summary
    assert used_up_at(60, 100, 0.0, START) is None


def test_what_is_unknown_neither_fires_nor_ends() -> None:
    period = period_at(rule(), START, BERLIN)
    judged = judge_budget(rule(), sums(shop=float("nan")), sums(), period, START, {_fingerprint("0.5", "2026-03-02")}, BERLIN)
    assert (judged.firings, judged.clears) == ((), ())


def test_steps_of_another_period_end_and_so_do_those_that_a_higher_one_follows() -> None:
    period = period_at(rule(), START, BERLIN)
    old, low, high = _fingerprint("1", "2026-03-01"), _fingerprint("0.5", "2026-03-02"), _fingerprint("0.8", "2026-03-02")
    judged = judge_budget(rule(), sums(shop=85), sums(), period, START, {old, low, 'other{tenant="shop"}'}, BERLIN)
    assert {one.fingerprint for one in judged.clears} == {old, low}
    assert [one.fingerprint for one in judged.firings] == [high]


def test_each_step_is_told_once_a_period_and_its_end_is_not() -> None:
    repository, memory, clock = MemoryRepository(), AlertMemory(), FakeClock(START)
    repository.spending = {"shop": 10.0}
    settings = Settings.model_validate(
        {
            "rules": [rule(steps=[0.5, 1]).model_dump()],
            "receivers": [{"name": "chat", "url": HOOK}],
            "routing": {"group_wait": "0s", "group_wait_critical": "0s", "repeat_interval": "1h"},
        }
    )
    for _ in range(4 * 24):
        clock.advance(timedelta(minutes=15))
        evaluate(repository, clock, settings, memory)
    told = [(one.reason, one.created_at) for one in repository.latest_notifications()]
    assert told == [(NotifyReason.OPENED, START + hours * HOUR) for hours in (5, 10, 12 + 5, 12 + 10)]
    states = [one.state.value for one in sorted(repository.latest_incidents(), key=lambda one: one.started_at)]
    assert states == ["resolved", "resolved", "resolved", "firing"]


def test_what_was_read_lately_is_not_read_again_unless_the_question_changes() -> None:
    usage, reads = UsageMemory(), []

    def read() -> pd.DataFrame:
        reads.append(1)
        return sums()

    for at, asked in ((START, "a"), (START + FRESH / 2, "a"), (START + FRESH / 2, "b"), (START + 2 * FRESH, "b")):
        usage.read(("spend", "spent"), asked, at, read)
    assert len(reads) == 3


@pytest.mark.parametrize("wrong", [{"steps": [0.8, 0.5]}, {"by": ["nobody"]}, {"time_zone": "Mars/Base"}, {"at_most": 0}])
def test_wrong_budgets_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"steps must|no dimension|no IANA|greater than 0"):
        rule(**wrong)


def _fingerprint(step: str, period: str) -> str:
    return f'spend{{tenant="shop"}}{{period="{period}",step="{step}"}}'
