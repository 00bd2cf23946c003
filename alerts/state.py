"""The life of incidents: stored incidents and fresh judgements in, changed incidents and what to tell out. Pure.

All state is in the stored incidents, so a restart at any step repeats nothing and misses nothing. One idea, one module:

    (none) ──breaches──▶ pending ──held──▶ firing ◀──▶ recovering ──recovered, anomaly ended, rule removed──▶ resolved
                            │                 ▲                                    a later firing is a new incident
                            └─gone─▶ (dropped)└──▶ acknowledged, by a person; else as firing

What is told of them, and when, is decided in `telling`.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.about import moved_on
from alerts.amending import VERDICT
from alerts.evaluate import fingerprint_of
from alerts.grouping import GROUP_SIZE, GROUPED_INTO, is_group
from alerts.judgement import Clear, Firing, Judgement
from alerts.routing import rules_by_name
from alerts.step import Cause, Notice, Step, end_is_news
from alerts.telling import MUTES, needs_update, tell
from alerts.wording import moment
from core.config import AnomalyRule, ChangeRule, ForecastRule, PipelineRule, Settings
from core.types import Action, Incident, IncidentAction, IncidentState, NotifyReason, Silence
from render.units import format_span, format_value

__all__ = ["Cause", "Decision", "Notice", "decide", "needs_update"]

ACKNOWLEDGED_BY = "acknowledged_by"
EXPECTED = "expected"
SNOOZE = timedelta(hours=1)
PENDING_FOR = timedelta(hours=6)
"""A pending incident of which nothing more is known for so long is dropped."""

_KEPT = (*MUTES, ACKNOWLEDGED_BY, EXPECTED, GROUP_SIZE, VERDICT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a step changes.

    Attributes
    ----------
    updates : tuple of Incident
        New states of the incidents that changed, each once.
    notices : tuple of Notice
        What to tell, with the incidents as they are after the step.
    """

    updates: tuple[Incident, ...] = ()
    notices: tuple[Notice, ...] = ()


def decide(
    known: Iterable[Incident],
    judgements: Sequence[Judgement],
    now: datetime,
    settings: Settings,
    *,
    silences: Sequence[Silence] = (),
    actions: Sequence[IncidentAction] = (),
) -> Decision:
    """One step of every incident's life.

    Parameters
    ----------
    known : iterable of Incident
        Latest states of all incidents that have not ended, and of those that ended lately.
    judgements : sequence of Judgement
        One per rule; what a rule is silent about stays as it is.
    now : datetime
        Aware, whole milliseconds; it may jump either way between steps.
    silences : sequence of Silence
        What may be in force, windows of maintenance among it.
    actions : sequence of IncidentAction
        What people said; one that was applied before changes nothing.
    """
    before = {incident.id: incident for incident in known}
    step = Step(
        settings=settings,
        now=now,
        incidents=dict(before),
        firings={firing.fingerprint: firing for judgement in judgements for firing in judgement.firings},
        clears={clear.fingerprint: clear for judgement in judgements for clear in judgement.clears},
        rules=dict(rules_by_name(settings)),
        silences=silences,
        actions=actions,
    )
    for action in actions:
        _act(step, action)
    for incident in list(step.incidents.values()):
        if incident.state.is_open and not is_group(incident):
            _carry_on(step, incident)
        elif incident.state is IncidentState.PENDING:
            _ripen(step, incident)
    _open(step)
    for group in [one for one in step.open() if is_group(one)]:
        _carry_on_group(step, group)
    tell(step)
    changed = (incident for incident in step.incidents.values() if incident != before.get(incident.id))
    updates = {incident.id: replace(incident, updated_at=now) for incident in changed}
    notices = tuple(replace(notice, incident=updates[notice.incident.id]) for notice in step.notices)
    return Decision(updates=tuple(updates.values()), notices=notices)


def _act(step: Step, action: IncidentAction) -> None:
    incident = step.incidents.get(action.incident_id)
    if incident is None or not incident.state.is_open:
        return
    if action.action is Action.SNOOZE:
        until = max(action.until or action.at + SNOOZE, incident.snoozed_until or action.at)
        step.put(replace(incident, snoozed_until=until))
        return
    marks = {ACKNOWLEDGED_BY: action.receiver} | ({EXPECTED: "yes"} if action.action is Action.EXPECTED else {})
    state = IncidentState.ACKNOWLEDGED if incident.state is IncidentState.FIRING else incident.state
    step.put(replace(incident, state=state, labels={**incident.labels, **marks}))


def _carry_on(step: Step, incident: Incident) -> None:
    """Resolve an open incident, or bring it up to date."""
    clear, firing = step.clears.get(incident.fingerprint), step.firings.get(incident.fingerprint)
    if cause := _ended_by_configuration(incident, step):
        _resolve(step, incident, cause, at=step.now, more=f"Ended: {cause.value}.")
    elif clear is not None and _has_recovered(clear, incident):
        cause = Cause.ANOMALY_ENDED if incident.anomaly_id else Cause.RECOVERED
        _resolve(step, incident, cause, at=max(clear.since, incident.started_at), more=_end_words(step, incident, clear))
    elif firing is not None:
        step.put(_refreshed(incident, firing))
    elif clear is not None and _is_news(clear, incident):
        step.put(replace(incident, state=IncidentState.RECOVERING))


def _has_recovered(clear: Clear, incident: Incident) -> bool:
    """Whether a clear verdict ends the incident.

    The condition may have been clear all the time by whole minutes, when the seconds opened the incident or late data changed
    the verdict: then it counts from when the incident began to recover.
    """
    if not clear.recovered or clear.since >= incident.started_at:
        return clear.recovered
    if incident.state is not IncidentState.RECOVERING or clear.until is None:
        return False
    return clear.until >= incident.updated_at + clear.recover_after


def _is_news(clear: Clear, incident: Incident) -> bool:
    """Whether a clear verdict is about the incident, and not about minutes before it that were judged again."""
    return clear.since >= incident.started_at or (clear.until is not None and clear.until > incident.started_at)


def _carry_on_group(step: Step, group: Incident) -> None:
    """A group goes on as long as one of its members does, and grows with what has joined it."""
    members = [one for one in step.incidents.values() if one.labels.get(GROUPED_INTO) == group.id and not one.anomaly_id]
    burning = [one for one in members if one.state.is_open]
    if group.rule not in step.rules:
        _resolve(step, group, Cause.RULE_REMOVED, at=step.now, more=f"Ended: {Cause.RULE_REMOVED.value}.")
    elif burning:
        size = max(int(group.labels[GROUP_SIZE]), len(members))
        step.put(replace(group, labels={**group.labels, GROUP_SIZE: str(size)}))
    else:
        at = max((one.resolved_at for one in members if one.resolved_at), default=step.now)
        at = max(at, group.started_at)
        more = f"Ended {moment(at, step.zone)} after {format_span(at - group.started_at)}."
        _resolve(step, group, Cause.GROUP_ENDED, at=at, more=more)


def _ripen(step: Step, incident: Incident) -> None:
    """Let a pending incident fire when its condition has held, and drop it when that is gone.

    Minutes before it began may be judged again, after a crash: what held then was another incident.
    """
    firing = step.firings.get(incident.fingerprint)
    if firing is not None and firing.until <= incident.started_at:
        return
    if _ended_by_configuration(incident, step) or incident.fingerprint in step.clears or _forgotten(incident, step.now):
        step.put(replace(incident, state=IncidentState.RESOLVED, resolved_at=step.now))
    elif firing is not None:
        ripe = replace(_refreshed(incident, firing), state=IncidentState.PENDING, started_at=firing.since)
        step.put(replace(ripe, state=IncidentState.FIRING, opened_at=step.now) if firing.held else ripe)


def _forgotten(incident: Incident, now: datetime) -> bool:
    return abs(now - incident.updated_at) > PENDING_FOR


def _ended_by_configuration(incident: Incident, step: Step) -> Cause | None:
    rule = step.rules.get(incident.rule)
    if rule is None or rule.kind != incident.kind:
        return Cause.RULE_REMOVED
    if gone := moved_on(rule, incident.labels, step.settings):
        return gone
    if isinstance(rule, AnomalyRule):
        return None if step.settings.detection.enabled else Cause.DETECTION_OFF
    if isinstance(rule, PipelineRule | ChangeRule):
        return None
    covered = fingerprint_of(rule, incident.labels) == incident.fingerprint
    if isinstance(rule, ForecastRule):
        name = incident.labels.get("limit", "")
        typed = any(limit.name == name for limit in step.settings.limits)
        covered = covered and (rule.measured if not typed else not rule.limits or name in rule.limits)
    return None if covered else Cause.RULE_CHANGED


def _resolve(step: Step, incident: Incident, cause: Cause, *, at: datetime, more: str) -> None:
    resolved = replace(
        incident, state=IncidentState.RESOLVED, resolved_at=at, updated_at=step.now, summary=f"{incident.summary} {more}"
    )
    step.put(resolved)
    if incident.last_notified_at is not None and end_is_news(incident):
        step.tell(resolved, NotifyReason.RESOLVED, cause)


def _end_words(step: Step, incident: Incident, clear: Clear) -> str:
    lasted = format_span(max(clear.since, incident.started_at) - incident.started_at)
    back = f"; back at {format_value(clear.value, incident.unit)}" if clear.value == clear.value else ""
    return f"Ended {moment(max(clear.since, incident.started_at), step.zone)} after {lasted}{back}."


def _refreshed(incident: Incident, firing: Firing) -> Incident:
    kept = {name: value for name, value in incident.labels.items() if name in _KEPT}
    acknowledged = ACKNOWLEDGED_BY in incident.labels
    return replace(
        incident,
        state=IncidentState.ACKNOWLEDGED if acknowledged else IncidentState.FIRING,
        severity=firing.severity,
        labels={**firing.labels, **kept},
        title=firing.title,
        summary=firing.summary,
        metric=firing.metric,
        value=_same_or(incident.value, firing.value),
        threshold=_same_or(incident.threshold, firing.threshold),
        unit=firing.unit,
        runbook=firing.runbook,
        causes=firing.causes or incident.causes,
        lower=_same_or(incident.lower, firing.lower),
        upper=_same_or(incident.upper, firing.upper),
    )


def _same_or(before: float, after: float) -> float:
    """`after`, but one NaN is as good as another: an incident that did not change must equal itself."""
    return before if math.isnan(before) and math.isnan(after) else after


def _open(step: Step) -> None:
    """Open an incident for every firing that has none: pending until it has held.

    What held only before the end of an earlier incident of the same fingerprint is that incident: minutes are judged again
    after a crash, and an ended anomaly is read again as long as it is fresh.
    """
    alive = {one.fingerprint for one in step.incidents.values() if one.state is not IncidentState.RESOLVED}
    ended: dict[str, datetime] = {}
    for incident in step.incidents.values():
        if incident.resolved_at is not None and incident.opened_at is not None:
            ended[incident.fingerprint] = max(incident.resolved_at, ended.get(incident.fingerprint, incident.resolved_at))
    for fingerprint, firing in step.firings.items():
        known = fingerprint in alive or (fingerprint in ended and firing.until <= ended[fingerprint])
        if not known and _configured(firing, step):
            step.put(_opened(firing, step))


def _configured(firing: Firing, step: Step) -> bool:
    rule = step.rules.get(firing.rule)
    return rule is not None and (step.settings.detection.enabled or not firing.anomaly_id)


def _opened(firing: Firing, step: Step) -> Incident:
    return Incident(
        id=_incident_id(firing.fingerprint, step),
        fingerprint=firing.fingerprint,
        state=IncidentState.FIRING if firing.held else IncidentState.PENDING,
        rule=firing.rule,
        kind=firing.kind,
        severity=firing.severity,
        labels=dict(firing.labels),
        title=firing.title,
        summary=firing.summary,
        started_at=firing.since,
        updated_at=step.now,
        resolved_at=None,
        last_notified_at=None,
        metric=firing.metric,
        value=firing.value,
        threshold=firing.threshold,
        unit=firing.unit,
        anomaly_id=firing.anomaly_id,
        runbook=firing.runbook,
        opened_at=step.now if firing.held else None,
        causes=firing.causes,
        lower=firing.lower,
        upper=firing.upper,
    )


def _incident_id(fingerprint: str, step: Step) -> str:
    """Made of the fingerprint and the time of opening; the clock may have been set back to that very millisecond."""
    for attempt in range(len(step.incidents) + 1):
        text = f"{fingerprint}|{step.now.isoformat()}|{attempt}"
        found = hashlib.sha256(text.encode()).hexdigest()[:16]
        if found not in step.incidents:
            return found
    raise AssertionError("one of these ids is not in use")
