"""Writing much history at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.contract import Store
from storage.rollups import BY_TIME, ROLLUPS

MERGED_TABLES = tuple(one.table for one in (*ROLLUPS, *BY_TIME))
MOST_PARTS = """
SELECT toInt64(max(parts)) AS parts
FROM (SELECT count() AS parts FROM system.parts
    WHERE active AND database = currentDatabase() AND has({tables:Array(String)}, table)
    GROUP BY table, partition)
"""
_TOO_MANY, _FEW = 300, 100
_LOOK_EVERY = 20


class HeldMerges:
    """Holds back merges while much is written, and lets them go on for a while wherever parts become too many.

    ClickHouse slows inserts down from 1,000 parts in a partition on. Used by one thread.
    """

    def __init__(self, store: Store, too_many: int = _TOO_MANY, few: int = _FEW) -> None:
        self._store, self._too_many, self._few = store, too_many, few
        self._mine, self._held = store.capabilities.owner, False
        self._batches = 0

    def wrote(self) -> None:
        """A further batch is there, of whatever file; how many parts there are is looked at every so many batches."""
        self._batches += 1
        if self._batches % _LOOK_EVERY == 0:
            self.look()

    def look(self) -> None:
        """Hold them back or let them go on, as the number of parts asks for."""
        if not self._mine:
            return
        parts = self._store.arrow(MOST_PARTS, {"tables": list(MERGED_TABLES)}).column("parts")[0].as_py()
        if self._held and parts > self._too_many:
            self.release()
        elif not self._held and parts < self._few:
            self.hold()

    def hold(self) -> None:
        """No merge begins any more."""
        if self._mine:
            self._held = True
            self._each("STOP")

    def release(self) -> None:
        """Merges go on."""
        if self._mine:
            self._each("START")
            self._held = False

    def _each(self, what: str) -> None:
        for table in MERGED_TABLES:
            self._store.command(f"SYSTEM {what} MERGES {table}")


@contextmanager
def bulk_insert(store: Store) -> Iterator[HeldMerges]:
    """Hold back the merges of the calls and their rollups while history is written; they catch up after the block.

    Merging while batches still arrive merges the same rows again and again: 6 million sparse calls then cost 1.7 times as much
    processor time, and the merges of quantile states most of the memory. Whoever writes more than some hundred batches tells
    of each (`wrote`). Only in the process that owns the data (`capabilities.owner`); elsewhere it does nothing. Ends with the
    process, however that ends.
    """
    merges = HeldMerges(store)
    try:
        merges.hold()
        yield merges
    finally:
        merges.release()
