"""Live simulated traffic: every tick sends the calls that fall into it."""

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from core.clock import Clock
from core.errors import TransientError
from tpscope.simulate.encode import encode
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.incidents import ScheduledIncident
from tpscope.simulate.sinks import Sink

logger = logging.getLogger(__name__)

_TICK = timedelta(seconds=1)
_MAX_BACKLOG = timedelta(minutes=5)


class LiveTraffic:
    """Sends a generator's calls as time passes, until it is told to stop.

    While the sink is down the calls wait (they are drawn anew when it is back), at most five minutes' worth; what is older is
    skipped with a message, as a gateway's own buffer would.
    """

    def __init__(
        self, generator: TrafficGenerator, incidents: Sequence[ScheduledIncident], sink: Sink, clock: Clock, start: datetime
    ) -> None:
        self._generator, self._incidents, self._sink, self._clock = generator, incidents, sink, clock
        self._sent_until = start
        self.sent = 0

    def run(self, stop: threading.Event) -> None:
        """Block until `stop` is set."""
        while not stop.wait(_TICK.total_seconds() / 2):
            self.step()

    def step(self) -> int:
        """Send what is due now; returns the number of calls. Keeps what could not be sent for the next step."""
        sent = 0
        while self._clock.now() - self._sent_until >= _TICK:
            if self._clock.now() - self._sent_until > _MAX_BACKLOG:
                skipped_to = self._clock.now() - _MAX_BACKLOG
                logger.warning("simulated traffic from %s to %s was skipped", self._sent_until, skipped_to)
                self._sent_until = skipped_to
            end = self._sent_until + _TICK
            calls = self._generator.generate(self._sent_until, end, self._incidents)
            try:
                self._sink.send(encode(calls))
            except TransientError as error:
                logger.warning("simulated traffic waits: %s", error)
                return sent
            self._sent_until = end
            sent += calls.num_rows
        self.sent += sent
        return sent
