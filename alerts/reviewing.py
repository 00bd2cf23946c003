"""A performance review in few words as messages of the outbox, delivered as those of incidents are. Pure."""

import html
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
_ROOM = {"wecom": 850, "telegram": 1400, "discord": 1600}
_ROOM_OTHERWISE = 2300
"""Bytes of escaped text, some way below what the templates cut at: whole lines are left out, none is cut in two."""

_WITHOUT_FACTS = frozenset({"webhook"})


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
            message = review_message(review_id, short, key, settings, now, receiver.type)
            made.append(
                Notification(
                    id=key, incident_id=review_id, receiver=receiver.name, reason=NotifyReason.REVIEW,
                    state=DeliveryState.PENDING, created_at=now, updated_at=now, attempts=0, next_attempt_at=now, error="",
                    payload=render_for(receiver, message),
                )
            )  # fmt: skip
    return made


def review_message(
    review_id: str, short: ShortReview, key: str, settings: Settings, now: datetime, kind: str = "slack"
) -> Message:
    """The message, before a receiver's own shape. Templates ask for an incident: it has the review's name and no trouble."""
    address = review_url(settings.web.public_url, review_id)
    figures = [", ".join(f"{name} {text}" for name, text in short.facts)] if kind in _WITHOUT_FACTS and short.facts else []
    lines = _fitting([*figures, *short.lines], _ROOM.get(kind, _ROOM_OTHERWISE))
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


def _fitting(lines: Sequence[str], room: int) -> str:
    """As many whole lines as there is room for, and how many are left out."""
    kept: list[str] = []
    for place, line in enumerate(lines):
        room -= len(html.escape(line).encode()) + 4
        if room < 0:
            kept.append(f"and {len(lines) - place} more on the page")
            break
        kept.append(line)
    return "\n".join(f"• {line}" for line in kept)


def _stand_in(review_id: str, title: str, summary: str, now: datetime) -> Incident:
    nothing = float("nan")
    return Incident(
        id=review_id, fingerprint=review_id, state=IncidentState.FIRING, rule="review", kind="review", severity=Severity.INFO,
        labels={}, title=title, summary=summary, started_at=now, updated_at=now, resolved_at=None, last_notified_at=now,
        metric="", value=nothing, threshold=nothing, unit="",
    )  # fmt: skip
