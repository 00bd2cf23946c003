"""The working copy of one step of all incidents' lives, shared by the parts that decide: what is known, and what changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from alerts.judgement import Clear, Firing
from core.config import Rule, Settings
from core.types import Incident, IncidentAction, NotifyReason, Silence

EVENTS = frozenset({"budget", "change"})
"""Kinds that tell of an instant, not of a condition that goes on."""


class Cause(StrEnum):
    """Why a message is made."""

    STARTED = "the condition started"
    NO_LONGER_INHIBITED = "it still fires after the incident that it was joined to ended"
    NO_LONGER_SILENCED = "it still fires after the silence ended"
    GROUPED = "several conditions with something in common started"
    REPEAT_INTERVAL_ELAPSED = "it fires on and the repeat interval has elapsed"
    RECOVERED = "the condition is gone"
    ANOMALY_ENDED = "the anomaly ended"
    GROUP_ENDED = "none of its members fires any more"
    RULE_REMOVED = "the rule was removed from the configuration"
    RULE_CHANGED = "the rule no longer covers it"
    DEFINITION_CHANGED = "the definition of its transaction changed: numbers of two versions are not compared"
    LATE_DATA = "calls that came late changed the verdict"
    DETECTION_OFF = "detection was switched off"


def end_is_news(incident: Incident) -> bool:
    """Whether anybody is told that it goes on, or has ended: of an event that is no news."""
    return incident.kind not in EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell to every receiver of an incident."""

    incident: Incident
    reason: NotifyReason
    cause: Cause


@dataclass(slots=True)
class Step:
    """Incidents by id, as they are so far, and what the step was given."""

    settings: Settings
    now: datetime
    incidents: dict[str, Incident]
    firings: dict[str, Firing]
    clears: dict[str, Clear]
    rules: dict[str, Rule]
    silences: Sequence[Silence] = ()
    actions: Sequence[IncidentAction] = ()
    notices: list[Notice] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.settings.time_zone)

    def open(self) -> list[Incident]:
        """Incidents that have fired and not ended."""
        return [incident for incident in self.incidents.values() if incident.state.is_open]

    def put(self, incident: Incident) -> None:
        self.incidents[incident.id] = incident

    def tell(self, incident: Incident, reason: NotifyReason, cause: Cause) -> Incident:
        told = replace(incident, last_notified_at=self.now)
        self.put(told)
        self.notices.append(Notice(incident=told, reason=reason, cause=cause))
        return told
