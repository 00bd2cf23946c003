"""The embedded engine: ClickHouse in this process, over one directory.

Known limits of chdb 4.4: one directory per process; a connection runs one statement at a time, so there is a pool of them;
its own Arrow tables point into memory that it frees, so results are copied; DateTime comes out of Arrow as a plain number,
so its columns are found by DESCRIBE; what a failed statement had put out stands before the next result of its connection,
so the pool ends that one; an Arrow table is handed in by the name of a local variable of the calling function.
"""

import re
from collections.abc import Callable
from copy import copy
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Lock

import chdb
import pandas as pd
import pyarrow as pa
from chdb.state.sqlitelike import Connection

from core.errors import ConfigError, StoreError, StoreUnavailable
from storage.arrow_frames import to_frame
from storage.asking import marked
from storage.binding import quote, render
from storage.contract import Capabilities, Params
from storage.failures import failure
from storage.identifiers import checked, column_list
from storage.inserting import insert_settings
from storage.lock import DirectoryLock
from storage.pool import Pool
from storage.priority import CUT_SHORT, PEOPLE, Apart

_SESSION = {
    "session_timezone": "'UTC'",
    "max_query_size": str(64 * 2**20),  # values are rendered into the statement; lists may be long
    "output_format_arrow_compression_method": "'none'",  # it never leaves the process
}
_CONNECTIONS = 8
KEEP_FREE_BYTES = 256 * 2**20
"""Room on the disk that the engine leaves alone. It is more than a safety margin: chdb 4.4 does not notice when a file cannot
be written to its end (it ignores what `write` answers), so that a disk that fills up in the middle of an insert or of a merge
would leave a broken part behind. Before either begins the engine asks whether there is room, and this much it does not see."""
_NOT_WRITABLE = re.compile(
    r"Read-only file system|No space left on device|Permission denied|Input/output error|Disk quota exceeded"
)
_DATETIME = re.compile(r"(Nullable\(|LowCardinality\(|SimpleAggregateFunction\(\w+, )*DateTime(\(|\)|$)")
_SECONDS = pa.timestamp("s", tz="UTC")
_REMEMBERED = 1024


class ChdbStore:
    """`Store` over a directory that this process owns.

    Parameters
    ----------
    directory : Path
        The engine's own directory; made when it does not exist.
    query_timeout : timedelta
        Longest time of one statement.
    max_memory_bytes : int
        Most memory of all statements and merges together.
    lock : DirectoryLock, optional
        Released by `close`.
    """

    def __init__(
        self, directory: Path, *, query_timeout: timedelta, max_memory_bytes: int, lock: DirectoryLock | None = None
    ) -> None:
        """Raises ConfigError for a path that the engine cannot take, StoreError or StoreUnavailable when it does not open."""
        if "?" in str(directory):
            raise ConfigError("store.url", f"{str(directory)!r} has a question mark; choose another directory")
        self.lock = lock
        timeout_s = max(query_timeout.total_seconds(), 0.001)
        settings = _SESSION | {"max_execution_time": f"{timeout_s:g}", "priority": str(PEOPLE)}
        keep_free = f"storage_configuration.disks.default.keep_free_space_bytes={KEEP_FREE_BYTES}"
        address = f"{directory}?max_server_memory_usage={max_memory_bytes}&{keep_free}"
        # The engine ends with its last connection, and could not start again while the directory cannot be written.
        self._keeper: Connection | None = _connect(address, settings)
        self._address, self._session, self._timeout_s = address, settings, timeout_s
        self._cut_short: Callable[[], None] | None = None
        self._keeping = Lock()
        self._pool = Pool(partial(_connect, address, settings), _disconnect, limit=_CONNECTIONS, wait_s=timeout_s)
        self._times: dict[str, dict[str, pa.DataType]] = {}
        self._directory = directory
        version = str(self.arrow("SELECT version() AS version").column("version")[0].as_py())
        self._capabilities = Capabilities(name="chdb", version=version, arrow=True, owner=True)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def directory(self) -> Path:
        """The engine's own directory."""
        return self._directory

    def apart(self, how: Apart, name: str) -> "ChdbStore":
        """The same data over connections of their own; to be closed before this store, which ends the engine."""
        own = {**how.settings, "log_comment": quote(name)}
        timeout_s = self._timeout_s
        if how.timeout is not None:
            timeout_s = how.timeout.total_seconds()
            own["max_execution_time"] = f"{timeout_s:g}"
        other = copy(self)
        session = self._session | {key: str(value) for key, value in own.items()}
        other._pool = Pool(partial(_connect, self._address, session), _disconnect, limit=_CONNECTIONS, wait_s=timeout_s)
        other._keeper, other.lock = None, None
        other._cut_short = partial(self._beside, CUT_SHORT, {"name": name})
        return other

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        return to_frame(self.arrow(sql, params))

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        table = self._rows(render(sql, params))
        if any(pa.types.is_uint32(field.type) for field in table.schema):
            table = _cast(table, self._times_of(sql, params))
        return table

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        columns = column_list(rows.column_names)
        clause = ", ".join(f"{name} = {_literal(value)}" for name, value in insert_settings(token).items())
        sql = f"INSERT INTO `{checked(table)}` ({columns}) SETTINGS {clause} SELECT {columns} FROM Python(tpscope_rows)"
        tpscope_rows = rows.combine_chunks()  # read by its name, from this function's frame
        if tpscope_rows.num_rows == 0:
            return
        with self._pool.lend() as connection:
            try:
                connection.query(sql)
            except RuntimeError as error:
                raise self._failure(str(error)) from error

    def command(self, sql: str, params: Params | None = None) -> None:
        self._bytes(render(sql, params), "CSV")

    def close(self) -> None:
        self._pool.close(self._cut_short)
        with self._keeping:
            if self._keeper is not None:
                _disconnect(self._keeper)
                self._keeper = None
        if self.lock is not None:
            self.lock.release()

    def _rows(self, sql: str) -> pa.Table:
        return pa.ipc.open_file(pa.py_buffer(self._bytes(sql, "Arrow"))).read_all()

    def _bytes(self, sql: str, output: str) -> bytes:
        with marked(sql, self._beside) as statement, self._pool.lend() as connection:
            try:
                # A copy: the tables that chdb itself hands out ("ArrowTable") point into memory that it frees.
                result: bytes = connection.query(statement, output).bytes()
            except RuntimeError as error:
                raise self._failure(str(error)) from error
        return result

    def _beside(self, sql: str, params: Params) -> None:
        """Run a statement while all connections of the pool may be lent: on the one that keeps the engine open."""
        with self._keeping:
            if self._keeper is None:  # closed, or a part of the store, which is cut short as a whole
                return
            try:
                self._keeper.query(render(sql, params), "CSV")
            except RuntimeError as error:
                raise self._failure(str(error)) from error

    def _failure(self, message: str) -> StoreError | StoreUnavailable:
        """What the engine said; of its directory in words that name it, since that is for the operator to put right."""
        found = failure(message)
        if "(NOT_ENOUGH_SPACE)" in message:
            return StoreUnavailable(
                f"store.url: less than {KEEP_FREE_BYTES // 2**20} MiB are free on the disk of {self._directory.parent}; make "
                "room there, it goes on by itself"
            )
        if problem := _NOT_WRITABLE.search(message):
            return StoreUnavailable(
                f"store.url: {self._directory.parent} cannot be written ({problem[0]}); correct that, it goes on by itself"
            )
        return found

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


def _connect(address: str, settings: dict[str, str]) -> Connection:
    try:
        connection: Connection = chdb.connect(address)  # type: ignore[no-untyped-call]
        connection.query("SET " + ", ".join(f"{name} = {value}" for name, value in settings.items()))
    except RuntimeError as error:
        raise failure(str(error)) from error
    return connection


def _disconnect(connection: Connection) -> None:
    connection.close()


def _literal(value: str | int) -> str:
    return quote(value) if isinstance(value, str) else str(value)


def _cast(table: pa.Table, types: dict[str, pa.DataType]) -> pa.Table:
    for number, name in enumerate(table.column_names):
        if name in types:
            field = pa.field(name, types[name], nullable=table.schema.field(number).nullable)
            table = table.set_column(number, field, table.column(number).cast(pa.int64()).cast(types[name]))
    return table
