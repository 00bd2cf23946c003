"""Which incidents are told now, and as what: alone, again, as a group, or not, because something else mutes them. Pure.

The order of the reasons not to tell: a silence, an incident of an anomaly that explains it, a group that it belongs to, the
wait for others of its cause. Each leaves its mark in the labels, so that a page can show why nobody was told.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.grouping import GROUP_SIZE, GROUPED_INTO, Group, clusters, is_group, joins, lead, related
from alerts.inhibition import INHIBITED_BY, Source, inhibiting, selection
from alerts.routing import group_wait, receivers_of_incident, repeat_interval
from alerts.silences import SILENCED_BY, silencing
from alerts.step import Cause, Step, end_is_news
from core.config import Settings
from core.series import Selector
from core.types import Incident, IncidentState, NotifyReason, Severity

MUTES = (INHIBITED_BY, GROUPED_INTO, SILENCED_BY)

_EARLY = timedelta(milliseconds=500)
"""Rules are judged every five seconds; a run that begins a moment early would make a wait of five seconds one of ten."""

_SLOW = timedelta(days=1)
_SEVERE = [Severity.CRITICAL, Severity.WARNING, Severity.INFO]


def tell(step: Step) -> None:
    """Tell what must be told, those that may inhibit others first."""
    sources: list[Source] = []
    groups = [one for one in step.open() if is_group(one)]
    waiting: dict[frozenset[str], list[Incident]] = defaultdict(list)
    for incident in sorted(step.open(), key=_telling_order):
        receivers = frozenset(one.name for one in receivers_of_incident(incident, step.settings, step.now))
        if not receivers:
            continue
        if incident.last_notified_at is not None:
            _again(step, incident)
        elif _muted(step, incident, receivers, sources, groups):
            continue
        elif incident.anomaly_id or is_group(incident):  # detection has grouped and waited already
            _first(step, incident)
        elif incident.fingerprint in step.firings:
            waiting[receivers].append(step.incidents[incident.id])
        _become_source(step, incident.id, receivers, sources)
    for candidates in waiting.values():
        _tell_new(step, candidates)


def needs_update(incident: Incident, now: datetime, interval: timedelta, *, breaches: bool, clears: bool) -> Cause | None:
    """Why an incident that nothing mutes must be told now; None when it need not.

    The distance to the last message counts, not its sign: after the clock was set back, a repeat comes late by one interval at
    most. What was acknowledged or snoozed is not repeated.
    """
    if incident.last_notified_at is None:
        if not breaches:
            return None
        if INHIBITED_BY in incident.labels:
            return Cause.NO_LONGER_INHIBITED
        return Cause.NO_LONGER_SILENCED if SILENCED_BY in incident.labels else Cause.STARTED
    quiet = incident.state is not IncidentState.FIRING or (incident.snoozed_until is not None and now < incident.snoozed_until)
    if not clears and not quiet and end_is_news(incident) and abs(now - incident.last_notified_at) >= interval:
        return Cause.REPEAT_INTERVAL_ELAPSED
    return None


def _again(step: Step, incident: Incident) -> None:
    silence = silencing(incident, step.silences, step.now)
    marked = _marked(incident, SILENCED_BY, silence.id) if silence else _unmarked(incident, SILENCED_BY)
    step.put(marked)
    cause = _cause(step, marked)
    if cause is not None and silence is None:
        step.tell(marked, NotifyReason.REPEATED, cause)


def _first(step: Step, incident: Incident) -> None:
    if (cause := _cause(step, incident)) is not None:
        step.tell(_unmarked(incident, *MUTES), NotifyReason.OPENED, cause)


def _cause(step: Step, incident: Incident) -> Cause | None:
    firing = step.firings.get(incident.fingerprint)
    return needs_update(
        incident,
        step.now,
        repeat_interval(incident, step.settings),
        breaches=firing is not None or is_group(incident),
        clears=incident.fingerprint in step.clears and firing is None,
    )


def _muted(
    step: Step, incident: Incident, receivers: frozenset[str], sources: Sequence[Source], groups: Sequence[Incident]
) -> bool:
    """Whether something else keeps an untold incident from being told; it is marked with what that is."""
    if (silence := silencing(incident, step.silences, step.now)) is not None:
        step.put(_marked(_unmarked(incident, *MUTES), SILENCED_BY, silence.id))
        return True
    if is_group(incident):
        return False
    told = [group for group in groups if step.incidents[group.id].last_notified_at is not None]
    if incident.anomaly_id:
        into = next((one for one in told if related(incident, one) and _not_milder(one, incident)), None)
    else:
        into = _group_of(step, incident, groups)
    if into is not None:
        step.put(_marked(_unmarked(incident, *MUTES), GROUPED_INTO, into.id))
        return True
    if (source := inhibiting(incident, receivers, sources)) is not None:
        step.put(_marked(_unmarked(incident, *MUTES), INHIBITED_BY, source.incident.id))
        return True
    return False


def _group_of(step: Step, incident: Incident, groups: Sequence[Incident]) -> Incident | None:
    own = incident.labels.get(GROUPED_INTO)
    for group in groups:
        if group.id == own or (joins(incident, group) and _not_milder(group, incident)):
            return step.incidents[group.id]
    return None


def _not_milder(group: Incident, incident: Incident) -> bool:
    """A critical incident is never hidden behind a group of warnings."""
    return _SEVERE.index(group.severity) <= _SEVERE.index(incident.severity)


def _tell_new(step: Step, candidates: Sequence[Incident]) -> None:
    """Tell those whose wait is over, and with them, as groups, what has come meanwhile."""
    due = {one.id for one in candidates if _waited(step, one)}
    groups, alone = clusters(candidates, step.settings.routing.group_from)
    for group in groups:
        if any(member.id in due for member in group.members):
            _tell_group(step, group)
    for incident in alone:
        if incident.id in due:
            _first(step, incident)


def _tell_group(step: Step, group: Group) -> None:
    leader = lead(group, step.now)
    for member in group.members:
        step.put(_marked(_unmarked(member, *MUTES), GROUPED_INTO, leader.id))
    if receivers_of_incident(leader, step.settings, step.now):
        step.tell(leader, NotifyReason.OPENED, Cause.GROUPED)
    else:  # its labels lead nowhere: better alone than not at all
        for member in group.members:
            _first(step, _unmarked(step.incidents[member.id], *MUTES))


def _waited(step: Step, incident: Incident) -> bool:
    """Whether the wait is over; the distance counts, so that a clock set back does not make it last."""
    wait = group_wait(incident.severity, step.settings)
    return incident.opened_at is None or abs(step.now - incident.opened_at) >= wait - _EARLY


def waits(incidents: Iterable[Incident], now: datetime, settings: Settings) -> Iterator[timedelta]:
    """How much longer each of the open incidents waits for others of its cause; those that are told or muted do not."""
    for one in incidents:
        untold = one.last_notified_at is None and one.opened_at is not None and not one.anomaly_id
        if untold and not any(mute in one.labels for mute in MUTES):
            left = group_wait(one.severity, settings) - abs(now - (one.opened_at or now))
            if left > timedelta(0):
                yield left


def _become_source(step: Step, incident_id: str, receivers: frozenset[str], sources: list[Source]) -> None:
    incident = step.incidents[incident_id]
    slow = (incident.opened_at or step.now) - incident.started_at > _SLOW  # what drifts for days is not what broke just now
    if incident.anomaly_id and incident.last_notified_at is not None and not slow:
        sources.append(Source(incident=incident, scopes=_scopes(incident, step), receivers=receivers))


def _scopes(incident: Incident, step: Step) -> tuple[Selector, ...]:
    firing = step.firings.get(incident.fingerprint)
    return firing.scopes if firing else (Selector.of(selection(incident.labels)),)


def _marked(incident: Incident, name: str, value: str) -> Incident:
    return replace(incident, labels={**incident.labels, name: value})


def _unmarked(incident: Incident, *names: str) -> Incident:
    if not any(name in incident.labels for name in names):
        return incident
    return replace(incident, labels={name: value for name, value in incident.labels.items() if name not in names})


def _telling_order(incident: Incident) -> tuple[bool, bool, bool, int, datetime, str]:
    """Groups, then anomalies, then the rest; of them what was told before what was not, the more severe, the older."""
    told = incident.last_notified_at is None
    return GROUP_SIZE not in incident.labels, not incident.anomaly_id, told, _SEVERE.index(incident.severity), \
        incident.started_at, incident.id  # fmt: skip
