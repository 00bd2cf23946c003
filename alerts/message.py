"""What a message says, before a receiver's own shape: one headline, an explanation, facts, and where to look. Pure."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from alerts.inhibition import selection
from alerts.wording import moment
from core.config import Settings
from core.series import METRICS, Selector
from core.types import Incident, IncidentState, NotifyReason
from render.units import format_span, format_value

TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message about one incident.

    Attributes
    ----------
    id : str
        The notification's id: what the receiver tells repeats by.
    reason : str
        `opened`, `repeated`, `resolved` or `test`.
    headline : str
        One line that stands alone on a phone's lock screen.
    facts : tuple of (name, text)
        Where, since when, how bad, against what.
    incident_url, runbook_url : str
        Where to look; empty where unknown.
    """

    id: str
    reason: str
    created_at: datetime
    incident: Incident
    headline: str
    explanation: str
    facts: tuple[tuple[str, str], ...]
    incident_url: str
    runbook_url: str


def message_of(
    incident: Incident, reason: NotifyReason, notification_id: str, now: datetime, settings: Settings, *, test: bool = False
) -> Message:
    """The message about `incident` as it is at `now`, with times in the configured zone."""
    zone = ZoneInfo(settings.time_zone)
    return Message(
        id=notification_id,
        reason=TEST if test else reason.value,
        created_at=now,
        incident=incident,
        headline=_headline(incident, reason, now, test=test),
        explanation=incident.summary,
        facts=_facts(incident, now, zone),
        incident_url=incident_url(settings.web.public_url, incident.id),
        runbook_url=incident.runbook if incident.runbook.startswith(("https://", "http://")) else "",
    )


def incident_url(public_url: str, incident_id: str) -> str:
    """The page of an incident; empty when nobody said under which address people reach the pages."""
    return f"{public_url.rstrip('/')}/incidents?incident={quote(incident_id, safe='')}" if public_url else ""


def _headline(incident: Incident, reason: NotifyReason, now: datetime, *, test: bool) -> str:
    title = " ".join(incident.title.split())  # values of dimensions come from outside and may hold line breaks
    if test:
        return f"[test] {title}"
    if incident.state is IncidentState.RESOLVED:
        return f"[resolved] {title}, after {format_span((incident.resolved_at or now) - incident.started_at)}"
    value = f" ({format_value(incident.value, incident.unit)})" if incident.value == incident.value else ""
    if reason is NotifyReason.REPEATED:
        return f"[{incident.severity.value}, still firing] {title}{value}, for {format_span(now - incident.started_at)}"
    return f"[{incident.severity.value}] {title}{value}"


def _facts(incident: Incident, now: datetime, zone: ZoneInfo) -> tuple[tuple[str, str], ...]:
    about = selection(incident.labels)
    facts = [("Where", Selector.of(about).words), ("Since", moment(incident.started_at, zone))]
    if incident.state is IncidentState.RESOLVED:
        facts.append(("Ended", moment(incident.resolved_at or now, zone)))
    if incident.value == incident.value:
        title = METRICS[incident.metric].title if incident.metric in METRICS else incident.metric or "Value"
        facts.append((title, format_value(incident.value, incident.unit)))
    if incident.threshold == incident.threshold:
        bound = "at least" if incident.value < incident.threshold else "at most"
        facts.append(("Expected", f"{bound} {format_value(incident.threshold, incident.unit)}"))
    facts += [(name, value) for name, value in sorted(incident.labels.items()) if name not in about]
    return tuple(facts)
