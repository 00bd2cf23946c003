"""Tells the guard of the ingest which values the store knows: at the start, and once a day what is no longer used."""

import logging
import threading
from datetime import timedelta

from core.clock import Clock
from core.config import Settings
from core.errors import StoreError, TransientError
from ingest.cardinality import CardinalityGuard
from storage.cardinality import known_values
from storage.contract import Store

logger = logging.getLogger(__name__)

_EVERY = timedelta(days=1)
_AGAIN = timedelta(hours=1)


class KnownValues:
    """Keeps one guard up to date; `seed` once, then `run` on a thread."""

    def __init__(self, guard: CardinalityGuard, store: Store, settings: Settings, clock: Clock) -> None:
        self._guard, self._store, self._limits, self._clock = guard, store, settings.cardinality.limits, clock

    def seed(self) -> None:
        """Raises what a read of the store does."""
        self._guard.seed(known_values(self._store, self._limits, self._clock.now()))

    def run(self, stop: threading.Event) -> None:
        wait = _EVERY
        while not stop.wait(wait.total_seconds()):
            try:
                self.seed()
            except (TransientError, StoreError) as error:
                logger.warning("which values columns have could not be read, it is tried again in an hour: %s", error)
                wait = _AGAIN
            else:
                wait = _EVERY
