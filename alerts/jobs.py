"""What the process runs: the evaluation of the rules, the delivery of the outbox, and a test message."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from alerts.delivery import Courier, DeliveryReport
from alerts.memory import AlertMemory
from alerts.picture import picture_of, sample_picture
from alerts.pipeline import AlertReport, evaluate
from alerts.post import AnyPost, Envelope, Picture, Post, ReceiverUnavailable, no_picture
from alerts.repository import StoredRepository
from alerts.sample import sample_payload
from core.clock import Clock, SystemClock
from core.config import Settings
from core.errors import ConfigError, DeliveryRefused, StoreError, TransientError
from core.types import JobState, Notification
from storage.contract import Store

__all__ = ["AlertMemory", "AlertReport", "Deliverer", "DeliveryReport", "TestResult", "run_alerts", "send_test"]

logger = logging.getLogger(__name__)

DELIVERY_JOB = "delivery"
_ROUND_S = 0.5
"""How long a message waits in the outbox at most before its lane starts."""


def run_alerts(store: Store, clock: Clock, settings: Settings, epoch: int, memory: AlertMemory | None = None) -> AlertReport:
    """Evaluate all rules as of now, write the incidents that changed and what must be told.

    Raises the store's errors; the state of the job `alerts` then says so, as far as it can be written, and the next run
    catches up on the minutes that were missed. `memory` is what is kept from one run to the next, if anything.
    """
    return evaluate(StoredRepository(store, epoch), clock, settings, memory)


class Deliverer:
    """Delivers the outbox.

    Parameters
    ----------
    settings, epoch : value or callable
        Callables are asked in every round: settings that may be reloaded, and an epoch that is None while this process is not
        the active one and must not send.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings | Callable[[], Settings],
        clock: Clock,
        epoch: int | Callable[[], int | None],
    ) -> None:
        self._store, self._clock = store, clock
        self._settings: Callable[[], Settings] = settings if callable(settings) else lambda: settings
        self._epoch: Callable[[], int | None] = epoch if callable(epoch) else lambda: epoch
        self._problem = ""

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; a receiver that is slow or down delays no other. Store failures are waited out."""
        with closing(AnyPost()) as post, closing(Courier(post, self._clock, stop, self._draw)) as courier:
            while not stop.wait(_ROUND_S):
                try:
                    self._round(courier, wait=False)
                except (TransientError, StoreError) as error:
                    if str(error) != self._problem:
                        logger.warning("delivery waits for the store: %s", error)
                    self._problem = str(error)
                else:
                    self._problem = ""

    def run_once(self) -> DeliveryReport:
        """Try everything that is due once, all receivers at the same time; returns when the slowest has answered.

        Raises the store's errors.
        """
        with closing(AnyPost()) as post, closing(Courier(post, self._clock, threading.Event(), self._draw)) as courier:
            return self._round(courier, wait=True)

    def _draw(self, notification: Notification) -> bytes | None:
        return picture_of(self._store, self._settings(), notification, self._clock.now())

    def _round(self, courier: Courier, *, wait: bool) -> DeliveryReport:
        epoch = self._epoch()
        if epoch is None:
            return DeliveryReport()
        repository = StoredRepository(self._store, epoch)
        began = time.perf_counter()
        report = courier.start(repository, self._settings())
        if wait:
            report += courier.wait()
        if report != DeliveryReport():
            _record(repository, self._clock, report, time.perf_counter() - began)
        return report


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How a test message fared.

    Attributes
    ----------
    status : int or None
        The receiver's HTTP status when it took the message.
    problem : str
        Why it did not arrive; empty when it did. Never holds the receiver's address.
    """

    __test__ = False  # not a test case, whatever its name

    receiver: str
    delivered: bool
    status: int | None
    problem: str
    duration_s: float


def send_test(settings: Settings, receiver_name: str, *, clock: Clock | None = None, post: Post | None = None) -> TestResult:
    """Send a message that says it is a test to one receiver, once, without the store.

    Raises ConfigError that names the known receivers when there is none of that name.
    """
    now = (clock or SystemClock()).now()
    receiver = next((one for one in settings.receivers if one.name == receiver_name), None)
    if receiver is None:
        known = ", ".join(one.name for one in settings.receivers) or "none is configured"
        raise ConfigError("receivers", f"there is no receiver {receiver_name!r}; known: {known}")
    key, payload = sample_payload(settings, receiver, now)
    own = AnyPost() if post is None else None
    began = time.perf_counter()
    status, problem = None, ""
    try:
        picture: Picture = (lambda: sample_picture(now)) if receiver.picture else no_picture
        envelope = Envelope(key=key, payload=payload, now=now, picture=picture)
        status = (post or own or AnyPost())(receiver, envelope).status
    except (DeliveryRefused, ReceiverUnavailable) as error:
        problem = str(error)
    finally:
        if own:
            own.close()
    return TestResult(
        receiver=receiver.name,
        delivered=status is not None,
        status=status,
        problem=problem,
        duration_s=time.perf_counter() - began,
    )


def _record(repository: StoredRepository, clock: Clock, report: DeliveryReport, took_s: float) -> None:
    now = clock.now()
    state = repository.job(DELIVERY_JOB) or JobState(
        name=DELIVERY_JOB, cursor=None, last_success_at=None, last_error_at=None, last_error="", duration_s=0.0
    )
    if report.sent:
        state = replace(state, last_success_at=now)
    if report.last_error:
        state = replace(state, last_error_at=now, last_error=report.last_error)
    repository.write_job(replace(state, duration_s=took_s))
