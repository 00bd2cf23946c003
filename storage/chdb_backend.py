"""The embedded engine: ClickHouse in this process, over one directory.

Known limits of chdb 4.4: one directory per process; DateTime comes out of Arrow as a plain number, so its columns are found
by DESCRIBE; an Arrow table is handed in by the name of a local variable of the calling function.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import chdb
import pandas as pd
import pyarrow as pa

from core.errors import ConfigError, StoreUnavailable
from storage.arrow_frames import to_frame
from storage.binding import quote, render
from storage.contract import Capabilities, Params
from storage.failures import failure
from storage.identifiers import checked, column_list

_SESSION = {
    "session_timezone": "'UTC'",
    "max_query_size": str(64 * 2**20),  # values are rendered into the statement; lists may be long
    "output_format_arrow_compression_method": "'none'",  # it never leaves the process
}
_ONE_BLOCK = {
    # One insert is one block, so that a token covers all of it.
    "max_threads": "1",
    "max_insert_threads": "1",
    "max_insert_block_size": "1000000000",
    "min_insert_block_size_rows": "1000000000",
    "min_insert_block_size_bytes": "0",
    "max_partitions_per_insert_block": "0",  # imported history spans many days
    "parallel_view_processing": "1",
}
_DATETIME = re.compile(r"(Nullable\(|LowCardinality\(|SimpleAggregateFunction\(\w+, )*DateTime(\(|\)|$)")
_SECONDS = pa.timestamp("s", tz="UTC")
_REMEMBERED = 1024


class ChdbStore:
    """`Store` over a directory that this process owns. One connection, used by all threads."""

    def __init__(self, directory: Path, *, query_timeout: timedelta, max_memory_bytes: int) -> None:
        """Open the directory, which must exist.

        Raises ConfigError for a path that the engine cannot take, StoreError or StoreUnavailable when it does not open.
        """
        if "?" in str(directory):
            raise ConfigError("store.url", f"{str(directory)!r} has a question mark; choose another directory")
        self._gate = _Gate()
        try:
            self._connection = chdb.connect(f"{directory}?max_server_memory_usage={max_memory_bytes}")  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise failure(str(error)) from error
        timeout_s = max(query_timeout.total_seconds(), 0.001)
        settings = {**_SESSION, "max_execution_time": f"{timeout_s:g}"}
        self.command("SET " + ", ".join(f"{name} = {value}" for name, value in settings.items()))
        version = str(self.arrow("SELECT version() AS version").column("version")[0].as_py())
        self.capabilities = Capabilities(name="chdb", version=version, arrow=True, owner=True)
        self._times: dict[str, dict[str, pa.DataType]] = {}

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        return to_frame(self.arrow(sql, params))

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        table = self._rows(render(sql, params))
        if any(pa.types.is_uint32(field.type) for field in table.schema):
            table = _cast(table, self._times_of(sql, params))
        return table

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        if rows.num_rows == 0:
            return
        columns = column_list(rows.column_names)
        settings = _ONE_BLOCK | _deduplication(token)
        clause = ", ".join(f"{name} = {value}" for name, value in settings.items())
        sql = f"INSERT INTO `{checked(table)}` ({columns}) SETTINGS {clause} SELECT {columns} FROM Python(tpscope_rows)"
        tpscope_rows = rows.combine_chunks()  # read by name, from this frame
        with self._gate.passing():
            try:
                self._connection.query(sql)
            except RuntimeError as error:
                raise failure(str(error)) from error
        del tpscope_rows

    def command(self, sql: str, params: Params | None = None) -> None:
        self._bytes(render(sql, params), "CSV")

    def close(self) -> None:
        if self._gate.shut():
            self._connection.close()

    def _rows(self, sql: str) -> pa.Table:
        return pa.ipc.open_file(pa.py_buffer(self._bytes(sql, "Arrow"))).read_all()

    def _bytes(self, sql: str, output: str) -> bytes:
        with self._gate.passing():
            try:
                # A copy: the tables that chdb itself hands out ("ArrowTable") point into memory that it frees.
                result: bytes = self._connection.query(sql, output).bytes()
            except RuntimeError as error:
                raise failure(str(error)) from error
        return result

    def _times_of(self, sql: str, params: Params | None) -> dict[str, pa.DataType]:
        """Arrow types of the result's DateTime columns; remembered by statement, since values do not change types."""
        known = self._times.get(sql)
        if known is None:
            description = self._rows(f"DESCRIBE TABLE ({render(sql, params)})")
            kinds = zip(description.column("name").to_pylist(), description.column("type").to_pylist(), strict=True)
            known = {name: _SECONDS for name, kind in kinds if _DATETIME.match(kind)}
            if len(self._times) >= _REMEMBERED:
                self._times.clear()
            self._times[sql] = known
        return known


class _Gate:
    """Counts calls in progress, so that the connection is not closed under one of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._open = True

    @contextmanager
    def passing(self) -> Iterator[None]:
        with self._changed:
            if not self._open:
                raise StoreUnavailable("store: is closed")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def shut(self) -> bool:
        """Let nobody in any more and wait for those inside; False when it was shut before."""
        with self._changed:
            if not self._open:
                return False
            self._open = False
            self._changed.wait_for(lambda: self._inside == 0)  # each call ends by the query timeout
            return True


def _deduplication(token: str | None) -> dict[str, str]:
    """With a token, it alone decides; without, equal batches are two batches."""
    if token is None:
        return {"deduplicate_insert": "'disable'", "deduplicate_insert_select": "'disable'"}
    return {
        "deduplicate_insert": "'enable'",
        "deduplicate_insert_select": "'force_enable'",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
        "insert_deduplication_token": quote(token),
    }


def _cast(table: pa.Table, types: dict[str, pa.DataType]) -> pa.Table:
    for number, name in enumerate(table.column_names):
        if name in types:
            field = pa.field(name, types[name], nullable=table.schema.field(number).nullable)
            table = table.set_column(number, field, table.column(number).cast(pa.int64()).cast(types[name]))
    return table
