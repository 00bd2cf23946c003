"""Whose statements go first: what jobs ask gives way to what people ask, and is cut short when the process ends.

The engine lets a statement wait, again and again for up to a second, while one with a smaller number runs (its setting
`priority`); without such a one it runs at full speed.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Protocol, Self, runtime_checkable

from storage.contract import Store

PEOPLE = 1
_LONG_JOBS = 2
_numbers = count(1)

CUT_SHORT = "KILL QUERY WHERE Settings['log_comment'] = {name:String} AND query NOT LIKE 'INSERT INTO `%' ASYNC"
"""What runs under a name. Rows that were handed over are written to their end: half of them would be no version of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How a part of the process uses the store.

    Attributes
    ----------
    settings : mapping
        Of the engine, for each of its statements.
    timeout : timedelta or None
        Longest time of one statement; None: as everywhere.
    """

    settings: Mapping[str, int] = field(default_factory=dict)
    timeout: timedelta | None = None


_LONGEST = timedelta(minutes=10)

SHORT_JOBS = Apart()
"""For what must be done within its minute: as people ask, but to be cut short."""
LONG_JOBS = Apart(settings={"priority": _LONG_JOBS, "max_threads": max((os.cpu_count() or 2) // 2, 1)}, timeout=_LONGEST)
"""For what may take its time: half of the processors, and those only while nobody else wants them."""
COMMANDS = Apart(timeout=_LONGEST)
"""For a command that does a job's work while somebody waits for it: at full speed, however slow the machine is."""


@runtime_checkable
class Divisible(Protocol):
    """A store that can be used over connections of their own."""

    def apart(self, how: Apart, name: str) -> Self:
        """The same data with other settings. Its `close` cuts short what runs there and leaves this store alone."""


def apart(store: Store, how: Apart) -> Store:
    """The same store for a part of the process; itself where an engine has no such thing (one that others own)."""
    if not isinstance(store, Divisible):
        return store
    return store.apart(how, f"tpscope {os.getpid()} {next(_numbers)}")


@contextmanager
def parted(store: Store, how: Apart) -> Iterator[Store]:
    """The same for the time of a block."""
    part = apart(store, how)
    try:
        yield part
    finally:
        if part is not store:
            part.close()
