"""The embedded ClickHouse as one client of the server sees it: a session with its own database and settings."""

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from chdb.state.sqlitelike import connect

from tests.support.native.source import Source
from tests.support.native.wire import Block, Column, read_block

_UNKNOWN_SETTING = 115
_UNKNOWN_DATABASE = 81
_READS = re.compile(r"\s*\(?\s*(SELECT|WITH|SHOW|DESCRIBE|DESC|EXISTS|EXPLAIN|CHECK)\b", re.IGNORECASE)
_SELECTS = re.compile(r"\s*\(?\s*(SELECT|WITH)\b", re.IGNORECASE)
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
        self._folder = str(Path(path).parent)
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
                # Another engine sends every setting that it has changed, also what only it can use.
                if "cannot be changed with SET" in error.message:
                    continue
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
            blocks = self._with_zones(text, blocks)
            return [blocks[0].header(), *blocks]
        return [self._header(text)] if _READS.match(text) else []

    def columns_of(self, insert: "Insert", spool: IO[bytes]) -> Block:
        """The columns that an insert wants, as a header block. `spool` is still empty."""
        try:
            return self._header(f"SELECT {insert.columns or '*'} FROM {insert.table} LIMIT 0")
        except EngineError:
            self.write(insert, spool)  # raises as an INSERT words it
            raise

    def write(self, insert: "Insert", spool: IO[bytes]) -> None:
        """Insert the blocks in Native format that `spool` holds."""
        spool.flush()
        self._run(insert.from_file(spool.name))

    def spool(self) -> IO[bytes]:
        """A file for the blocks of an insert until the client has sent them all; it is gone when it is closed."""
        return tempfile.NamedTemporaryFile(dir=self._folder, prefix="insert-", suffix=".native")

    def has_table(self, database: str, table: str) -> bool:
        """Whether the table is there."""
        return self.scalar(f"EXISTS TABLE {_quoted(database, '`')}.{_quoted(table, '`')}") == "1"

    def scalar(self, sql: str) -> str:
        """The one value of a query, as text."""
        return self._run(sql, "TSVRaw").decode().rstrip("\n")

    def _header(self, sql: str) -> Block:
        """The columns of a read; of one that gives many rows only with LIMIT 0, for it is run."""
        meta = json.loads(self._run(sql, "JSONCompact"))["meta"]
        return Block(columns=tuple(Column(name=one["name"], type=one["type"]) for one in meta), rows=0)

    def _with_zones(self, sql: str, blocks: list[Block]) -> list[Block]:
        """The blocks with the time zones of their DateTime columns, which FORMAT Native leaves out of the type."""
        if not _SELECTS.match(sql) or all(column.type != "DateTime" for column in blocks[0].columns):
            return blocks
        types = [row[1] for row in json.loads(self._run(f"DESCRIBE TABLE ({sql})", "JSONCompact"))["data"]]
        return [
            Block(
                columns=tuple(replace(column, type=name) for column, name in zip(block.columns, types, strict=True)),
                rows=block.rows,
            )
            for block in blocks
        ]

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
        self._settings = match["settings"] or ""

    @classmethod
    def parse(cls, sql: str) -> "Insert | None":
        """The statement when it is one, else None: another statement, an INSERT … SELECT, or one with its rows in the text."""
        match = _INSERT.match(plain(sql))
        return cls(match) if match else None

    def from_file(self, path: str) -> str:
        """The statement that inserts a file's rows instead.

        Not `send_insert` of chdb: version 4.4 reports success there when a table refuses the rows, and writes none of them.
        """
        columns = f" ({self.columns})" if self.columns else ""
        return f"INSERT INTO {self.table}{columns} FROM INFILE {_quoted(path)} {self._settings} FORMAT Native"


def plain(sql: str) -> str:
    """A statement without the comments before it and the semicolon after it."""
    while match := _COMMENT.match(sql):
        sql = sql[match.end() :]
    return sql.strip().rstrip(";").rstrip()


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark
