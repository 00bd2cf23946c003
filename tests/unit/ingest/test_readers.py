"""Files of past logs, row by row, in every dialect and broken in every way."""

import contextlib
import gzip
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import line_reader, readers
from ingest.readers import Damaged, Row, Unreadable, reader_of, rows_of


def read(path: Path) -> list[tuple[int, Any]]:
    reader = reader_of(path)
    assert reader is not None
    with path.open("rb") as raw:
        return [(row.number, row.value) for row in rows_of(reader, raw)]


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


JSON_CASES = [
    ("a.ndjson", b'{"a":1}\n{"b":2}\n', [(0, b'{"a":1}'), (1, b'{"b":2}')]),
    ("no end of line.jsonl", b'{"a":1}\n{"b":2}', [(0, b'{"a":1}'), (1, b'{"b":2}')]),
    ("blank lines count.ndjson", b'\n{"a":1}\r\n \n{"b":2}\n', [(1, b'{"a":1}'), (3, b'{"b":2}')]),
    ("byte order mark.ndjson", b'\xef\xbb\xbf{"a":1}\n', [(0, b'{"a":1}')]),
    ("rubbish is a row.ndjson", b"{broken\n", [(0, b"{broken")]),
    ("array.json", b' [ {"a":"\xc3\xa9"} , {"b":[1,2]}\n]\n', [(0, b'{"a":"\xc3\xa9"}'), (1, b'{"b":[1,2]}')]),
    ("empty array.json", b"[]", []),
    ("numbers.json", b"[1, 23,4]", [(0, b"1"), (1, b"23"), (2, b"4")]),
    ("lines.json", b'{"a":1}\n{"b":\n{"c":3}\n', [(0, b'{"a":1}'), (1, b'{"b":'), (2, b'{"c":3}')]),
    ("pretty.json", b'{\n "a": 1\n}\n{\n "b": 2\n}\n', [(0, b'{\n "a": 1\n}'), (1, b'{\n "b": 2\n}')]),
    ("one.json", b'{"a":1}', [(0, b'{"a":1}')]),
]


@pytest.mark.parametrize(("name", "content", "rows"), JSON_CASES, ids=[case[0] for case in JSON_CASES])
def test_json(tmp_path: Path, name: str, content: bytes, rows: list[tuple[int, bytes]]) -> None:
    assert read(written(tmp_path, name, content)) == rows
    assert read(written(tmp_path, name + ".gz", gzip.compress(content))) == rows


CSV_CASES = [
    ("comma", b"a,b\n1,2\n", [(0, {"a": "1", "b": "2"})]),
    ("semicolon", b"a;b\n1;2,5\n", [(0, {"a": "1", "b": "2,5"})]),
    ("tab", b"a\tb\n1\t2\n", [(0, {"a": "1", "b": "2"})]),
    ("quotes", b'a,"b,c"\n"x ""y""","line\nbreak"\n', [(0, {"a": 'x "y"', "b,c": "line\nbreak"})]),
    ("windows", b"\xef\xbb\xbfa , b\r\n1,2\r\n", [(0, {"a": "1", "b": "2"})]),
    ("utf-16", "a,b\n1,\u00e9\n".encode("utf-16"), [(0, {"a": "1", "b": "\u00e9"})]),
    ("one column", b"a\n1\n\n2\n", [(0, {"a": "1"}), (2, {"a": "2"})]),
    ("header only", b"a,b\n", []),
    ("blank", b"\n", []),
]


@pytest.mark.parametrize(("content", "rows"), [case[1:] for case in CSV_CASES], ids=[case[0] for case in CSV_CASES])
def test_csv(tmp_path: Path, content: bytes, rows: list[tuple[int, dict[str, str]]]) -> None:
    assert read(written(tmp_path, "x.csv", content)) == rows
    assert read(written(tmp_path, "x.csv.gz", gzip.compress(content))) == rows


def test_csv_rows_that_do_not_fit_the_header_are_unreadable_and_the_others_are_not(tmp_path: Path) -> None:
    content = b"a,b\n1\n1,2\n1,2,3\n" + b'"' + b"x" * 200_000 + b'",y\n3,4\n'
    rows = read(written(tmp_path, "x.csv", content))
    assert [row for row in rows if not isinstance(row[1], Unreadable)] == [(1, {"a": "1", "b": "2"}), (4, {"a": "3", "b": "4"})]
    assert [(number, value.detail, value.payload) for number, value in rows if isinstance(value, Unreadable)] == [
        (0, "the row has 1 fields, the header 2", b"1"),
        (2, "the row has 3 fields, the header 2", b"1,2,3"),
        (3, "field larger than field limit (131072)", b""),
    ]


def test_parquet(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": list(range(20_000)),
            "ts": pa.array([10**9] * 20_000, pa.timestamp("s", "UTC")),
            "labels": pa.array([[("a", "b")]] * 20_000, pa.map_(pa.string(), pa.string())),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=3000)
    rows = read(tmp_path / "x.parquet")
    assert [number for number, _ in rows] == [value["n"] for _, value in rows] == list(range(20_000))
    assert rows[0][1]["labels"] == {"a": "b"}
    assert rows[0][1]["ts"].timestamp() == 10**9
    assert read(written(tmp_path, "y.parquet.gz", gzip.compress((tmp_path / "x.parquet").read_bytes()))) == rows


DAMAGED_CASES = [
    ("x.ndjson.gz", gzip.compress(b'{"a":1}\n')[:-9], "the compressed data are damaged"),
    ("x.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1000)[:40] + b"\0" * 20, "the compressed data are damaged"),
    ("x.ndjson", '{"a":1}\n'.encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
    ("x.json", '{"a":1}\n'.encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
    ("x.json", b'[{"a":1},{"b"', "element 1 is no JSON"),
    ("x.json", b'[{"a":1}', "the array does not end; 1 elements were read"),
    ("x.json", b'[{"a":1} {"b":2}]', "a comma is missing after element 0"),
    ("x.json", b'[1] 2', "there is more after the end of the array"),
    ("x.json", b"[" * 100_000, "is no JSON"),
    ("x.json", b"rubbish", "element 0 is no JSON"),
    ("x.csv", b"a,a\n1,2\n", "its header names 'a' twice"),
    ("x.csv", b"x" * 200_000 + b"\n1\n", "its header cannot be read"),
    ("x.csv", "a,b\n1,2\n".encode("utf-16")[:-1], "the text cannot be decoded"),
    ("x.parquet", b"PARQUET?", "it is no Parquet file that can be read"),
    ("x.parquet.gz", gzip.compress(b"PAR1" + b"\0" * 100 + b"PAR1"), "it is no Parquet file that can be read"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "says"), DAMAGED_CASES, ids=[case[2] + " " + case[0] for case in DAMAGED_CASES])
def test_damaged_files_say_so_in_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(Damaged) as caught:
        read(written(tmp_path, name, content))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_before_the_damage_are_read(tmp_path: Path) -> None:
    lines = b"".join(b'{"n":%d, "x":"%d"}\n' % (n, hash(str(n))) for n in range(100_000))
    path = written(tmp_path, "x.ndjson.gz", gzip.compress(lines)[:-1000])
    rows: list[Row] = []
    with pytest.raises(Damaged), path.open("rb") as raw:
        rows.extend(rows_of(line_reader.read_lines, raw))  # extend keeps what came before the error
    assert 10_000 < len(rows) < 100_000
    assert [row.number for row in rows] == list(range(len(rows)))


def test_a_line_that_is_too_long_is_skipped_without_holding_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_reader, "MAX_ROW_BYTES", 1000)
    rows = read(written(tmp_path, "x.ndjson", b'{"a":1}\n' + b"x" * 5000 + b'\n{"b":2}\n'))
    assert rows[0] == (0, b'{"a":1}')
    assert rows[2] == (2, b'{"b":2}')
    assert isinstance(rows[1][1], Unreadable)
    assert (rows[1][1].reason, len(rows[1][1].payload)) == ("too_long", 1000)


@pytest.mark.parametrize("name", ["x.ndjson", "x.json", "x.csv"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    row = b"%07d," + b"x" * 900 if name == "x.csv" else b'{"n":"%07d","x":"' + b"x" * 900 + b'"}'
    separator = b",\n" if name == "x.json" else b"\n"
    content = separator.join(row % number for number in range(40_000))
    ends = {"x.csv": (b"n,x\n", b"\n"), "x.json": (b"[", b"]"), "x.ndjson": (b"", b"\n")}[name]
    path = written(tmp_path, name + ".gz", gzip.compress(ends[0] + content + ends[1], 1))
    size, reader = len(content), reader_of(path)
    del content
    assert reader is not None
    tracemalloc.start()
    try:
        with path.open("rb") as raw:
            rows = sum(1 for _ in rows_of(reader, raw))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 40_000
    assert peak < size / 4


@pytest.mark.parametrize("name", ["x.txt", "x", "x.gz", "x.csv.zip", ".csv"])
def test_other_suffixes_are_not_read(name: str) -> None:
    assert reader_of(Path(name)) is None


@pytest.mark.parametrize("name", ["x.CSV", "x.2024-01-01.csv", "x.NDJSON.GZ", "access.v1.2.parquet"])
def test_suffixes_are_found_in_any_name(name: str) -> None:
    assert reader_of(Path(name)) is not None


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(readers.READERS)))
def test_no_bytes_crash_a_reader(content: bytes, suffix: str) -> None:
    rows: list[Row] = []
    with contextlib.suppress(Damaged):
        rows.extend(rows_of(readers.READERS[suffix], io.BytesIO(content)))
    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))
