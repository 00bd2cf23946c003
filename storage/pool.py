"""A bounded set of connections, each lent to one call at a time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Generic, TypeVar

from core.errors import StoreUnavailable

T = TypeVar("T")

_HURRY_S = 0.2


class Pool(Generic[T]):
    """Makes connections as they are needed, up to a limit; further callers wait.

    Parameters
    ----------
    make, end : callable
        Opens and ends one connection. What `make` raises reaches the caller.
    limit : int
        Most connections at once.
    wait_s : float
        Longest wait for a free one, and for the calls in progress when the pool is closed.
    """

    def __init__(self, make: Callable[[], T], end: Callable[[T], None], *, limit: int, wait_s: float) -> None:
        self._make = make
        self._end = end
        self._limit = limit
        self._wait_s = wait_s
        self._changed = Condition()
        self._idle: list[T] = []
        self._lent = 0
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[T]:
        """A connection for one call; raises StoreUnavailable when none gets free in time, or after `close`.

        A connection whose call failed is ended and not lent again: what its engine had begun to answer may still lie in it.
        """
        taken = self._take()
        try:
            connection = taken[0] if taken else self._make()
        except BaseException:
            self._give_back()
            raise
        try:
            yield connection
        except BaseException:
            self._give_back()
            self._end(connection)
            raise
        self._give_back(connection)

    def close(self, hurry: Callable[[], None] | None = None) -> None:
        """Lend nothing more, wait for the calls in progress, end all connections; may be called twice.

        `hurry` is called again and again while calls are in progress; it makes them end sooner.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        ends = time.monotonic() + self._wait_s
        while hurry is not None and self._lent and time.monotonic() < ends:
            hurry()
            with self._changed:
                self._changed.wait_for(lambda: self._lent == 0, _HURRY_S)
        with self._changed:
            self._changed.wait_for(lambda: self._lent == 0, max(ends - time.monotonic(), 0.0))
            idle, self._idle = self._idle, []
        for connection in idle:
            self._end(connection)

    def _take(self) -> list[T]:
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or self._lent < self._limit, self._wait_s):
                raise StoreUnavailable(f"store: all {self._limit} connections are busy; try again later")
            if self._closed:
                raise StoreUnavailable("store: is closed")
            self._lent += 1
            return [self._idle.pop()] if self._idle else []

    def _give_back(self, *connections: T) -> None:
        with self._changed:
            self._lent -= 1
            late = self._closed and bool(connections)
            if not late:
                self._idle.extend(connections)
            self._changed.notify_all()
        if late:  # the pool was closed while this call was in progress
            for connection in connections:
                self._end(connection)
