"""A sign of life of tpscope itself: an address of the user's choice is fetched as long as rules are evaluated.

Whoever is behind it (a dead man's switch) tells people when it stays away, which tpscope itself could not do.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from alerts.web_client import ReceiverUnavailable, Request, WebClient
from core.clock import Clock
from core.config import Settings
from core.errors import DeliveryRefused

logger = logging.getLogger(__name__)

STALE = timedelta(minutes=5)
"""Rules that were not evaluated for so long: then the heart must not beat."""

_TIMEOUT = timedelta(seconds=10)


class Heartbeat:
    """Beats on a thread of its own, in the process that is active.

    Parameters
    ----------
    settings, evaluated_at : callable
        Asked at each beat: the settings in force; when the rules were evaluated last, None if this process is not to beat.
    """

    def __init__(self, settings: Callable[[], Settings], clock: Clock, evaluated_at: Callable[[], datetime | None]) -> None:
        self._settings, self._clock, self._evaluated_at = settings, clock, evaluated_at
        self._problem = ""

    def run(self, stop: threading.Event) -> None:
        """Beat until `stop` is set."""
        with closing(WebClient()) as client:
            while not stop.wait(self._settings().heartbeat.every.total_seconds()):
                self.beat(client)

    def beat(self, client: WebClient) -> bool:
        """Beat once, if the rules are alive; whether it arrived."""
        now, given = self._clock.now(), self._settings().heartbeat
        at = self._evaluated_at()
        if given.url is None or at is None or abs(now - at) > STALE:
            return False
        try:
            client.send(Request(url=given.url.reveal(), method="GET"), timeout=_TIMEOUT, now=now)
        except (ReceiverUnavailable, DeliveryRefused) as error:
            self._say(str(error))
            return False
        self._say("")
        return True

    def _say(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            if problem:
                logger.warning("the heartbeat does not arrive: %s", problem)
            else:
                logger.info("the heartbeat arrives again")
