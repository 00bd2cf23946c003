"""Faults that the test server makes by itself: now and then an insert is refused or its connection is cut."""

import random
import threading
from enum import Enum
from typing import Self


class Fault(Enum):
    """What happens to one insert."""

    NONE = "carried out and answered"
    REFUSED = "an exception, and nothing is carried out"
    CUT = "the connection is cut while the rows come"
    REFUSED_LATE = "carried out, and an exception all the same"
    CUT_LATE = "carried out, and the connection is cut without an answer"


_FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)


class Faults:
    """Draws the faults of a server's inserts. Used by the threads of all its clients."""

    def __init__(self, seed: str, share: float) -> None:
        self._random = random.Random(seed)
        self._share = share
        self._lock = threading.Lock()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From `SHARE:SEED`, such as `0.1:7`; None from an empty text."""
        share, _, seed = text.partition(":")
        return cls(seed, float(share)) if text else None

    def draw(self) -> Fault:
        """The next insert's fate."""
        with self._lock:
            return self._random.choice(_FAULTS) if self._random.random() < self._share else Fault.NONE
