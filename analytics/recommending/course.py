"""What becomes of recommendations: found again, no longer found, decided, and measured against what they promised. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from analytics.recommending.measures import VALUES, rows_of
from analytics.replay.calls import LoggedCalls
from core.recommendations import Effect, Finding, Outcome, Recommendation, RecommendationState, Verdict

CHECK_AFTER = timedelta(hours=6)
"""So long after it was accepted a recommendation is measured, for the first time."""
CHECK_UNTIL = timedelta(days=14)
_LEAST_CALLS = 200
_KEPT, _PARTLY = 0.75, 0.25


def id_of(finding: Finding) -> str:
    """The same for the same rule about the same thing, whenever it is found."""
    return hashlib.sha256(f"{finding.rule}|{finding.selector}|{finding.about}".encode()).hexdigest()[:8]


def merged(
    known: Sequence[Recommendation], findings: Sequence[Finding], span: tuple[datetime, datetime], now: datetime
) -> list[Recommendation]:
    """What changes: findings that are new or open, and open ones that are found no more. What was decided stays decided."""
    before = {one.id: one for one in known}
    changed = []
    for finding in findings:
        number = id_of(finding)
        if number not in before or before[number].state in (RecommendationState.OPEN, RecommendationState.GONE):
            changed.append(
                Recommendation(
                    id=number, finding=finding, start=span[0], end=span[1], found_at=now, state=RecommendationState.OPEN
                )
            )
    again = {id_of(one) for one in findings}
    gone = [one for one in known if one.state is RecommendationState.OPEN and one.id not in again]
    return [*changed, *(replace(one, state=RecommendationState.GONE) for one in gone)]


def to_check(known: Sequence[Recommendation], now: datetime) -> list[Recommendation]:
    """Accepted ones whose effect can be measured, and is still worth measuring."""
    return [
        one
        for one in known
        if one.state is RecommendationState.ACCEPTED
        and one.decided_at is not None
        and CHECK_AFTER <= now - one.decided_at <= CHECK_UNTIL
        and one.finding.effect.measure in VALUES
    ]


def outcome(one: Recommendation, since: LoggedCalls, now: datetime) -> Outcome | None:
    """What calls since the decision show; None with too few of them."""
    effect = one.finding.effect
    values = VALUES[effect.measure](since)[rows_of(since, effect.measure, effect.scope)]
    known = values[np.isfinite(values)]
    if len(known) < _LEAST_CALLS:
        return None
    measured = float(known.mean())
    return Outcome(checked_at=now, calls=len(known), measured=measured, verdict=verdict_of(effect, measured))


def verdict_of(effect: Effect, measured: float) -> Verdict:
    """Kept: within the interval, or three quarters of the predicted change; a quarter of it: partly."""
    if effect.lower <= measured <= effect.upper:
        return Verdict.KEPT
    part = (effect.before - measured) / (effect.before - effect.after)
    return Verdict.KEPT if part >= _KEPT else Verdict.PARTLY if part >= _PARTLY else Verdict.NOT_KEPT
