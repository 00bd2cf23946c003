"""A made-up incident for test messages: it says in every line that it is a test."""

import secrets
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.message import Message, message_of
from alerts.receivers.templating import render_for
from alerts.wording import moment
from core.config import ReceiverSettings, Settings
from core.types import Incident, IncidentState, NotifyReason, RankedCause, Severity


def sample_payload(settings: Settings, receiver: ReceiverSettings, now: datetime) -> tuple[str, str]:
    """Idempotency key and body of a test message in the receiver's shape; every test has a key of its own."""
    message = sample_message(settings, receiver, now)
    return message.id, render_for(receiver, message)


def sample_message(settings: Settings, receiver: ReceiverSettings, now: datetime) -> Message:
    """A test message, before its receiver's shape."""
    key = f"test-{secrets.token_hex(8)}"
    return message_of(_incident(settings, receiver, now), NotifyReason.OPENED, key, now, settings, test=True)


def _incident(settings: Settings, receiver: ReceiverSettings, now: datetime) -> Incident:
    since = now - timedelta(minutes=3)
    return Incident(
        id="test",
        fingerprint="test{}",
        state=IncidentState.FIRING,
        rule="test",
        kind="threshold",
        severity=Severity.INFO,
        labels={"service": "example"},
        title="Test message from tpscope: nothing is wrong",
        summary=f"Receiver {receiver.name} is set up: this is what an alert looks like. The numbers below are made up. "
        f"Sent {moment(now, ZoneInfo(settings.time_zone))}.",
        started_at=since,
        updated_at=now,
        resolved_at=None,
        last_notified_at=now,
        metric="error_rate",
        value=0.12,
        threshold=0.05,
        unit="1",
        opened_at=since,
        causes=(RankedCause(text="provider example", share=0.8),),
    )
