"""Sends what is due in the outbox: one lane per receiver, so that a slow or dead receiver delays no other.

A lane sends one message after the other, oldest first. Every outcome is written as an event. After a crash what was pending is
sent again under the same idempotency key: at least once, and told apart by the key.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.breaker import Pace
from alerts.outbox import order
from alerts.post import Envelope, Picture, Post, Receipt, ReceiverUnavailable, no_picture
from alerts.receivers import PER_MINUTE
from alerts.repository import Outbox
from alerts.retry import wait_before
from core.clock import Clock
from core.config import ReceiverSettings, Settings
from core.durations import format_duration
from core.errors import DeliveryRefused, StoreError, TransientError
from core.telemetry import ALERTS_MESSAGES
from core.types import DeliveryState, Notification, NotifyReason

logger = logging.getLogger(__name__)

MAX_LANES = 16
BATCH = 500
"""Most due messages that are looked at in one round."""

MAX_PAUSE = timedelta(seconds=30)
"""Rest of a lane that an error of ours has ended."""

PER_MINUTE_OTHERWISE = 60

_SHORTLY = timedelta(seconds=1)
_CLOSE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What became of the messages of one or more rounds.

    Attributes
    ----------
    retried : int
        Attempts that failed and will be repeated.
    failed : int
        Messages that were given up.
    """

    sent: int = 0
    retried: int = 0
    failed: int = 0
    last_error: str = ""

    def __add__(self, other: "DeliveryReport") -> "DeliveryReport":
        return DeliveryReport(
            sent=self.sent + other.sent,
            retried=self.retried + other.retried,
            failed=self.failed + other.failed,
            last_error=other.last_error or self.last_error,
        )


class Courier:
    """The lanes. What must outlast a crash is in the outbox; when a lane rests is not, and need not be."""

    def __init__(
        self, post: Post, clock: Clock, stop: threading.Event, draw: Callable[[Notification], bytes | None] | None = None
    ) -> None:
        """`stop` ends lanes after the message that they are sending; `draw` makes a message's picture, for who takes one."""
        self._post, self._clock, self._stop, self._draw = post, clock, stop, draw
        self._lanes: dict[str, Future[DeliveryReport]] = {}
        self._paces: dict[str, Pace] = {}
        self._said: dict[str, str] = {}
        self._unwritten: dict[str, Notification] = {}
        self._lock = threading.Lock()

    def start(self, outbox: Outbox, settings: Settings) -> DeliveryReport:
        """Start a lane for each receiver with something due that has none; returns what became of those that have ended.

        Raises the store's errors when the outbox cannot be read or written; running lanes go on.
        """
        report = self._ended()
        self._write_again(outbox)
        now = self._clock.now()
        # Named before the outbox is read: what a lane is sending just now is still due there and must not be sent twice.
        left_out = {*self._lanes, *(name for name, pace in self._paces.items() if pace.rests(now))}
        due: dict[str, list[Notification]] = {}
        for notification in outbox.due(now, BATCH, left_out):
            due.setdefault(notification.receiver, []).append(notification)
        receivers = {receiver.name: receiver for receiver in settings.receivers}
        for name, notifications in due.items():
            if len(self._lanes) < MAX_LANES:  # the others' turn comes when a lane has ended
                receiver = receivers.get(name)
                self._pace(name, receiver)
                self._lanes[name] = self._begin(name, receiver, notifications, outbox)
        return report

    def wait(self) -> DeliveryReport:
        """Wait for the lanes to end; returns what became of their messages."""
        wait(self._lanes.values())
        return self._ended()

    def close(self) -> None:
        """End the lanes, each after the message that it is sending; one whose receiver never ends its answer is left behind."""
        self._stop.set()
        wait(self._lanes.values(), timeout=_CLOSE_S)

    def _begin(
        self, name: str, receiver: ReceiverSettings | None, due: Sequence[Notification], outbox: Outbox
    ) -> Future[DeliveryReport]:
        """A lane in a thread of its own; a daemon, so that none can keep the process from ending."""
        lane: Future[DeliveryReport] = Future()

        def run() -> None:
            try:
                lane.set_result(self._lane(name, receiver, due, outbox))
            except BaseException as error:  # noqa: BLE001  whoever asks for the lane's result gets it
                lane.set_exception(error)

        threading.Thread(target=run, name=f"delivery-{name}", daemon=True).start()
        return lane

    def _ended(self) -> DeliveryReport:
        ended = [name for name, lane in self._lanes.items() if lane.done()]
        return sum((self._lanes.pop(name).result() for name in ended), DeliveryReport())

    def _write_again(self, outbox: Outbox) -> None:
        """Outcomes that the store did not take: before they are written, their messages would be sent again."""
        with self._lock:
            outcomes = list(self._unwritten.values())
        outbox.write_notifications(outcomes)
        with self._lock:
            for outcome in outcomes:
                self._unwritten.pop(outcome.id, None)

    def _lane(
        self, name: str, receiver: ReceiverSettings | None, due: Sequence[Notification], outbox: Outbox
    ) -> DeliveryReport:
        report = DeliveryReport()
        try:
            for notification in sorted(due, key=lambda one: (one.created_at, order(one))):
                if self._stop.is_set() or not self._paces[name].take(self._clock.now()):
                    break
                outcome = self._deliver(notification, receiver, outbox)
                report += _report(notification, outcome)
                _count(notification, outcome)
                self._write(outcome, outbox)
                if self._paces[name].rests(self._clock.now()):
                    break
        except (TransientError, StoreError) as error:
            logger.warning("delivery stopped, the store does not answer: receiver=%s error=%s", name, error)
        except Exception:  # the top of a lane: one message must not end the delivery of all
            logger.exception("delivery stopped by an error: receiver=%s", name)
            self._paces[name].rest_until = self._clock.now() + MAX_PAUSE
        return report

    def _deliver(self, notification: Notification, receiver: ReceiverSettings | None, outbox: Outbox) -> Notification:
        """Send one message, unless it must wait for an earlier one; returns its new state."""
        now = self._clock.now()
        if receiver is None:
            return _failed(notification, now, f"receiver {notification.receiver!r} is no longer configured")
        if now - notification.created_at >= receiver.deadline:
            return _failed(notification, now, f"given up: older than {format_duration(receiver.deadline)}")
        earlier = _earlier(notification, outbox)
        if (held := _held(notification, earlier, now)) is not None:
            return held
        attempt = replace(notification, attempts=notification.attempts + 1)
        try:
            receipt = self._post(receiver, self._envelope(notification, receiver, earlier, now))
        except DeliveryRefused as error:
            self._say(receiver.name, f"refused: {error}")
            return _failed(attempt, self._clock.now(), str(error))
        except ReceiverUnavailable as error:
            self._say(receiver.name, str(error))
            return self._later(attempt, receiver, error)
        except Exception as error:  # counts as an attempt, so that no message can hold up its receiver for ever
            logger.exception("a message could not be sent: receiver=%s notification=%s", receiver.name, attempt.id)
            return self._later(attempt, receiver, ReceiverUnavailable(f"internal error ({type(error).__name__})"))
        self._say(receiver.name, "")
        self._paces[receiver.name].succeeded()
        return _sent(attempt, self._clock.now(), receipt)

    def _envelope(
        self, notification: Notification, receiver: ReceiverSettings, earlier: Sequence[Notification], now: datetime
    ) -> Envelope:
        return Envelope(
            key=notification.id,
            payload=notification.payload,
            now=now,
            incident_id=notification.incident_id,
            thread=next((row.reference for row in earlier if row.reference), ""),
            picture=self._picture(notification) if receiver.picture else no_picture,
        )

    def _picture(self, notification: Notification) -> Picture:
        def draw() -> bytes | None:
            try:
                return self._draw(notification) if self._draw is not None else None
            except Exception:  # a message without its picture is better than none
                logger.exception("a picture could not be drawn: notification=%s", notification.id)
                return None

        return draw

    def _later(self, attempt: Notification, receiver: ReceiverSettings, error: ReceiverUnavailable) -> Notification:
        now = self._clock.now()
        pause = wait_before(attempt.attempts, receiver.backoff, attempt.id, error.retry_after)
        self._paces[receiver.name].failed(now, receiver.backoff, error.retry_after)
        if receiver.retries is not None and attempt.attempts > receiver.retries:
            return _failed(attempt, now, f"given up after {attempt.attempts} attempts: {error}")
        return replace(attempt, updated_at=now, next_attempt_at=now + pause, error=str(error))

    def _pace(self, name: str, receiver: ReceiverSettings | None) -> None:
        """The receiver's pace, anew where its configuration has changed."""
        given = receiver.per_minute if receiver else None
        per_minute = given or PER_MINUTE.get(receiver.type if receiver else "", PER_MINUTE_OTHERWISE)
        known = self._paces.get(name)
        if known is None or known.per_minute != per_minute:
            self._paces[name] = Pace(name, per_minute)

    def _write(self, outcome: Notification, outbox: Outbox) -> None:
        try:
            outbox.write_notifications([outcome])
        except (TransientError, StoreError):
            with self._lock:
                self._unwritten[outcome.id] = outcome
            raise

    def _say(self, name: str, problem: str) -> None:
        """Log a receiver's trouble when it changes, not at every attempt."""
        if self._said.get(name, "") != problem:
            self._said[name] = problem
            if problem:
                logger.warning("a message was not delivered: receiver=%s reason=%s", name, problem)
            else:
                logger.info("messages are delivered again: receiver=%s", name)


def _earlier(notification: Notification, outbox: Outbox) -> list[Notification]:
    """The incident's messages to the same receiver that must arrive before this one."""
    if notification.reason is NotifyReason.OPENED:
        return []
    rows = outbox.notifications_of([notification.incident_id])
    return sorted(
        (row for row in rows if row.receiver == notification.receiver and order(row) < order(notification)), key=order
    )


def _held(notification: Notification, earlier: Sequence[Notification], now: datetime) -> Notification | None:
    """The message's new state when it cannot be sent now: a later one never overtakes, and no end without an opening."""
    waiting = [row.next_attempt_at or now for row in earlier if row.state is DeliveryState.PENDING]
    if waiting:
        return replace(notification, updated_at=now, next_attempt_at=max(*waiting, now + _SHORTLY))
    if notification.reason is NotifyReason.RESOLVED and all(row.state is not DeliveryState.SENT for row in earlier):
        return _failed(notification, now, "not sent: the opening never arrived")
    return None


def _sent(attempt: Notification, now: datetime, receipt: Receipt) -> Notification:
    return replace(
        attempt, state=DeliveryState.SENT, updated_at=now, next_attempt_at=None, error="", reference=receipt.reference
    )


def _failed(notification: Notification, now: datetime, error: str) -> Notification:
    return replace(notification, state=DeliveryState.FAILED, updated_at=now, next_attempt_at=None, error=error)


def _count(before: Notification, after: Notification) -> None:
    outcome = "retried" if after.state is DeliveryState.PENDING else after.state.value
    if after.state is not DeliveryState.PENDING or after.attempts > before.attempts:
        ALERTS_MESSAGES.labels(receiver=after.receiver, outcome=outcome).inc()


def _report(before: Notification, after: Notification) -> DeliveryReport:
    return DeliveryReport(
        sent=int(after.state is DeliveryState.SENT),
        failed=int(after.state is DeliveryState.FAILED),
        retried=int(after.state is DeliveryState.PENDING and after.attempts > before.attempts),
        last_error=f"{after.receiver}: {after.error}" if after.error else "",
    )
