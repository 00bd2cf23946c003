"""How fast one receiver is written to: a bucket of tokens, and a breaker that leaves a broken one alone. Opens no connection.

Both live in memory only: after a restart a receiver is tried at once, which is what an operator expects who has repaired it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.retry import MAX_WAIT, wait_before

OPENS_AFTER = 3
"""Failures in a row after which a receiver is left alone for longer and longer: one message at a time finds out how it is."""

LONGEST_REST = timedelta(seconds=30)
"""Longest rest of a broken receiver; the failed message itself may wait longer, so that others can pass it."""

_MINUTE_S = 60.0


@dataclass(slots=True)
class Pace:
    """The pace of one receiver.

    Attributes
    ----------
    per_minute : int
        Messages that it takes a minute; a tenth of them, at least one, may come at once.
    failures : int
        Failures since the last message that it took.
    """

    name: str
    per_minute: int
    failures: int = 0
    rest_until: datetime | None = None
    _tokens: float = -1.0
    _filled_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.failures >= OPENS_AFTER

    def rests(self, now: datetime) -> bool:
        """Whether nothing may be sent now. A rest that a clock set back has made longer than any is over."""
        until = self.rest_until
        return until is not None and now < until <= now + MAX_WAIT

    def take(self, now: datetime) -> bool:
        """Take the token of one message; without one left, rest until there is."""
        self._refill(now)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return True
        self.rest_until = now + timedelta(seconds=(1.0 - self._tokens) * _MINUTE_S / self.per_minute)
        return False

    def succeeded(self) -> None:
        self.failures, self.rest_until = 0, None

    def failed(self, now: datetime, backoff: timedelta, asked: timedelta | None) -> None:
        """Count a failure; the rest doubles with each, and follows what the receiver asked for."""
        self.failures += 1
        self.rest_until = now + min(wait_before(self.failures, backoff, self.name, asked), LONGEST_REST)

    def _refill(self, now: datetime) -> None:
        most = max(self.per_minute / 10, 1.0)
        before = self._filled_at
        passed_s = 0.0 if before is None else max((now - before).total_seconds(), 0.0)
        grown = most if before is None else self._tokens + passed_s * self.per_minute / _MINUTE_S
        self._tokens, self._filled_at = min(grown, most), now
