"""Rows of a file of past logs, some at a time, however large it is: lines of JSON, JSON arrays, CSV, Parquet, maybe gzipped.

A row is bytes (JSON text), an object (a dict of a table's row) or `Unreadable`. Its number counts lines (JSON lines), elements
(JSON) or data rows (CSV, Parquet) from 0: with the file's hash it is the record's identity, so it never depends on settings.
"""

import codecs
import csv
import gzip
import io
import itertools
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.json_stream import Elements
from ingest.line_reader import read_lines, refuse_utf16
from ingest.rows import MAX_ROW_BYTES, Damaged, Row, Rows, TableRows, Unreadable

__all__ = ["Damaged", "Reader", "Row", "Rows", "Unreadable", "blocks_of", "reader_of", "rows_of"]

_ROWS_AT_ONCE = 8_192
_OBJECTS_AT_ONCE = 512
_BYTES_AT_ONCE = 4 * 1024 * 1024
_DELIMITERS = ",;\t|"


Reader = Callable[[IO[bytes]], Iterator[Rows]]


def reader_of(path: Path) -> Reader | None:
    """The reader for the file's name; None for a suffix that is not known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return READERS.get(suffixes[-1]) if suffixes else None


@contextmanager
def opened(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """The content of an open file, decompressed where its first bytes say that it is gzipped."""
    head = raw.read(2)
    raw.seek(0)
    if head != b"\x1f\x8b":
        yield raw
        return
    with gzip.GzipFile(fileobj=raw) as stream:
        yield io.BufferedReader(stream, 256 * 1024)


def rows_of(reader: Reader, raw: IO[bytes]) -> Iterator[Row]:
    """All rows of an open file, one by one. Raises Damaged as `blocks_of` does."""
    for rows in blocks_of(reader, raw):
        yield from rows


def blocks_of(reader: Reader, raw: IO[bytes]) -> Iterator[Rows]:
    """All rows of an open file. Raises Damaged where it cannot be read on; the rows before that are good."""
    try:
        with opened(raw) as stream:
            yield from reader(stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Damaged(f"the compressed data are damaged ({error})") from error
    except UnicodeDecodeError as error:
        raise Damaged(f"the text cannot be decoded ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise Damaged(f"reading fails ({error.strerror or error})") from error


def read_json(stream: IO[bytes]) -> Iterator[Rows]:
    """One array of records, records one after another, or JSON lines under another name."""
    head = stream.read(64 * 1024)
    rewound = io.BufferedReader(_Rewound(head, stream))
    refuse_utf16(head)
    first_line, newline, _ = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
    if newline and not first_line.startswith(b"[") and _is_object(first_line):
        yield from read_lines(rewound)
        return
    yield from _together(Elements(io.TextIOWrapper(rewound, "utf-8-sig", errors="surrogateescape")).rows())


def read_csv(stream: IO[bytes]) -> Iterator[Rows]:
    """A table with a header; comma, semicolon, tab or bar between its columns, UTF-8 or (with a mark) UTF-16."""
    head = stream.read(2)
    encoding = "utf-16" if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    text = io.TextIOWrapper(io.BufferedReader(_Rewound(head, stream)), encoding, errors="surrogateescape", newline="")
    header_line = text.readline(MAX_ROW_BYTES)
    delimiter = max(_DELIMITERS, key=_outside_quotes(header_line).count)
    yield from _together(_csv_rows(csv.reader(itertools.chain([header_line], text), delimiter=delimiter), delimiter))


def _csv_rows(table: Iterator[list[str]], delimiter: str) -> Iterator[Row]:
    header = _header(table)
    for number in itertools.count():
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, Unreadable(reason="bad_csv", detail=str(error), payload=b""), 0)
            continue
        if len(cells) == len(header):
            yield Row(number, dict(zip(header, cells, strict=True)), sum(map(len, cells)))
        elif cells:
            line = delimiter.join(cells).encode("utf-8", "surrogateescape")
            detail = f"the row has {len(cells)} fields, the header {len(header)}"
            yield Row(number, Unreadable(reason="bad_csv", detail=detail, payload=line), len(line))


def read_parquet(stream: IO[bytes]) -> Iterator[Rows]:
    """A table; its file is read in parts, a gzipped one from an unpacked copy in the folder for temporary files."""
    with tempfile.TemporaryFile() as copy:
        if isinstance(stream, io.BufferedReader) and isinstance(stream.raw, gzip.GzipFile):
            shutil.copyfileobj(stream, copy, 1024 * 1024)
            copy.seek(0)
            stream = copy
        try:
            file = pq.ParquetFile(stream)
            first = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                numbers = np.arange(first, first := first + batch.num_rows)
                sizes = np.full(batch.num_rows, batch.nbytes // max(batch.num_rows, 1))
                yield Rows(numbers=numbers, values=TableRows(_checked(batch)), sizes=sizes)
        except (pa.ArrowException, OSError) as error:
            raise Damaged(f"it is no Parquet file that can be read ({str(error).splitlines()[0]})") from error


READERS: dict[str, Reader] = {
    ".ndjson": read_lines,
    ".jsonl": read_lines,
    ".json": read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
}


class _Rewound(io.RawIOBase):
    """A stream with the bytes that were looked at put back."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._head or self._stream.read(len(buffer))
        self._head = part[len(buffer) :] if self._head else b""
        part = part[: len(buffer)]
        buffer[: len(part)] = part
        return len(part)


def _together(rows: Iterator[Row]) -> Iterator[Rows]:
    """Rows some at a time, unreadable ones alone. What was read before damage comes before the damage is told."""
    held: list[Row] = []
    size = 0
    try:
        for row in rows:
            alone = isinstance(row.value, Unreadable)
            if held and (alone or len(held) >= _OBJECTS_AT_ONCE or size >= _BYTES_AT_ONCE):
                yield Rows.of(held)
                held, size = [], 0
            if alone:
                yield Rows.of([row])
            else:
                held.append(row)
                size += row.size_bytes
    except Exception:
        if held:
            yield Rows.of(held)
        raise
    if held:
        yield Rows.of(held)


def _checked(batch: pa.RecordBatch) -> pa.Table:
    """The batch as a table; Parquet promises that texts are UTF-8, and Arrow takes its word for it."""
    table = pa.Table.from_batches([batch])
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise Damaged(f"its data are damaged ({str(error).splitlines()[0]})") from error
    return table


def _header(table: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(table)]
    except StopIteration:
        return []
    except csv.Error as error:
        raise Damaged(f"its header cannot be read ({error})") from error
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise Damaged(f"its header names {doubled[0]!r} twice")
    return header


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
