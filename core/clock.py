"""What time it is, as an argument rather than a global."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Never blocks, never raises."""

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FakeClock:
    """A clock that moves only when it is told to; for tests and for replaying history."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def set(self, to: datetime) -> None:
        self._now = to.astimezone(UTC)


class FastClock:
    """The machine's clock, running `speed` times as fast from now on; for rehearsals of what takes minutes."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start, self._started = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._started) * self._speed)


def runs_of(moments: Iterable[datetime], step: timedelta) -> list[tuple[datetime, datetime]]:
    """Ascending starts of steps as half-open spans: those that follow one another are one."""
    runs: list[tuple[datetime, datetime]] = []
    for moment in moments:
        if runs and runs[-1][1] == moment:
            runs[-1] = (runs[-1][0], moment + step)
        else:
            runs.append((moment, moment + step))
    return runs


def floor_to(moment: datetime, step: timedelta) -> datetime:
    """The last whole multiple of `step` since the epoch that is not after `moment` (aware, UTC)."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return moment - (moment - epoch) % step
