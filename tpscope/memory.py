"""Memory of a service that decodes batches: large blocks and millions of small objects come and go all the time."""

import ctypes
import gc
import logging
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StoreError, TransientError
from storage.contract import Store
from storage.engine_memory import return_unused

logger = logging.getLogger(__name__)

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_MMAP_THRESHOLD_BYTES = 128 * 1024
_ARENAS = 2
_THRESHOLDS = (100_000, 20, 50)
_LOOK_EVERY_S = 0.25
_GROWTH_BYTES = 64 * 2**20
"""How far the process may grow before it is asked to give back again."""


def give_memory_back() -> bool:
    """Let blocks of 128 KiB and more go back to the system as soon as they are free, and threads share two arenas.

    glibc raises that threshold up to 32 MiB by itself, and keeps what was freed below it; with batches of records coming and
    going in several threads a fifth of the process's memory is such leftovers (benchmarks/bench_ingest.py). Returns whether it
    was done: other C libraries have no such knobs, and do not need them.
    """
    libc = _glibc()
    return libc is not None and bool(
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES) and libc.mallopt(_M_ARENA_MAX, _ARENAS)
    )


class MemoryKeeper:
    """Gives back what is free but kept, while batches come and go: in the allocators of Python's libraries and of the engine.

    Both keep freed pages in case they are wanted again, and cycles hold what Kafka's answers were read into. After five million
    calls that was more than half of the process's memory (benchmarks/bench_ingest.py). Looking costs nothing, giving back some
    milliseconds, so it is done only after growth.
    """

    def __init__(self, store: Store) -> None:
        self._store: Store | None = store
        self._libc = _glibc()
        self._low = resident_bytes()

    def run(self, stop: threading.Event) -> None:
        """Until the event is set."""
        while not stop.wait(_LOOK_EVERY_S):
            self.look()

    def look(self) -> None:
        """Give back what is free where the process has grown by 64 MiB since the last time."""
        now = resident_bytes()
        if now > self._low + _GROWTH_BYTES:
            self._give_back()
            self._low = resident_bytes()
        else:
            self._low = min(self._low, now)

    def _give_back(self) -> None:
        gc.collect()  # few objects, of megabytes each
        if self._libc is not None:
            self._libc.malloc_trim(0)
        if self._store is not None:
            try:
                return_unused(self._store)
            except TransientError:
                pass  # all its connections are at work; it is asked again when the process has grown more
            except StoreError as error:
                logger.info("the engine keeps the memory that it has freed: %s", error)
                self._store = None


@contextmanager
def lean_memory(store: Store) -> Iterator[None]:
    """What the service does about its memory, for a command that handles batches: until the block ends."""
    give_memory_back()
    stop = threading.Event()
    thread = threading.Thread(target=MemoryKeeper(store).run, args=(stop,), name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def resident_bytes() -> int:
    """Memory of this process that is in RAM; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def _glibc() -> ctypes.CDLL | None:
    """The C library if it is glibc; others have no such knobs, and do not need them."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):
        return None


def collect_less_often() -> None:
    """Let the garbage collector look at what is new only, and seldom.

    By default it begins after every 700 new objects, which are a few records; formats that make a dictionary of each decode
    half as much again without that (benchmarks/bench_formats.py). What is there when the service starts stays, and is not
    looked at any more. Cycles are rare in this code; they still go, later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
