"""Blocking work away from the event loop, on a bounded number of threads, abandoned when its request ends."""

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

REQUESTS_AT_ONCE = 16


class Workers:
    """Runs blocking calls; at most `REQUESTS_AT_ONCE` at once, the others wait in line until their request's time is up."""

    def __init__(self, limit: int = REQUESTS_AT_ONCE) -> None:
        self._limit = limit
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """`work(*args)` on a thread. When the request is cancelled the thread is left to end by the store's own time limit."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._limit)
        return await anyio.to_thread.run_sync(work, *args, abandon_on_cancel=True, limiter=self._limiter)
