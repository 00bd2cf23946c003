"""Verdicts on changes: told once, by severity, and ended without a word."""

import json
from datetime import timedelta
from typing import Any

from alerts.pipeline import evaluate
from alerts.verdicts import judge_changes
from core.changes import Change, ChangeKind, ChangeVerdict
from core.clock import FakeClock
from core.config import ChangeRule
from core.series import Selector
from core.types import IncidentState, Severity
from tests.unit.alerts.builders import settings, silence
from tests.unit.alerts.memory import MINUTE, START, MemoryRepository

HOUR = timedelta(hours=1)
CHAT = Selector.of({"service": "chat"})
RULE = ChangeRule.model_validate({"kind": "change", "name": "changes"})
BOTH = RULE.model_copy(update={"improvements": True})
CHANGE = Change(
    id="c1", at=START - HOUR, kind=ChangeKind.DEPLOY, what="chat 2", selector=CHAT, who="ann", found=False, made_at=START
)


def verdict(outcome: str, metric: str = "unchanged", **more: Any) -> tuple[Change, ChangeVerdict]:
    report = {"metrics": [{"title": "P95", "verdict": metric, "before": 100.0, "after": 77.0}]}
    given = {
        "change_id": "c1",
        "transaction": "",
        "selector": CHAT,
        "judged_at": START,
        "before_from": START - 2 * HOUR,
        "after_to": START,
        "outcome": outcome,
        "reasons": ("P95 rose by 40 %",) if outcome == "regression" else (),
        "report": json.dumps(report),
    }
    return CHANGE, ChangeVerdict(**{**given, **more})


def test_a_regression_is_a_warning_and_an_improvement_nothing_or_an_info() -> None:
    judged = [verdict("regression"), verdict("passed", "improvement", transaction="buy"), verdict("cannot_judge")]
    (only,) = judge_changes(RULE, judged, START, ()).firings
    assert (only.severity, only.title) == (Severity.WARNING, "Worse after deploy: chat 2 (service chat)")
    assert "P95 rose by 40 %" in only.summary
    assert only.labels == {"service": "chat", "change": "c1"}
    worse, better = judge_changes(BOTH, judged, START, ()).firings
    assert worse.fingerprint == only.fingerprint
    assert (better.severity, better.labels["transaction"]) == (Severity.INFO, "buy")
    assert "transaction buy" in better.summary
    assert "P95 -23 %" in better.summary
    assert judge_changes(BOTH, [verdict("passed", "unchanged")], START, ()).firings == ()


def test_what_is_older_than_the_hold_ends_and_nothing_else() -> None:
    mine = 'changes{change="c1",transaction=""}'
    held = judge_changes(RULE, [verdict("regression")], START + 23 * HOUR, {mine, 'other{change="x"}'})
    assert ([one.fingerprint for one in held.firings], held.clears) == ([mine], ())
    over = judge_changes(RULE, [verdict("regression")], START + 24 * HOUR, {mine, 'other{change="x"}'})
    assert (over.firings, [one.fingerprint for one in over.clears]) == ((), [mine])


def test_a_verdict_is_told_once_and_its_end_is_no_news() -> None:
    repository, clock = MemoryRepository(), FakeClock(START)
    repository.judged = [verdict("regression")]
    given = settings(RULE)  # type: ignore[arg-type]
    assert evaluate(repository, clock, given).opened == 1
    for wait in (MINUTE, MINUTE, 5 * HOUR):
        clock.advance(wait)
        assert evaluate(repository, clock, given).opened == 0
    told = len(repository.latest_notifications())
    assert told == 1
    clock.advance(20 * HOUR)
    evaluate(repository, clock, given)
    assert [one.state for one in repository.latest_incidents()] == [IncidentState.RESOLVED]
    assert len(repository.latest_notifications()) == told


def test_a_silence_keeps_a_verdict_from_being_told() -> None:
    repository, clock = MemoryRepository(), FakeClock(START)
    repository.judged = [verdict("regression")]
    repository.stored_silences = [silence()]
    evaluate(repository, clock, settings(RULE))  # type: ignore[arg-type]
    clock.advance(MINUTE)
    evaluate(repository, clock, settings(RULE))  # type: ignore[arg-type]
    assert [one.state for one in repository.latest_incidents()] == [IncidentState.FIRING]
    assert repository.latest_notifications() == []
