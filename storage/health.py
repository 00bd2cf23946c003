"""Whether the store answers and can be written, and how much it holds."""

import os
from dataclasses import dataclass
from datetime import datetime

from storage.calls import SPAN_OF_CALLS
from storage.chdb_backend import ChdbStore
from storage.contract import Store
from storage.frames import moment

PING = "SELECT 1 AS one"
FULL_DISKS = "SELECT name FROM system.disks WHERE free_space < 4194304 AND NOT is_read_only ORDER BY name"
"""Disks without room for the smallest part, beyond what the engine leaves free."""
BYTES = "SELECT toInt64(sum(bytes_on_disk)) AS bytes FROM system.parts WHERE active AND database = currentDatabase()"

TABLES = """
SELECT table AS name, toInt64(sum(rows)) AS rows, toInt64(sum(bytes_on_disk)) AS bytes, toInt64(count()) AS parts
FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table ORDER BY bytes DESC, table
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSize:
    """How large a table is: rows before those of one key are folded, compressed bytes, and parts on disk."""

    name: str
    rows: int
    bytes: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """What is kept.

    Attributes
    ----------
    calls : int
        Single calls (rollups may reach further back).
    bytes_on_disk : int
        All tables, compressed.
    first_ts, last_ts : datetime or None
        Of the calls; None without a call.
    version : str
        ClickHouse's.
    """

    calls: int
    bytes_on_disk: int
    first_ts: datetime | None
    last_ts: datetime | None
    version: str


def stats(store: Store) -> StoreStats:
    row = store.arrow(SPAN_OF_CALLS).to_pylist()[0]
    return StoreStats(
        calls=row["calls"],
        bytes_on_disk=int(store.arrow(BYTES).column("bytes")[0].as_py()),
        first_ts=moment(row["first"]) if row["calls"] else None,
        last_ts=moment(row["last"]) if row["calls"] else None,
        version=store.capabilities.version,
    )


def table_sizes(store: Store) -> list[TableSize]:
    """Every table that holds something, the largest first."""
    return [TableSize(**row) for row in store.arrow(TABLES).to_pylist()]


def ping(store: Store) -> None:
    """Returns when the store has answered; raises StoreUnavailable when it does not."""
    store.arrow(PING)


def write_obstacle(store: Store) -> str:
    """Why nothing can be written now, in a sentence; empty: nothing is in the way. Raises what a read of the store does."""
    if isinstance(store, ChdbStore) and not os.access(store.directory, os.W_OK):
        return f"the store's directory {store.directory} cannot be written"
    full = store.arrow(FULL_DISKS).column("name").to_pylist()
    return f"the store's disk is full ({', '.join(full)}); make room" if full else ""
