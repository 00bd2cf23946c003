"""Memory of a service that decodes batches: large blocks and millions of small objects come and go all the time."""

import ctypes
import gc
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_MMAP_THRESHOLD_BYTES = 128 * 1024
_ARENAS = 2
_THRESHOLDS = (100_000, 20, 50)


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


def collect_less_often() -> None:
    """Let the garbage collector look at what is new only, and seldom.

    By default it begins after every 700 new objects, which are a few records; formats that make a dictionary of each decode
    half as much again without that (benchmarks/bench_formats.py). What is there when the service starts stays, and is not
    looked at any more. Cycles are rare in this code; they still go, later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
