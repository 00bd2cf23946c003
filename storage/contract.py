"""What every engine promises: one small seam between the typed reads and writes of this room and ClickHouse's SQL.

Parameters are always bound: SQL names them `{name:Type}` (ClickHouse's own syntax) and every engine fills them in. Values may
be str, int, float, bool, None, aware datetimes (for DateTime and DateTime64 types) and lists of these (for Array types). A
value that does not fit its type raises ValueError. A statement names 'UTC' with every time that it makes
(`toDateTime(x, 'UTC')`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pandas as pd
import pyarrow as pa

Scalar = str | int | float | bool | datetime | None
Value = Scalar | Sequence[str] | Sequence[int] | Sequence[float]
Params = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can and cannot do, so that callers need not ask which engine it is.

    Attributes
    ----------
    name : str
        `chdb`, `clickhouse` or `remote`.
    version : str
        ClickHouse's version behind it.
    arrow : bool
        Whether `arrow` and `insert` move Arrow buffers without going through Python objects.
    owner : bool
        Whether this process owns the data (embedded) and so must run every role itself.
    """

    name: str
    version: str
    arrow: bool
    owner: bool


class Store(Protocol):
    """ClickHouse behind one of the engines. Safe to use from several threads.

    Every method may block up to the configured query timeout and raises `StoreUnavailable` when the engine cannot be reached
    within the configured retries (the caller may repeat the call) and `StoreError` when it refused the statement.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        """Rows of a SELECT as a frame with default index.

        Times are `datetime64[ns, UTC]` or `[ms, UTC]`, strings `object` or `str`, nullable numbers floats with NaN. With no
        row the columns are still there.
        """

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        """Rows of a SELECT as an Arrow table; with no row the columns are still there."""

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        """Insert the rows by column name; columns of the table that `rows` lacks get their defaults.

        Of a partition (a day of calls) all rows or none are written. With a `token` a repeat of the same insert (same token,
        within the table's deduplication window) writes nothing, in the table and in every rollup that follows it;
        after an insert that failed half way, the same insert under the same token writes what is still missing. Without a token
        an insert whose answer is lost raises StoreUnavailable: nobody knows whether it was carried out.

        A NULL in a column that takes none is refused (StoreError), never made a zero.
        """

    def command(self, sql: str, params: Params | None = None) -> None:
        """Run a statement that returns no rows (DDL, ALTER, OPTIMIZE)."""

    def close(self) -> None:
        """Release the connection and the directory's lock; may be called twice."""
