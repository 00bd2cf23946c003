"""The life of incidents: stored incidents and fresh judgements in, changed incidents and what to tell out. Pure.

All state is in the stored incidents, so a restart at any step repeats nothing and misses nothing. One idea, one module:

    (none) ──held──▶ firing ──recovered, anomaly ended, rule removed──▶ resolved        a later firing is a new incident
                        │
                        └─ told when nothing inhibits it; told again each repeat interval; its end is told if it was told itself
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from alerts.evaluate import fingerprint_of
from alerts.inhibition import INHIBITED_BY, Source, inhibiting, selection
from alerts.judgement import Clear, Firing, Judgement
from alerts.routing import receivers_of_incident, rules_by_name
from alerts.wording import moment
from core.config import AnomalyRule, Rule, Settings
from core.series import Selector
from core.types import Incident, IncidentState, NotifyReason, Severity
from render.units import format_span, format_value


class Cause(StrEnum):
    """Why a message is made."""

    STARTED = "the condition started"
    NO_LONGER_INHIBITED = "it still fires after the incident that it was joined to ended"
    REPEAT_INTERVAL_ELAPSED = "it fires on and the repeat interval has elapsed"
    RECOVERED = "the condition is gone"
    ANOMALY_ENDED = "the anomaly ended"
    RULE_REMOVED = "the rule was removed from the configuration"
    RULE_CHANGED = "the rule no longer covers it"
    DETECTION_OFF = "detection was switched off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell to every receiver of an incident."""

    incident: Incident
    reason: NotifyReason
    cause: Cause


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


@dataclass(slots=True)
class _Step:
    """The working copy of one step: incidents by id, as they are so far."""

    settings: Settings
    now: datetime
    before: dict[str, Incident]
    incidents: dict[str, Incident]
    firings: dict[str, Firing]
    clears: dict[str, Clear]
    rules: dict[str, Rule]
    notices: list[Notice] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.settings.time_zone)

    def firing(self) -> list[Incident]:
        return [incident for incident in self.incidents.values() if incident.state is IncidentState.FIRING]

    def put(self, incident: Incident) -> None:
        self.incidents[incident.id] = incident

    def tell(self, incident: Incident, reason: NotifyReason, cause: Cause) -> None:
        told = replace(incident, last_notified_at=self.now)
        self.put(told)
        self.notices.append(Notice(incident=told, reason=reason, cause=cause))


def decide(known: Iterable[Incident], judgements: Sequence[Judgement], now: datetime, settings: Settings) -> Decision:
    """One step of every incident's life.

    Parameters
    ----------
    known : iterable of Incident
        Latest states of all firing incidents, and of those that ended lately.
    judgements : sequence of Judgement
        One per rule; what a rule is silent about stays as it is.
    now : datetime
        Aware, whole milliseconds; it may jump either way between steps.
    """
    before = {incident.id: incident for incident in known}
    step = _Step(
        settings=settings,
        now=now,
        before=before,
        incidents=dict(before),
        firings={firing.fingerprint: firing for judgement in judgements for firing in judgement.firings},
        clears={clear.fingerprint: clear for judgement in judgements for clear in judgement.clears},
        rules=dict(rules_by_name(settings)),
    )
    for incident in step.firing():
        _carry_on(step, incident)
    _open(step)
    _tell(step)
    changed = (incident for incident in step.incidents.values() if incident != before.get(incident.id))
    updates = {incident.id: replace(incident, updated_at=now) for incident in changed}
    notices = tuple(replace(notice, incident=updates[notice.incident.id]) for notice in step.notices)
    return Decision(updates=tuple(updates.values()), notices=notices)


def needs_update(
    incident: Incident, now: datetime, repeat_interval: timedelta, *, breaches: bool, clears: bool
) -> Cause | None:
    """Why a firing incident that nothing inhibits must be told now; None when it need not.

    The distance to the last message counts, not its sign: after the clock was set back, a repeat comes late by one interval at
    most.
    """
    if incident.last_notified_at is None:
        if not breaches:
            return None
        return Cause.NO_LONGER_INHIBITED if INHIBITED_BY in incident.labels else Cause.STARTED
    if not clears and abs(now - incident.last_notified_at) >= repeat_interval:
        return Cause.REPEAT_INTERVAL_ELAPSED
    return None


def _carry_on(step: _Step, incident: Incident) -> None:
    """Resolve a firing incident, or bring it up to date."""
    clear, firing = step.clears.get(incident.fingerprint), step.firings.get(incident.fingerprint)
    if cause := _ended_by_configuration(incident, step):
        _resolve(step, incident, cause, at=step.now, more=f"Ended: {cause.value}.")
    elif clear is not None and clear.recovered and clear.since >= incident.started_at:  # else it is the past, judged again
        cause = Cause.ANOMALY_ENDED if incident.anomaly_id else Cause.RECOVERED
        _resolve(step, incident, cause, at=max(clear.since, incident.started_at), more=_end_words(step, incident, clear))
    elif firing is not None:
        step.put(_refreshed(incident, firing))


def _ended_by_configuration(incident: Incident, step: _Step) -> Cause | None:
    rule = step.rules.get(incident.rule)
    if rule is None or rule.kind != incident.kind:
        return Cause.RULE_REMOVED
    if isinstance(rule, AnomalyRule):
        return None if step.settings.detection.enabled else Cause.DETECTION_OFF
    covered = fingerprint_of(rule, selection(incident.labels)) == incident.fingerprint
    return None if covered else Cause.RULE_CHANGED


def _resolve(step: _Step, incident: Incident, cause: Cause, *, at: datetime, more: str) -> None:
    resolved = replace(
        incident, state=IncidentState.RESOLVED, resolved_at=at, updated_at=step.now, summary=f"{incident.summary} {more}"
    )
    step.put(resolved)
    if incident.last_notified_at is not None:
        step.tell(resolved, NotifyReason.RESOLVED, cause)


def _end_words(step: _Step, incident: Incident, clear: Clear) -> str:
    lasted = format_span(max(clear.since, incident.started_at) - incident.started_at)
    back = f"; back at {format_value(clear.value, incident.unit)}" if clear.value == clear.value else ""
    return f"Ended {moment(max(clear.since, incident.started_at), step.zone)} after {lasted}{back}."


def _refreshed(incident: Incident, firing: Firing) -> Incident:
    joined = {name: value for name, value in incident.labels.items() if name == INHIBITED_BY}
    return replace(
        incident,
        severity=firing.severity,
        labels={**firing.labels, **joined},
        title=firing.title,
        summary=firing.summary,
        metric=firing.metric,
        value=_same_or(incident.value, firing.value),
        threshold=_same_or(incident.threshold, firing.threshold),
        unit=firing.unit,
        runbook=firing.runbook,
    )


def _same_or(before: float, after: float) -> float:
    """`after`, but one NaN is as good as another: an incident that did not change must equal itself."""
    return before if math.isnan(before) and math.isnan(after) else after


def _open(step: _Step) -> None:
    """Open an incident for every firing that has held and has none.

    What held only before the end of an earlier incident of the same fingerprint is that incident: minutes are judged again
    after a crash, and an ended anomaly is read again as long as it is fresh.
    """
    burning = {incident.fingerprint for incident in step.firing()}
    ended: dict[str, datetime] = {}
    for incident in step.incidents.values():
        if incident.resolved_at is not None:
            ended[incident.fingerprint] = max(incident.resolved_at, ended.get(incident.fingerprint, incident.resolved_at))
    for fingerprint, firing in step.firings.items():
        known = fingerprint in burning or (fingerprint in ended and firing.until <= ended[fingerprint])
        if firing.held and not known and _configured(firing, step):
            step.put(_opened(firing, step))


def _configured(firing: Firing, step: _Step) -> bool:
    rule = step.rules.get(firing.rule)
    return rule is not None and (step.settings.detection.enabled or not firing.anomaly_id)


def _opened(firing: Firing, step: _Step) -> Incident:
    return Incident(
        id=_incident_id(firing.fingerprint, step),
        fingerprint=firing.fingerprint,
        state=IncidentState.FIRING,
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
    )


def _incident_id(fingerprint: str, step: _Step) -> str:
    """Made of the fingerprint and the time of opening; the clock may have been set back to that very millisecond."""
    for attempt in range(len(step.incidents) + 1):
        text = f"{fingerprint}|{step.now.isoformat()}|{attempt}"
        found = hashlib.sha256(text.encode()).hexdigest()[:16]
        if found not in step.incidents:
            return found
    raise AssertionError("one of these ids is not in use")


def _tell(step: _Step) -> None:
    """Tell what must be told, those that may inhibit others first."""
    sources: list[Source] = []
    for incident in sorted(step.firing(), key=_telling_order):
        receivers = frozenset(receiver.name for receiver in receivers_of_incident(incident, step.settings))
        if not receivers:
            continue
        told = incident
        source = inhibiting(incident, receivers, sources) if incident.last_notified_at is None else None
        if source is not None:
            step.put(replace(incident, labels={**incident.labels, INHIBITED_BY: source.incident.id}))
        else:
            told = _tell_one(step, incident)
        if told.anomaly_id and told.last_notified_at is not None:
            sources.append(Source(incident=told, scopes=_scopes(told, step), receivers=receivers))


def _tell_one(step: _Step, incident: Incident) -> Incident:
    firing = step.firings.get(incident.fingerprint)
    cause = needs_update(
        incident,
        step.now,
        step.settings.routing.repeat_interval,
        breaches=firing is not None,
        clears=incident.fingerprint in step.clears and firing is None,
    )
    if cause is None:
        return incident
    reason = NotifyReason.REPEATED if cause is Cause.REPEAT_INTERVAL_ELAPSED else NotifyReason.OPENED
    labels = {name: value for name, value in incident.labels.items() if name != INHIBITED_BY}
    step.tell(replace(incident, labels=labels), reason, cause)
    return step.incidents[incident.id]


def _telling_order(incident: Incident) -> tuple[bool, bool, int, datetime, str]:
    """Anomalies before thresholds; of them what was told before what was not, then the more severe, then the older."""
    severe = [Severity.CRITICAL, Severity.WARNING, Severity.INFO].index(incident.severity)
    return (not incident.anomaly_id, incident.last_notified_at is None, severe, incident.started_at, incident.id)


def _scopes(incident: Incident, step: _Step) -> tuple[Selector, ...]:
    firing = step.firings.get(incident.fingerprint)
    return firing.scopes if firing else (Selector.of(selection(incident.labels)),)
