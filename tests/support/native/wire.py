"""Packets and blocks of ClickHouse's native TCP protocol, as far as clickhouse-driver uses them.

The revisions that a field came with are those of clickhouse_driver/defines.py.
"""

import functools
from dataclasses import dataclass
from enum import IntEnum

from tests.support.native.layout import layout_of
from tests.support.native.source import Source

# The last one with nothing we cannot give; it has query parameters, which need the flag byte before each column's data.
REVISION = 54_459
_WITH_QUERY_START_TIME = 54_449
_WITH_DISTRIBUTED_DEPTH = 54_448
_WITH_TRACE_CONTEXT = 54_442
_WITH_PARALLEL_REPLICAS = 54_453
_WITH_COLUMN_FLAGS = 54_454
_WITH_PROFILE_EVENTS = 54_456
_WITH_ADDENDUM = 54_458
_WITH_PARAMETERS = 54_459
_WITH_INTERSERVER_SECRET = 54_441
OLDEST_REVISION = 54_429  # settings as strings

_TCP = 1
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow rows, no bucket
IMPORTANT = 0x1  # flag of a setting that must not be skipped when it is unknown


class Client(IntEnum):
    """Packets that a client sends."""

    HELLO = 0
    QUERY = 1
    DATA = 2
    CANCEL = 3
    PING = 4
    TABLES_STATUS = 5
    SCALAR = 7


class Server(IntEnum):
    """Packets that a server sends."""

    HELLO = 0
    DATA = 1
    EXCEPTION = 2
    PONG = 4
    END_OF_STREAM = 5
    TABLES_STATUS = 9
    PROFILE_EVENTS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a client says of itself first."""

    revision: int
    database: str
    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query packet. `settings` maps a name to its value and whether it is important."""

    text: str
    settings: dict[str, tuple[str, bool]]
    parameters: dict[str, str]
    compressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a block; its data as they are on the wire."""

    name: str
    type: str
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows by column."""

    columns: tuple[Column, ...]
    rows: int

    @property
    def ends_stream(self) -> bool:
        """Whether this is the empty block that closes a stream of blocks."""
        return not self.columns and not self.rows

    def header(self) -> "Block":
        """The same columns without rows."""
        return Block(columns=tuple(Column(name=one.name, type=one.type) for one in self.columns), rows=0)


def read_hello(source: Source) -> Hello:
    """A hello packet without its type."""
    source.string()  # the client's name and version
    source.varint()
    source.varint()
    revision = source.varint()
    return Hello(revision=revision, database=source.string(), user=source.string(), password=source.string())


def read_addendum(source: Source, revision: int) -> None:
    """What newer clients send after our hello: a quota key."""
    if revision >= _WITH_ADDENDUM:
        source.string()


def read_tables(source: Source) -> list[tuple[str, str]]:
    """Databases and tables that a client asks the status of, as another server does before it sends a query."""
    return [(source.string(), source.string()) for _ in range(source.varint())]


def tables_packet(tables: list[tuple[str, str]]) -> bytes:
    """The tables that are there, none of them replicated."""
    listed = (string(database) + string(table) + b"\0" for database, table in tables)
    return varint(Server.TABLES_STATUS) + varint(len(tables)) + b"".join(listed)


def read_query(source: Source, revision: int) -> Query:
    """A query packet without its type."""
    source.string()  # the query's id
    _skip_client_info(source, revision)
    settings = _read_settings(source)
    if revision >= _WITH_INTERSERVER_SECRET:
        source.string()
    source.varint()  # the stage: always complete
    compressed = bool(source.varint())
    text = source.string()
    parameters = _read_settings(source) if revision >= _WITH_PARAMETERS else {}
    return Query(
        text=text,
        settings=settings,
        parameters={name: value for name, (value, _) in parameters.items()},
        compressed=compressed,
    )


def read_data(source: Source, revision: int) -> tuple[str, Block]:
    """A data packet without its type: the name of its external table (mostly empty) and its block."""
    table = source.string()
    while field := source.varint():  # block info
        source.skip({1: 1, 2: 4}[field])
    return table, read_block(source, flags=revision >= _WITH_COLUMN_FLAGS)


def read_block(source: Source, *, flags: bool = False) -> Block:
    """A block in Native format; with `flags`, each column's type is followed by a byte. Raises UnknownType."""
    width, rows = source.varint(), source.varint()
    columns = []
    for _ in range(width):
        name, type_name = source.string(), source.string()
        if flags and source.number(1):
            raise EOFError("a column with a custom serialization; this server reads only plain ones")
        data = source.walked(functools.partial(layout_of(type_name).skip_column, rows=rows))
        columns.append(Column(name=name, type=type_name, data=data))
    return Block(columns=tuple(columns), rows=rows)


def native_bytes(block: Block, *, flags: bool = False) -> bytes:
    """A block in Native format."""
    flag = b"\0" if flags else b""
    parts = [varint(len(block.columns)), varint(block.rows)]
    for column in block.columns:
        parts += (string(column.name), string(column.type), flag, column.data)
    return b"".join(parts)


def hello_packet(version: tuple[int, int, int], revision: int, time_zone: str) -> bytes:
    """Our hello; `revision` is the one both sides speak."""
    major, minor, patch = version
    head = varint(Server.HELLO) + string("ClickHouse") + varint(major) + varint(minor) + varint(REVISION)
    # Every field since 54,058 is there: no client older than OLDEST_REVISION comes this far.
    assert revision >= OLDEST_REVISION
    return head + string(time_zone) + string("tpscope tests") + varint(patch)


def data_packet(block: Block, revision: int) -> bytes:
    """A data packet with a block."""
    return varint(Server.DATA) + string("") + _BLOCK_INFO + native_bytes(block, flags=revision >= _WITH_COLUMN_FLAGS)


def profile_packet(revision: int) -> bytes:
    """The empty profile that newer clients wait for after each block that they insert; older ones get nothing."""
    if revision < _WITH_PROFILE_EVENTS:
        return b""
    return varint(Server.PROFILE_EVENTS) + string("") + _BLOCK_INFO + native_bytes(Block(columns=(), rows=0))


def exception_packet(code: int, message: str) -> bytes:
    """An exception; `message` as ClickHouse words it, `DB::Exception: …`."""
    return (
        varint(Server.EXCEPTION) + code.to_bytes(4, "little") + string("DB::Exception") + string(message) + string("") + b"\0"
    )


def varint(value: int) -> bytes:
    """An unsigned integer of variable length."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def string(text: str) -> bytes:
    """A string with its length before it."""
    encoded = text.encode("utf-8", "surrogateescape")
    return varint(len(encoded)) + encoded


def _skip_client_info(source: Source, revision: int) -> None:
    if not source.number(1):  # no query kind: nothing follows
        return
    for _ in range(3):  # initial user, query id, address
        source.string()
    if revision >= _WITH_QUERY_START_TIME:
        source.skip(8)
    over_tcp = source.number(1) == _TCP  # an engine within a process says that it is local, and no more of itself
    if over_tcp:
        for _ in range(3):  # the client's user, host and name
            source.string()
        for _ in range(3):  # its version and revision
            source.varint()
    source.string()  # quota key
    if revision >= _WITH_DISTRIBUTED_DEPTH:
        source.varint()
    if over_tcp:
        source.varint()  # the version's patch
    if revision >= _WITH_TRACE_CONTEXT and source.number(1):
        source.skip(24)
        source.string()
        source.skip(1)
    if revision >= _WITH_PARALLEL_REPLICAS:
        for _ in range(3):
            source.varint()


def _read_settings(source: Source) -> dict[str, tuple[str, bool]]:
    settings = {}
    while name := source.string():
        important = bool(source.number(1) & IMPORTANT)
        settings[name] = (source.string(), important)
    return settings
