"""Whether the store answers, and how much it holds."""

from dataclasses import dataclass
from datetime import datetime

from storage.calls import SPAN_OF_CALLS
from storage.contract import Store
from storage.frames import moment

PING = "SELECT 1 AS one"
BYTES = "SELECT toInt64(sum(bytes_on_disk)) AS bytes FROM system.parts WHERE active AND database = currentDatabase()"


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


def ping(store: Store) -> None:
    """Returns when the store has answered; raises StoreUnavailable when it does not."""
    store.arrow(PING)
