"""Inserts a batch of calls and is killed just before a certain system call; run with tests/support/crash/points.c preloaded.

`python -m tests.integration.crash_child STORE_URL START K` prints how many such calls there are when K is 0.
"""

import ctypes
import os
import sys
from datetime import datetime
from typing import Any

from benchmarks.sparse_calls import sparse_calls
from core.config import StoreSettings

ROWS = 200
TOKEN = "crash/1"
_DEEPBIND = 0x8


def main(url: str, start: str, kill_at: str) -> None:
    """Insert the second batch; the directory has the first one."""
    _see_the_engine()
    from storage.open import open_store

    store = open_store(StoreSettings(url=url), owner=True)
    rows = sparse_calls(ROWS, ROWS, start=datetime.fromisoformat(start))
    points = ctypes.CDLL(os.environ["LD_PRELOAD"])
    points.crash_arm(ctypes.c_long(int(kill_at)))
    store.insert("calls", rows, token=TOKEN)
    print(points.crash_seen(), flush=True)
    os._exit(0)


def _see_the_engine() -> None:
    """chdb binds its own names first, so that what is preloaded would not see its system calls."""
    load = ctypes.CDLL.__init__

    def without_deepbind(self: ctypes.CDLL, name: str | None, mode: int = ctypes.DEFAULT_MODE, *rest: Any, **more: Any) -> None:
        load(self, name, mode & ~_DEEPBIND, *rest, **more)

    ctypes.CDLL.__init__ = without_deepbind  # type: ignore[method-assign]


if __name__ == "__main__":
    main(*sys.argv[1:])
