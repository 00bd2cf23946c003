"""Chunks of a file: the same in every import, cut by rows and by bytes, and decoded as their rows are."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import chunks as chunks_module
from ingest import line_reader
from ingest.chunks import Chunk, chunks
from ingest.formats import build_format
from ingest.rows import Row, Rows, TableRows, Unreadable
from storage.ranges import IngestRange
from tests.unit.ingest.builders import encoded, record

FORMAT = build_format("tpscope", {})
LINES = st.lists(
    st.one_of(st.binary(max_size=12), st.sampled_from([b"", b" \t\x0b", b'{"a":1}\r', b"  " * 9 + b"x" + b" " * 20])),
    max_size=20,
)


@given(st.lists(st.integers(0, 60), unique=True).map(sorted), st.integers(1, 9), st.data())
def test_chunks_are_bounded_by_row_numbers_and_bytes_however_rows_come(
    numbers: list[int], rows: int, data: st.DataObject
) -> None:
    sizes = {number: data.draw(st.integers(0, 40)) for number in numbers}
    cuts = sorted(data.draw(st.lists(st.integers(0, len(numbers)), max_size=4)))
    together = [Rows.of([Row(n, b"x", sizes[n]) for n in numbers[a:b]]) for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks_module, "MAX_BYTES", 50)
        found = [one.numbers.tolist() for one in chunks(together, rows)]
    assert found == list(bounded(numbers, sizes, rows))


def bounded(numbers: list[int], sizes: dict[int, int], rows: int) -> Iterator[list[int]]:
    """The rule, row by row."""
    chunk: list[int] = []
    for number in numbers:
        if chunk and (number // rows != chunk[0] // rows or sum(sizes[one] for one in chunk) >= 50):
            yield chunk
            chunk = []
        chunk.append(number)
    if chunk:
        yield chunk


@given(LINES, st.booleans(), st.integers(1, 30))
@settings(deadline=None)
def test_lines_are_found_wherever_the_pieces_end(lines: list[bytes], ended: bool, piece: int) -> None:
    lines = [line.replace(b"\n", b"") for line in lines]
    content = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_reader, "_PIECE_BYTES", piece)
        patch.setattr(line_reader, "MAX_ROW_BYTES", 40)
        found = [row for rows in line_reader.read_lines(io.BytesIO(content)) for row in rows]
    content = content.removeprefix(b"\xef\xbb\xbf")
    wanted = list(enumerate(content.split(b"\n")))
    readable = [(number, line.strip()) for number, line in wanted if line.strip() and len(line) < 40]
    assert [(row.number, row.value) for row in found if not isinstance(row.value, Unreadable)] == readable
    too_long = [number for number, line in wanted if len(line) >= 40]
    assert [row.number for row in found if isinstance(row.value, Unreadable)] == too_long


def test_rows_of_any_kind_are_decoded_and_asked_for_in_order() -> None:
    first, second = encoded(record(tenant="a"), record(tenant="b"))
    unreadable = Unreadable(reason="too_long", detail="long", payload=b"xx")
    table = pa.table({"ts": ["2025-03-01T12:00:00Z"] * 2, "tenant": ["c", "d"], "status": [200, 7]})
    parts = [
        *line_reader.read_lines(io.BytesIO(first + b"\n\n" + second)),
        Rows.of([Row(5, unreadable, 0)]),
        Rows(numbers=np.array([6, 7]), values=TableRows(table), sizes=np.array([9, 9])),
        Rows.of([Row(8, {"ts": 1, "tenant": "e"}, 0)]),
        Rows.of([Row(9, b"[]", 0), Row(10, first, 0)]),
    ]
    (chunk,) = chunks(parts, 100)
    decoded = chunk.decoded(FORMAT)
    assert decoded.rows.column("tenant").to_pylist() == ["a", "b", "c", "e", "a"]
    assert decoded.valid.tolist() == [0, 1, 3, 5, 7]
    assert [(one.index, one.reason) for one in decoded.rejects] == [(2, "too_long"), (4, "bad_value"), (6, "not_object")]
    last: Any = {"ts": "2025-03-01T12:00:00Z", "tenant": "d", "status": 7}
    assert [chunk[at] for at in range(len(chunk))] == [first, second, b"xx", {**last, "tenant": "c", "status": 200}, last,
        {"ts": 1, "tenant": "e"}, b"[]", first]  # fmt: skip
    assert chunk.numbers.tolist() == [0, 2, 5, 6, 7, 8, 9, 10]
    done = [
        IngestRange(topic="t", partition=0, first_offset=a, last_offset=b, state="done", rows=0) for a, b in ((1, 4), (7, 9))
    ]
    assert chunk.without(done).numbers.tolist() == [0, 5, 6, 10]
    assert [chunk.without(done)[at] for at in (0, 3)] == [first, first]
    assert len(Chunk(()).without(done)) == 0
