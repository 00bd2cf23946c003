"""Threads that end when they are told to, and tell when they end by themselves."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Workers:
    """A group of named threads with one stop event.

    A worker that ends with an exception is logged and sets `failed`: the process should then stop, so that whoever supervises
    it can start it anew, rather than run on with a part missing.
    """

    def __init__(self) -> None:
        self.stop_event = threading.Event()
        self.failed = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, target: Callable[[threading.Event], object]) -> None:
        thread = threading.Thread(target=self._guarded, args=(name, target), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, timeout_s: float = 15.0) -> list[str]:
        """Set the stop event and wait; returns the names of workers that did not end in time."""
        self.stop_event.set()
        for thread in self._threads:
            thread.join(timeout=timeout_s)
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _guarded(self, name: str, target: Callable[[threading.Event], object]) -> None:
        try:
            target(self.stop_event)
        except Exception:
            logger.exception("%s ended with an error", name)
            self.failed.set()
