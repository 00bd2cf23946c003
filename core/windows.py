"""A window of calls, counted in blocks of equal length: what a comparison of before and after needs, and no call itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from core.series import Selector

Floats = npt.NDArray[np.float64]

MOST_BLOCKS = 48
LEAST_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWindow:
    """Counters of a window by block; arrays have shape (n_blocks,) unless said otherwise.

    Attributes
    ----------
    name : str
        Of the frozen baseline; empty for a window that nobody has named.
    transaction, version : str
        What was counted, where it was a transaction, and by which definition; else empty.
    known, errors : ndarray
        Calls whose outcome is known, and those of them that failed (for a transaction: that were not good).
    latency_ms : ndarray of shape (n_bins,)
        Values that occur, rising, within 0.1 % of the true ones.
    latency_calls : ndarray of shape (n_blocks, n_bins)
        How many calls of each block had each value.
    """

    name: str
    made_at: datetime
    who: str
    start: datetime
    end: datetime
    selector: Selector
    transaction: str
    version: str
    calls: Floats
    known: Floats
    errors: Floats
    rate_limited: Floats
    tokens: Floats
    tokens_known: Floats
    cost_usd: Floats
    priced: Floats
    latency_ms: Floats
    latency_calls: Floats

    @property
    def blocks(self) -> int:
        return len(self.calls)

    @property
    def block_s(self) -> float:
        return (self.end - self.start).total_seconds() / self.blocks

    @property
    def words(self) -> str:
        """For people: its name, or its span."""
        return self.name or f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"


def blocks_of(start: datetime, end: datetime) -> int:
    """How many blocks a window is cut into: whole minutes each where it is short."""
    return int(min(max((end - start) // timedelta(minutes=1), 1), MOST_BLOCKS))
