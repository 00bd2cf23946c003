"""Makes the C library give memory back: a service that decodes batches frees large blocks all the time, in many threads."""

import ctypes
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_MMAP_THRESHOLD_BYTES = 128 * 1024
_ARENAS = 2


def give_memory_back() -> bool:
    """Let blocks of 128 KiB and more go back to the system as soon as they are free, and threads share two arenas.

    glibc raises that threshold up to 32 MiB by itself, and keeps what was freed below it; with batches of records coming and
    going in several threads a fifth of the process's memory is such leftovers (benchmarks/bench_ingest.py). Returns whether it
    was done: other C libraries have no such knobs, and do not need them.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES) and mallopt(_M_ARENA_MAX, _ARENAS))
