"""What every page and route is given: the store, the settings, the clock, a cache and a few threads for the store's answers."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from core.calendars import Calendars, load_calendars
from core.clock import Clock
from core.config import Settings
from dashboards.cache import SharedCache
from dashboards.whatif.runs import WhatIfRuns
from storage.contract import Store

A = TypeVar("A")
B = TypeVar("B")

QUERIES_AT_ONCE = 4
"""Questions that all pages together ask at once; more only make the store slower for the jobs."""


def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=QUERIES_AT_ONCE, thread_name_prefix="tpscope-query")


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The collaborators of the web room; all of them may be used from several threads."""

    store: Store
    settings: Settings
    clock: Clock
    cache: SharedCache = field(default_factory=SharedCache)
    pool: ThreadPoolExecutor = field(default_factory=_pool)
    calendars: Calendars = field(init=False)
    shown_in: str = ""
    whatif: WhatIfRuns | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "calendars", load_calendars(self.settings))  # frozen: files are read once

    @property
    def zone(self) -> ZoneInfo:
        """The zone that clocks are shown in: the configured one, unless a reader has chosen another."""
        return ZoneInfo(self.shown_in or self.settings.time_zone)

    def in_zone(self, name: str) -> "Web":
        """The same, with clocks of another zone; empty: of the configured one. Shares everything else."""
        other = copy(self)
        object.__setattr__(other, "shown_in", name)
        return other

    def now(self) -> datetime:
        return self.clock.now()

    def each(self, work: Callable[[A], B], items: Iterable[A]) -> list[B]:
        """`work` of every item, several at once, in order. Not to be called from within `work`."""
        return [future.result() for future in [self.begin(work, item) for item in items]]

    def begin(self, work: Callable[[A], B], item: A) -> "Future[B]":
        """`work` of an item on another thread, in the name of whoever asks here."""
        return self.pool.submit(copy_context().run, work, item)

    def close(self) -> None:
        """End the threads; questions that have not begun are dropped."""
        if self.whatif is not None:
            self.whatif.close()
        self.pool.shutdown(wait=True, cancel_futures=True)
