"""The outbox: a message is a stored row before it is sent, so that a crash loses none and sends none under a second key. Pure.

Incidents are written first and are what holds; the rows of the outbox follow from them. When a crash came between the two
writes, `missing` finds the messages that an incident's state says were made but that are not there.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from alerts.amending import VERDICT
from alerts.message import message_of
from alerts.receivers.templating import render_for
from alerts.routing import receivers_of_incident
from alerts.step import Cause, Notice, end_is_news
from core.config import ReceiverSettings, Settings
from core.types import DeliveryState, Incident, IncidentState, Notification, NotifyReason

_RANK = {
    NotifyReason.OPENED: 0,
    NotifyReason.REPEATED: 1,
    NotifyReason.RESOLVED: 2,
    NotifyReason.AMENDED: 3,
    NotifyReason.WITHDRAWN: 3,
    NotifyReason.REVIEW: 0,
}


def notification_id(incident_id: str, receiver: str, reason: NotifyReason, ordinal: int) -> str:
    """The idempotency key: the same for every attempt, and for the same message made again after a crash."""
    text = "\0".join((incident_id, receiver, reason.value, str(ordinal)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def order(notification: Notification) -> tuple[int, datetime, str]:
    """The order in which an incident's messages to one receiver must arrive; the clock may have been set back meanwhile."""
    return _RANK[notification.reason], notification.created_at, notification.id


def make(notice: Notice, stored: Iterable[Notification], now: datetime, settings: Settings) -> list[Notification]:
    """The outbox rows of a notice: one per receiver that must hear of it.

    Parameters
    ----------
    stored : iterable of Notification
        The incident's rows so far: reminders and ends go to those who were told of the opening, whatever the configuration says
        now, as long as the receiver is configured; and nothing that is there is made again.
    """
    rows = list(stored)
    there = {row.id for row in rows}
    made = (_notification(notice, receiver, now, settings) for receiver in _audience(notice, rows, now, settings))
    return [notification for notification in made if notification.id not in there]


def missing(incident: Incident, stored: Sequence[Notification]) -> list[Notice]:
    """What the incident's state says was told but the outbox does not hold; empty but for a crash between the writes."""
    told_at = incident.last_notified_at
    if told_at is None:
        return []
    reasons = {row.reason for row in stored}
    repeats = {row.created_at for row in stored if row.reason is not NotifyReason.RESOLVED}
    amended = _amended(incident, stored)
    found: list[Notice] = []
    if NotifyReason.OPENED not in reasons:
        found.append(Notice(incident=incident, reason=NotifyReason.OPENED, cause=Cause.STARTED))
    elif incident.state.is_open and told_at not in repeats and amended is None:
        found.append(Notice(incident=incident, reason=NotifyReason.REPEATED, cause=Cause.REPEAT_INTERVAL_ELAPSED))
    if incident.state is IncidentState.RESOLVED and end_is_news(incident) and NotifyReason.RESOLVED not in reasons:
        found.append(Notice(incident=incident, reason=NotifyReason.RESOLVED, cause=Cause.RECOVERED))
    if amended is not None:
        found.append(Notice(incident=incident, reason=amended, cause=Cause.LATE_DATA))
    return found


def _amended(incident: Incident, stored: Sequence[Notification]) -> NotifyReason | None:
    """The change of verdict that the outbox lacks: the first one, or a later one as the last thing that was told."""
    verdict = incident.labels.get(VERDICT, "")
    reasons = {row.reason for row in stored}
    is_last = NotifyReason.RESOLVED in reasons and all(row.created_at != incident.last_notified_at for row in stored)
    return NotifyReason(verdict) if verdict and (verdict not in reasons or is_last) else None


def _audience(notice: Notice, stored: Sequence[Notification], now: datetime, settings: Settings) -> list[ReceiverSettings]:
    if notice.reason is NotifyReason.OPENED:
        return list(receivers_of_incident(notice.incident, settings, now))
    told = {row.receiver for row in stored if row.reason is NotifyReason.OPENED}
    return [
        receiver
        for receiver in settings.receivers
        if receiver.name in told and (notice.reason is not NotifyReason.RESOLVED or receiver.send_resolved)
    ]


def _notification(notice: Notice, receiver: ReceiverSettings, now: datetime, settings: Settings) -> Notification:
    incident, reason = notice.incident, notice.reason
    once = reason in (NotifyReason.OPENED, NotifyReason.RESOLVED)
    ordinal = 0 if once else _milliseconds(incident.last_notified_at or now)
    key = notification_id(incident.id, receiver.name, reason, ordinal)
    return Notification(
        id=key,
        incident_id=incident.id,
        receiver=receiver.name,
        reason=reason,
        state=DeliveryState.PENDING,
        created_at=incident.last_notified_at or now,
        updated_at=now,
        attempts=0,
        next_attempt_at=now,
        error="",
        payload=render_for(receiver, message_of(incident, reason, key, now, settings, receiver=receiver.name)),
    )


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
