"""Sequence numbers of events: of several rows with one key, the one with the highest (epoch, seq) holds."""

import threading
import time


class _Sequence:
    """Strictly increasing numbers that also grow from one process to the next, because they start from the clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def take(self, count: int) -> int:
        with self._lock:
            first = max(time.time_ns(), self._last + 1)
            self._last = first + count - 1
            return first


_PROCESS = _Sequence()


def next_seq(count: int = 1) -> int:
    """The first of `count` consecutive numbers that nobody in this process has had; above all given out before.

    Nanoseconds since 1970, so that they fit UInt64 and also grow across restarts. A clock that was set back does not turn them
    back within the process; across processes the fencing epoch decides first.
    """
    return _PROCESS.take(count)
