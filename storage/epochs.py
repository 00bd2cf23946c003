"""Fencing epochs: every jobs process writes under one, and each is above all that were claimed before."""

import pyarrow as pa

from storage.contract import Store
from storage.sequence import next_seq

HIGHEST = "SELECT toUInt64(max(epoch)) AS epoch FROM jobs"
_CLAIM = "leader"


def highest_epoch(store: Store) -> int:
    """The highest epoch that was claimed; 0: none was."""
    return int(store.arrow(HIGHEST).column("epoch")[0].as_py())


def claim_epoch(store: Store, generation: int) -> int:
    """An epoch above every claimed one and at least `generation`; it is written at once, so that the next is above it.

    Two processes that claim at the same instant are kept apart by the generation: the group protocol gave them different ones.
    """
    epoch = max(highest_epoch(store) + 1, generation)
    seq = next_seq()
    columns = {
        "name": pa.array([_CLAIM]),
        "last_success_at": pa.array([seq // 1_000_000], pa.timestamp("ms", tz="UTC")),
        "last_error": pa.array([""]),
        "duration_s": pa.array([0.0]),
        "epoch": pa.array([epoch], pa.uint64()),
        "seq": pa.array([seq], pa.uint64()),
    }
    store.insert("jobs", pa.table(columns))
    return epoch
