"""The embedded ClickHouse as one client of the server sees it: a session with its own database and settings."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from chdb.state.sqlitelike import connect

from tests.support.native.source import Source
from tests.support.native.wire import Block, Column, read_block

_UNKNOWN_SETTING = 115
_UNKNOWN_DATABASE = 81
_READS = re.compile(r"\s*\(?\s*(SELECT|WITH|SHOW|DESCRIBE|DESC|EXISTS|EXPLAIN|CHECK)\b", re.IGNORECASE)
_FORMAT = re.compile(r"\s+FORMAT\s+\w+\s*$", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(--[^\n]*\n|/\*.*?\*/)", re.DOTALL)
_NAME = r"(?:`[^`]+`|\"[^\"]+\"|\w+)"
# An INSERT whose rows are still to come: nothing after VALUES or FORMAT.
_INSERT = re.compile(
    rf"""\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>{_NAME}(?:\.{_NAME})?)
         \s*(?P<columns>\((?:[^()]|\([^()]*\))*\))?
         \s*(?P<settings>SETTINGS\s+.+?)?
         \s*(?:VALUES|FORMAT\s+\w+)?\s*$""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


class Stream(Protocol):
    """What `send_insert` of chdb gives."""

    def append(self, data: bytes) -> None:
        """Take the next bytes."""

    def finish(self) -> object:
        """Write them."""

    def cancel(self) -> None:
        """Give up."""


class EngineError(Exception):
    """ClickHouse refused something; `code` and `message` (`DB::Exception: …`) as a server would send them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"Code: {code}. {message}")
        self.code = code
        self.message = message

    @classmethod
    def of(cls, error: Exception) -> "EngineError":
        """From what chdb raises, whose text holds `Code: 60. DB::Exception: …`."""
        found = re.search(r"Code: (\d+)\. (DB::Exception: .*)", str(error), re.DOTALL)
        return cls(int(found[1]), found[2]) if found else cls(1002, f"DB::Exception: {error}")


class Session:
    """One client's session. Raises EngineError from every method that speaks to the engine."""

    def __init__(self, path: str, database: str) -> None:
        self._connection = connect(path)
        try:
            self._run(f"USE {_quoted(database, '`')}")
        except EngineError as error:
            self._connection.close()
            if error.code != _UNKNOWN_DATABASE:
                raise
            raise EngineError(_UNKNOWN_DATABASE, f"DB::Exception: Database {database} does not exist") from error

    def close(self) -> None:
        """Give the session up; an insert that is under way is lost."""
        self._connection.close()

    def apply(self, settings: Mapping[str, tuple[str, bool]], parameters: Mapping[str, str]) -> list[str]:
        """Set a query's settings and parameters; the names of the settings, for `reset`.

        A setting that the engine does not know is skipped, as a server does, unless it is marked as important.
        """
        applied = []
        for name, (value, important) in settings.items():
            try:
                self._run(f"SET {name} = {_quoted(value)}")
                applied.append(name)
            except EngineError as error:
                if important or error.code != _UNKNOWN_SETTING:
                    self.reset(applied)
                    raise
        for name, value in parameters.items():  # the value comes quoted
            self._run(f"SET param_{name} = {value}")
        return applied

    def reset(self, settings: Iterable[str]) -> None:
        """Undo `apply`: a query's settings hold for that query only."""
        for name in settings:
            self._run(f"SET {name} = DEFAULT")

    def read(self, sql: str) -> list[Block]:
        """Run a statement; its result with a header block first, or nothing for a statement that has none."""
        text = _FORMAT.sub("", plain(sql))
        source = Source.of_bytes(self._run(text, "Native"))
        blocks = []
        while not source.exhausted:
            blocks.append(read_block(source))
        if blocks:
            return [blocks[0].header(), *blocks]
        return [self.header(text)] if _READS.match(text) else []

    def header(self, sql: str) -> Block:
        """The columns of a read; of one that gives many rows only with LIMIT 0, for it is run."""
        meta = json.loads(self._run(sql, "JSONCompact"))["meta"]
        return Block(columns=tuple(Column(name=one["name"], type=one["type"]) for one in meta), rows=0)

    def insert(self, statement: "Insert") -> "Inserter":
        """Begin an insert. While it is open the session takes no other statement."""
        try:
            header = self.header(f"SELECT {statement.columns or '*'} FROM {statement.table} LIMIT 0")
        except EngineError:
            self._open(statement).cancel()  # raises as an INSERT words it
            raise
        return Inserter(header, self._open(statement))

    def scalar(self, sql: str) -> str:
        """The one value of a query, as text."""
        return self._run(sql, "TSVRaw").decode().rstrip("\n")

    def _open(self, statement: "Insert") -> Stream:
        try:
            stream: Stream = self._connection.send_insert(statement.sql, "Native")
        except RuntimeError as error:
            raise EngineError.of(error) from error
        return stream

    def _run(self, sql: str, output_format: str = "Native") -> bytes:
        try:
            return bytes(self._connection.query(sql, output_format).bytes())
        except RuntimeError as error:
            raise EngineError.of(error) from error


class Insert:
    """An INSERT statement whose rows come in data packets."""

    def __init__(self, match: re.Match[str]) -> None:
        self.table = match["table"]
        self.columns = (match["columns"] or "")[1:-1].strip()
        columns = f" ({self.columns})" if self.columns else ""
        self.sql = f"INSERT INTO {self.table}{columns} {match['settings'] or ''}".rstrip()

    @classmethod
    def parse(cls, sql: str) -> "Insert | None":
        """The statement when it is one, else None: another statement, an INSERT … SELECT, or one with its rows in the text."""
        match = _INSERT.match(plain(sql))
        return cls(match) if match else None


class Inserter:
    """An open insert. The first error is kept for `finish`: a client hears of it after it has sent everything."""

    def __init__(self, header: Block, stream: Stream) -> None:
        self.header = header
        self._stream = stream
        self._error: RuntimeError | None = None

    def append(self, native: bytes) -> None:
        """Take a block in Native format."""
        if self._error is None:
            try:
                self._stream.append(native)
            except RuntimeError as error:
                self._error = error

    def finish(self) -> None:
        """Write what was taken. Raises EngineError, and then nothing more is written."""
        try:
            if self._error is not None:
                self._stream.cancel()
                raise self._error
            self._stream.finish()
        except RuntimeError as error:
            raise EngineError.of(error) from error

    def cancel(self) -> None:
        """Give up: the client went away before it had sent everything."""
        self._stream.cancel()


def plain(sql: str) -> str:
    """A statement without the comments before it and the semicolon after it."""
    while match := _COMMENT.match(sql):
        sql = sql[match.end() :]
    return sql.strip().rstrip(";").rstrip()


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark
