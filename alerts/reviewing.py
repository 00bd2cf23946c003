"""A performance review in few words as messages of the outbox, delivered as those of incidents are. Pure."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from alerts.message import Message
from alerts.outbox import notification_id
from alerts.receivers.templating import render_for
from core.config import Settings
from core.types import DeliveryState, Incident, IncidentState, Notification, NotifyReason, Severity
from render.review_words import ShortReview

PAGE = "/reviews"


def review_url(public_url: str, review_id: str) -> str:
    """The page of a review; empty when nobody said under which address people reach the pages."""
    return f"{public_url.rstrip('/')}{PAGE}/{quote(review_id, safe='')}" if public_url else ""


def review_notifications(
    review_id: str, short: ShortReview, stored: Sequence[Notification], settings: Settings, now: datetime
) -> list[Notification]:
    """One message for each receiver of `reviews.receivers` that has none of this review yet."""
    there = {one.id for one in stored}
    made = []
    for receiver in settings.receivers:
        key = notification_id(review_id, receiver.name, NotifyReason.REVIEW, 0)
        if receiver.name in settings.reviews.receivers and key not in there:
            message = review_message(review_id, short, key, settings, now)
            made.append(
                Notification(
                    id=key, incident_id=review_id, receiver=receiver.name, reason=NotifyReason.REVIEW,
                    state=DeliveryState.PENDING, created_at=now, updated_at=now, attempts=0, next_attempt_at=now, error="",
                    payload=render_for(receiver, message),
                )
            )  # fmt: skip
    return made


def review_message(review_id: str, short: ShortReview, key: str, settings: Settings, now: datetime) -> Message:
    """The message, before a receiver's own shape. Templates ask for an incident: it has the review's name and no trouble."""
    address = review_url(settings.web.public_url, review_id)
    lines = "\n".join(f"• {line}" for line in short.lines)
    return Message(
        id=key,
        reason=NotifyReason.REVIEW.value,
        created_at=now,
        incident=_stand_in(review_id, short.headline, lines, now),
        headline=short.headline,
        explanation=lines,
        facts=short.facts,
        incident_url=address,
        runbook_url="",
        links=(("Open the review", address),) if address else (),
    )


def _stand_in(review_id: str, title: str, summary: str, now: datetime) -> Incident:
    nothing = float("nan")
    return Incident(
        id=review_id, fingerprint=review_id, state=IncidentState.FIRING, rule="review", kind="review", severity=Severity.INFO,
        labels={}, title=title, summary=summary, started_at=now, updated_at=now, resolved_at=None, last_notified_at=now,
        metric="", value=nothing, threshold=nothing, unit="",
    )  # fmt: skip
