"""A ClickHouse server, over its native protocol.

A statement is repeated, a bounded number of times, when the connection could not be made; also when it broke afterwards, if
nothing can be done twice: queries, and inserts with a token. A broken connection in the middle of anything else raises
StoreUnavailable, since nobody knows whether it was carried out.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import pandas as pd
import pyarrow as pa
from clickhouse_driver import errors

from core.config import StoreSettings
from core.errors import ConfigError, StoreError, StoreUnavailable
from storage.arrow_frames import to_frame
from storage.asking import marked
from storage.binding import render
from storage.contract import Capabilities, Params
from storage.failures import failure
from storage.identifiers import checked, column_list
from storage.inserting import insert_settings
from storage.native_client import CLIENT_REVISION, NativeClient
from storage.pool import Pool
from storage.priority import CUT_SHORT, PEOPLE, Apart

logger = logging.getLogger(__name__)

T = TypeVar("T")

KNOWN_SETTINGS = "SELECT name FROM system.settings"

_CONNECTIONS = 8
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_GRACE_S = 2.0  # what the server gets beyond the query timeout to say that it is over
_UNKNOWN_DATABASE = 81
_TOKEN = "insert_deduplication_token"
_NOT_SENT = (errors.NetworkError, errors.SocketTimeoutError)  # the driver raises these only while it connects
_BROKEN = (*_NOT_SENT, errors.UnexpectedPacketFromServerError, EOFError, OSError)


class ServerStore:
    """`Store` over a server, with a pool of connections. Makes the database when it does not exist."""

    def __init__(self, settings: StoreSettings) -> None:
        """Connects; raises ConfigError for an address that cannot be used, StoreUnavailable when nothing answers there."""
        logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)  # it logs with tracebacks what we report in a line
        self._options, self._database = _connection_options(settings)
        self._where = f"{self._options['host']}:{self._options['port']}"
        self._retries = settings.retries
        self._timeout_s = settings.query_timeout.total_seconds()
        self._cut_short: Callable[[], None] | None = None
        self._pool = Pool(self._client, NativeClient.disconnect, limit=_CONNECTIONS, wait_s=self._timeout_s)
        try:
            version = self._version()
            self._known_settings = frozenset(self.arrow(KNOWN_SETTINGS).column("name").to_pylist())
        except BaseException:
            self.close()
            raise
        self._capabilities = Capabilities(name="clickhouse", version=version, arrow=True, owner=False)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def apart(self, how: Apart, name: str) -> "ServerStore":
        """The same database over connections of their own."""
        other = copy(self)
        if how.timeout is not None:
            other._timeout_s = how.timeout.total_seconds()
        given = {**how.settings, "log_comment": name, "max_execution_time": max(round(other._timeout_s), 1)}
        settings = {key: value for key, value in given.items() if key in self._known_settings}
        other._options = {
            **self._options,
            "send_receive_timeout": other._timeout_s + _GRACE_S,
            "settings": {**self._options["settings"], **settings},
        }
        other._pool = Pool(other._client, NativeClient.disconnect, limit=_CONNECTIONS, wait_s=other._timeout_s)
        other._cut_short = partial(self._end_statements, name)
        return other

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        return to_frame(self.arrow(sql, params))

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        with marked(render(sql, params), self.command) as statement:
            return self._call(lambda client: client.select_arrow(statement), repeatable=True)

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        statement = f"INSERT INTO `{checked(table)}` ({column_list(rows.column_names)}) VALUES"
        # An old server refuses settings that it does not know; without tokens it must not be given a batch twice.
        settings = {name: value for name, value in insert_settings(token).items() if name in self._known_settings}
        repeatable = _TOKEN in settings
        if rows.num_rows:
            self._call(lambda client: client.insert_arrow(statement, rows, settings), repeatable=repeatable)

    def command(self, sql: str, params: Params | None = None) -> None:
        statement = render(sql, params)
        self._call(lambda client: client.execute(statement), repeatable=False)

    def close(self) -> None:
        self._pool.close(self._cut_short)

    def _end_statements(self, name: str) -> None:
        """End what runs under a name; where that is refused (no right to it) or the server is away, they end by themselves."""
        with suppress(StoreError, StoreUnavailable):
            self.command(CUT_SHORT, {"name": name})

    def _version(self) -> str:
        query = "SELECT version() AS version"
        try:
            table = self.arrow(query)
        except StoreError as error:
            if error.code != _UNKNOWN_DATABASE:
                raise
            self._create_database()
            table = self.arrow(query)
        return str(table.column("version")[0].as_py())

    def _create_database(self) -> None:
        client = self._client("")
        try:
            client.execute(f"CREATE DATABASE IF NOT EXISTS `{checked(self._database)}`")
        except (errors.ServerException, *_BROKEN) as error:
            raise self._translated(error) from error
        finally:
            client.disconnect()

    def _client(self, database: str | None = None) -> NativeClient:
        return NativeClient(**self._options, database=self._database if database is None else database)

    def _call(self, action: Callable[[NativeClient], T], *, repeatable: bool) -> T:
        pause_s = _FIRST_PAUSE_S
        for attempt in range(self._retries + 1):
            try:
                with self._pool.lend() as client:
                    return action(client)
            except errors.ServerException as error:
                raise self._translated(error) from error
            except _BROKEN as error:
                again = isinstance(error, _NOT_SENT) or (repeatable and not isinstance(error, TimeoutError))
                if attempt == self._retries or not again:
                    raise self._translated(error) from error
            except errors.Error as error:
                raise StoreError(f"store: {str(error).splitlines()[0]}", error.code) from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _translated(self, error: Exception) -> StoreError | StoreUnavailable:
        if isinstance(error, errors.ServerException):
            return failure(error.message, error.code)
        if isinstance(error, TimeoutError):
            return StoreUnavailable(f"store: {self._where} did not answer within {self._timeout_s + _GRACE_S:g} s")
        if isinstance(error, _NOT_SENT):
            return StoreUnavailable(
                f"store: {self._where} cannot be reached ({_reason(error)}); check store.url and the server"
            )
        return StoreUnavailable(f"store: the connection to {self._where} broke ({_reason(error)})")


def _connection_options(settings: StoreSettings) -> tuple[dict[str, Any], str]:
    """What the driver needs to connect, and the database's name."""
    url = urlsplit(settings.url)
    secure = url.scheme == "clickhouses"
    try:
        host, port = url.hostname, url.port or (9440 if secure else 9000)
    except ValueError as error:
        raise ConfigError("store.url", f"{settings.url!r}: {error}") from error
    database = unquote(url.path.strip("/")) or "default"
    if not host or url.query:
        raise ConfigError("store.url", f"{settings.url!r} must look like clickhouse://user@host:9000/database")
    try:
        checked(database)
    except ValueError as error:
        raise ConfigError("store.url", str(error)) from error
    if settings.tls_ca and not Path(settings.tls_ca).is_file():
        raise ConfigError("store.tls_ca", f"{settings.tls_ca!r} is no file")
    timeout_s = settings.query_timeout.total_seconds()
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "user": unquote(url.username or "default"),
        "password": settings.password.reveal() if settings.password else "",
        "client_name": "tpscope",
        "client_revision": CLIENT_REVISION,
        "secure": secure,
        "ca_certs": settings.tls_ca,
        "connect_timeout": settings.connect_timeout.total_seconds(),
        "sync_request_timeout": settings.connect_timeout.total_seconds(),
        "send_receive_timeout": timeout_s + _GRACE_S,
        "tcp_keepalive": True,
        "settings": {
            "use_numpy": True,
            "max_execution_time": max(round(timeout_s), 1),
            "max_query_size": 64 * 2**20,  # values are rendered into the statement; lists may be long
            "session_timezone": "UTC",
            "priority": PEOPLE,
        },
    }
    return options, database


def _reason(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error)  # the driver's own text begins with its code
    return text.splitlines()[0] if text else type(error).__name__
