"""Long tables as files, piece by piece: one chunk of rows is held at a time. The forms are those of `render/export.py`.

XLSX cannot be sent before it is whole (its directory stands at its end): it is written to a temporary file first.
"""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import NotInstalledError
from render.export import csv_head, csv_rows, json_rows, spreadsheet_cells, spreadsheet_rows, table_meta

Frames = Iterable[pd.DataFrame]

_BLOCK = 256 * 1024


def stream_table(frames: Frames, fmt: str, meta: Mapping[str, str]) -> Iterator[bytes]:
    """The bytes of a csv, json, parquet or xlsx file of all frames, which have the same columns; `fmt` must be one of these.

    Raises NotInstalledError for xlsx without openpyxl.
    """
    yield from _STREAMS[fmt](frames, table_meta(meta))


def _csv(frames: Frames, meta: Mapping[str, str]) -> Iterator[bytes]:
    headed = False
    for frame in frames:
        if not headed:
            yield csv_head(frame, meta)
            headed = True
        yield csv_rows(frame)
    if not headed:
        yield csv_head(pd.DataFrame(), meta)


def _json(frames: Frames, meta: Mapping[str, str]) -> Iterator[bytes]:
    yield b'{"meta":' + orjson.dumps(dict(meta)) + b',"rows":['
    separator = b"\n"
    for frame in frames:
        for row in json_rows(frame):
            yield separator + orjson.dumps(row)
            separator = b",\n"
    yield b"\n]}\n"


def _parquet(frames: Frames, meta: Mapping[str, str]) -> Iterator[bytes]:
    drain, writer = _Drain(), None
    try:
        for frame in frames:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                schema = table.schema.with_metadata({f"tpscope.{key}": value for key, value in meta.items()})
                writer = pq.ParquetWriter(drain, schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
            yield drain.taken()
        if writer is None:
            empty = pa.schema([], metadata={f"tpscope.{key}": value for key, value in meta.items()})
            writer = pq.ParquetWriter(drain, empty)
    finally:
        if writer is not None:
            writer.close()
    yield drain.taken()


def _xlsx(frames: Frames, meta: Mapping[str, str]) -> Iterator[bytes]:
    if find_spec("openpyxl") is None:
        raise NotInstalledError("the XLSX writer (openpyxl)", "xlsx")
    book = import_module("openpyxl").Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.freeze_panes = "A2"
    rest = iter(frames)
    first = next(rest, pd.DataFrame())
    sheet.append([str(name) for name in first.columns])
    for frame in chain([first], rest):
        for row in spreadsheet_rows(frame):
            sheet.append(row)
    about = book.create_sheet("about")
    for key, value in meta.items():
        about.append(spreadsheet_cells([key, value]))
    with tempfile.TemporaryFile() as scratch:
        book.save(scratch)
        scratch.seek(0)
        while block := scratch.read(_BLOCK):
            yield block


class _Drain(io.RawIOBase):
    """A file that is only written to, and gives away what it has been given."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        piece = bytes(content)
        self._parts.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


_STREAMS: dict[str, Callable[[Frames, Mapping[str, str]], Iterator[bytes]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
