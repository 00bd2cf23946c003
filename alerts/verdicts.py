"""What became of changes, as messages: each verdict of the service on a change is told once. Pure.

A verdict is an event and no condition that goes on: its incident stays open for the rule's `hold`, so that it is found among
the open ones, and ends without a word.
"""

import json
import math
from collections.abc import Collection, Iterable
from datetime import datetime

from alerts.judgement import Clear, Firing, Judgement
from core.changes import Change, ChangeVerdict
from core.config import ChangeRule
from core.types import Severity

_REASONS = 3


def judge_changes(
    rule: ChangeRule,
    judged: Iterable[tuple[Change, ChangeVerdict]],
    now: datetime,
    open_fingerprints: Collection[str],
) -> Judgement:
    """What the rule says now of the verdicts of the last time; those that are older than its `hold` end."""
    firings = []
    for change, verdict in judged:
        better = improvements(verdict)
        told = verdict.outcome == "regression" or (rule.improvements and bool(better))
        if told and now - verdict.judged_at < rule.hold:
            firings.append(_firing(rule, change, verdict, better))
    alive = {one.fingerprint for one in firings}
    mine = (name for name in open_fingerprints if name.startswith(f"{rule.name}{{change=") and name not in alive)
    clears = tuple(Clear(fingerprint=name, since=now, recovered=True) for name in mine)
    return Judgement(firings=tuple(firings), clears=clears)


def improvements(verdict: ChangeVerdict) -> tuple[str, ...]:
    """`P95 latency -23 %`, of each metric that got better beyond chance and floor; none where anything got worse."""
    if verdict.outcome != "passed":
        return ()
    better = [one for one in json.loads(verdict.report)["metrics"] if one["verdict"] == "improvement"]
    return tuple(f"{one['title']} {_relative(one['before'], one['after'])}" for one in better)


def _relative(before: float | None, after: float | None) -> str:
    if not before or after is None:
        return "better"
    return f"{100 * (after / before - 1):+.0f} %"


def _firing(rule: ChangeRule, change: Change, verdict: ChangeVerdict, better: tuple[str, ...]) -> Firing:
    worse = verdict.outcome == "regression"
    of = f"transaction {verdict.transaction}" if verdict.transaction else verdict.selector.words
    reasons = "; ".join((verdict.reasons if worse else better)[:_REASONS])
    span = f"{verdict.before_from:%Y-%m-%d %H:%M} to {verdict.after_to:%H:%M} UTC"
    about = {"transaction": verdict.transaction} if verdict.transaction else {}
    fingerprint = f'{rule.name}{{change="{change.id}",transaction="{verdict.transaction}"}}'
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **verdict.selector.labels, **about, "change": change.id},
        severity=Severity(rule.severity) if worse else Severity.INFO,
        title=f"{'Worse' if worse else 'Better'} after {change.words}",
        summary=f"{of}, {span}: {reasons}. `tpscope changes show {change.id}` has the numbers.",
        metric="",
        value=math.nan,
        threshold=math.nan,
        unit="",
        since=verdict.judged_at,
        until=verdict.judged_at,
        held=True,
        scopes=(verdict.selector,),
        runbook=rule.runbook,
    )
