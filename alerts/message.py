"""What a message says, before a receiver's own shape: one headline, an explanation, facts, and where to look. Pure."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from alerts.inhibition import selection
from alerts.wording import moment
from core.config import Settings
from core.links import PATH, VALID_FOR, ActionLink, sign
from core.series import Selector, metric_of
from core.types import Action, Incident, IncidentState, NotifyReason
from render.units import format_range, format_span, format_value

TEST = "test"
MOST_CAUSES = 3
ACTION_WORDS = {Action.ACKNOWLEDGE: "Acknowledge", Action.SNOOZE: "Snooze 1 h", Action.EXPECTED: "It was expected"}

_VALUES = {"budget": "Used", "forecast": "Probability", "objective": "Bad share"}
_LIMITS = {"budget": "Budget", "forecast": "Told from"}
"""What the value and the limit of a rule that is about no metric are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message about one incident.

    Attributes
    ----------
    id : str
        The notification's id: what the receiver tells repeats by.
    reason : str
        `opened`, `repeated`, `resolved`, `amended`, `withdrawn` or `test`.
    headline : str
        One line that stands alone on a phone's lock screen.
    facts : tuple of (name, text)
        Where, since when, how bad, against what.
    incident_url, runbook_url : str
        Where to look; empty where unknown.
    links : tuple of (name, address)
        Both of them, and those by which people act, with the words for their buttons.
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
    links: tuple[tuple[str, str], ...] = ()


def message_of(
    incident: Incident,
    reason: NotifyReason,
    notification_id: str,
    now: datetime,
    settings: Settings,
    *,
    test: bool = False,
    receiver: str = "",
) -> Message:
    """The message about `incident` as it is at `now`, with times in the configured zone."""
    zone = ZoneInfo(settings.time_zone)
    page = incident_url(settings.web.public_url, incident.id)
    runbook = incident.runbook if incident.runbook.startswith(("https://", "http://")) else ""
    look = [(name, address) for name, address in (("Open the incident", page), ("Runbook", runbook)) if address]
    acting = [] if test else action_links(incident, notification_id, receiver, now, settings)
    return Message(
        id=notification_id,
        reason=TEST if test else reason.value,
        created_at=now,
        incident=incident,
        headline=_headline(incident, reason, now, test=test),
        explanation=incident.summary,
        facts=_facts(incident, now, zone),
        incident_url=page,
        runbook_url=runbook,
        links=(*look, *acting),
    )


def action_links(
    incident: Incident, notification_id: str, receiver: str, now: datetime, settings: Settings
) -> list[tuple[str, str]]:
    """Signed links to acknowledge, to snooze and to call it expected; none without `web.public_url` and `web.link_key`."""
    key, base = settings.web.link_key, settings.web.public_url.rstrip("/")
    if key is None or not base or not incident.state.is_open:
        return []
    found = []
    for action, words in ACTION_WORDS.items():
        link = ActionLink(
            incident_id=incident.id,
            action=action,
            receiver=receiver,
            nonce=f"{notification_id}-{action.value}",
            expires_at=now + VALID_FOR,
        )
        found.append((words, f"{base}{PATH}?link={sign(link, key.reveal())}"))
    return found


def incident_url(public_url: str, incident_id: str) -> str:
    """The page of an incident; empty when nobody said under which address people reach the pages."""
    return f"{public_url.rstrip('/')}/incidents?incident={quote(incident_id, safe='')}" if public_url else ""


def _headline(incident: Incident, reason: NotifyReason, now: datetime, *, test: bool) -> str:
    title = " ".join(incident.title.split())  # values of dimensions come from outside and may hold line breaks
    if test:
        return f"[test] {title}"
    if reason in (NotifyReason.AMENDED, NotifyReason.WITHDRAWN):
        return f"[{reason.value}] {title}"
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
        title = _VALUES.get(incident.kind, "Value") if not incident.metric else metric_of(incident.metric).title
        facts.append((title, format_value(incident.value, incident.unit)))
    if incident.lower == incident.lower and incident.upper == incident.upper:
        facts.append(("Expected", format_range(incident.lower, incident.upper, incident.unit)))
    elif incident.kind in _LIMITS:
        facts.append((_LIMITS[incident.kind], format_value(incident.threshold, incident.unit)))
    elif incident.threshold == incident.threshold:
        bound = "at least" if incident.value < incident.threshold else "at most"
        facts.append(("Expected", f"{bound} {format_value(incident.threshold, incident.unit)}"))
    if incident.causes:
        facts.append(
            ("Cause", "; ".join(f"{cause.text} ({100 * cause.share:.0f} %)" for cause in incident.causes[:MOST_CAUSES]))
        )
    facts += [(name, value) for name, value in sorted(incident.labels.items()) if name not in about]
    return tuple(facts)
