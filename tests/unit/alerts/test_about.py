"""Rules about transactions and their objectives: what ships switched on, and what a new version does to an open incident."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from alerts.about import objectives_of, spread
from alerts.burn import judge_burn, lengths, pairs_of
from alerts.pipeline import evaluate
from core.clock import FakeClock
from core.config import AbsenceRule, ObjectiveRule, Settings
from core.types import IncidentState, JobState
from tests.unit.alerts.memory import MINUTE, START, MemoryRepository

EVERY = ObjectiveRule(kind="objective", name="objectives")


def configured(*objectives: dict[str, Any], **transaction: Any) -> Settings:
    """No rule is written: those that ship judge."""
    return Settings.model_validate(
        {
            "transactions": [{"name": "pay", "selector": {"route": "/pay"}, **transaction}],
            "objectives": list(objectives) or [{"name": "good", "transaction": "pay", "target": "99.9%"}],
            "receivers": [{"name": "chat", "url": "http://127.0.0.1:1/x"}],
            "routing": {"group_wait": "0s", "group_wait_critical": "0s"},
        }
    )


def shares(value: float, calls: float = 1e6) -> pd.DataFrame:
    spans = range(len(lengths(EVERY)))
    return pd.DataFrame({"span": spans, "calls": calls, "bad": value * calls, "value": value})


def judged(repository: MemoryRepository, settings: Settings, minutes: int) -> list[Any]:
    evaluate(repository, FakeClock(START + minutes * MINUTE), settings)
    return repository.latest_incidents()


def repository_with(value: float) -> MemoryRepository:
    repository = MemoryRepository()
    repository.values = {("tps", "all"): {START + MINUTE: 1.0}}
    repository.in_shares = shares(value)
    return repository


def test_a_new_user_is_told_of_a_burning_objective_with_no_rule_written() -> None:
    settings = configured()
    (found,) = judged(repository_with(0.02), settings, 1)
    assert (found.state, found.rule, found.severity) == (IncidentState.FIRING, "objectives", "critical")
    assert found.labels == {"objective": "good", "transaction": "pay", "version": settings.definitions[0].version}
    assert "2 % of 1,000,000 calls of pay over the last 1 h were not good; the objective allows 0.1 %" in found.summary
    assert settings.definitions[0].version in found.title


def test_another_version_ends_what_the_old_one_opened_and_is_judged_anew() -> None:
    repository = repository_with(0.02)
    (before,) = judged(repository, configured(), 1)
    changed = configured(success={"max_latency": "2s"})
    ended, opened = sorted(judged(repository, changed, 2), key=lambda one: one.state != IncidentState.RESOLVED)
    assert ended.id == before.id
    assert "Ended: the definition of its transaction changed: numbers of two versions are not compared." in ended.summary
    assert opened.labels["version"] == changed.definitions[0].version != before.labels["version"]


@pytest.mark.parametrize("change", [{"alert": False}, {"name": "other"}])
def test_an_objective_that_is_no_longer_watched_ends_its_incident(change: dict[str, Any]) -> None:
    repository = repository_with(0.02)
    judged(repository, configured(), 1)
    repository.in_shares = shares(0.0)
    (found,) = judged(repository, configured({"name": "good", "transaction": "pay", "target": "99.9%", **change}), 2)
    assert (found.state, "no longer covers it" in found.summary) == (IncidentState.RESOLVED, True)


def test_the_shipped_rule_leaves_out_what_another_rule_names_and_what_has_no_budget() -> None:
    rules = [EVERY.model_dump(), {"name": "mine", "kind": "objective", "objective": "good"}]
    targets: list[dict[str, Any]] = [
        {"name": "good", "transaction": "pay", "target": "99.9%"},
        {"name": "fast", "transaction": "pay", "target": "99%", "under": "1s"},
        {"name": "quiet", "transaction": "pay", "target": "99%", "alert": False},
        {"name": "errors", "metric": "error_rate", "at_most": 0.01},
        {"name": "speed", "metric": "latency_p99", "at_most": 900},
    ]
    settings = Settings.model_validate({"transactions": [{"name": "pay"}], "objectives": targets, "rules": rules})
    assert [one.name for one in objectives_of(EVERY, settings)] == ["fast", "errors"]
    of_pay = EVERY.model_copy(update={"transaction": "pay"})
    assert [one.name for one in objectives_of(of_pay, settings)] == ["fast"]


@pytest.mark.parametrize(
    ("given", "burns"),
    [
        ({"target": "99.9%"}, [14.4, 6.0, 1.0]),
        ({"target": "99.9%", "window": "28d"}, [13.44, 5.6, 1.0]),
        ({"target": "99.9%", "window": "month"}, [14.4, 6.0, 1.0]),
        ({"target": "99.9%", "window": "7d"}, [3.36, 1.4, 1.0]),
        ({"target": "90%"}, [9.0, 6.0, 1.0]),
        ({"target": "99%", "window": "1d"}, [1.0, 1.0]),
    ],
)
def test_the_pairs_use_up_as_much_of_the_objectives_own_window(given: dict[str, Any], burns: list[float]) -> None:
    (one,) = configured({"name": "good", "transaction": "pay", **given}).objectives
    assert [pair.burn for pair in pairs_of(EVERY, one)] == pytest.approx(burns)


@pytest.mark.parametrize(
    ("calls", "bad", "fires"), [(1000.0, 30.0, True), (99.0, 30.0, False), (1000.0, 2.0, False), (100.0, 3.0, True)]
)
def test_little_traffic_and_single_bad_calls_page_nobody(calls: float, bad: float, fires: bool) -> None:
    (one,) = configured({"name": "good", "transaction": "pay", "target": "99.99%"}).objectives
    frame = shares(bad / calls, calls)
    assert bool(judge_burn(EVERY, one, frame, START, ()).firings) is fires


def test_minutes_need_no_hundred_calls() -> None:
    (one,) = configured({"name": "tps", "transaction": "pay", "target": "95%", "at_least": 2}).objectives
    (found,) = judge_burn(EVERY, one, shares(1.0, 60.0), START, ()).firings
    assert "100 % of 60 minutes of pay over the last 1 h had less than 2 calls/s" in found.summary


def test_silence_of_each_transaction_is_judged_as_far_as_it_is_counted() -> None:
    settings = configured()
    silent = AbsenceRule(kind="absence", name="transaction-silent", by=("transaction",))
    (one,) = spread(silent, settings)
    assert one.selector == settings.definitions[0].selection.labels
    repository = MemoryRepository()
    repository.values = {("tps", "all"): {START - timedelta(days=9): 1.0, START + MINUTE: 1.0}}
    repository.in_spans = pd.DataFrame({"span": [0, 1, 2], "calls": [5.0, 500.0, 400.0], "value": 1.0})
    assert judged(repository, settings, 2) == []
    repository.in_spans = repository.in_spans.iloc[1:]
    nothing: dict[str, Any] = {"last_success_at": None, "last_error_at": None, "last_error": "", "duration_s": 0.0}
    repository.jobs["transactions"] = JobState(name="transactions", cursor=START - timedelta(hours=1), **nothing)
    found = {one.rule: one for one in judged(repository, settings, 2)}
    assert found["transaction-silent"].started_at == START - timedelta(hours=1, minutes=10)
    assert found["transaction-silent"].title == f"No traffic: {settings.definitions[0].selection.words}"
