"""Columns in ClickHouse's native format, byte by byte, and read back by the driver's own readers."""

import struct
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_driver.bufferedreader import BufferedReader
from clickhouse_driver.columns.service import read_column
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.native_block import encode_column

UTC_MS = pa.timestamp("ms", tz="UTC")


class Wire(BufferedReader):  # type: ignore[misc]
    """Bytes as the driver reads them from a socket."""

    def __init__(self, content: bytes) -> None:
        super().__init__(max(len(content), 1))
        self.buffer = bytearray(content)
        self.current_buffer_size = len(content)

    def read_into_buffer(self) -> None:
        raise EOFError("the column is longer than its bytes")


def read_back(content: bytes, kind: str, rows: int) -> list[Any]:
    context = SimpleNamespace(
        client_settings={"use_numpy": False, "strings_as_bytes": False, "strings_encoding": "utf-8"},
        settings={},
        server_info=SimpleNamespace(get_timezone=lambda: "UTC", used_revision=54453),
    )
    wire = Wire(content)
    values = list(read_column(context, kind, rows, wire))
    with pytest.raises(EOFError):
        wire.read(1)  # nothing is left over
    return values


@pytest.mark.parametrize(
    ("kind", "column", "expected"),
    [
        ("UInt8", pa.array([0, 255], pa.uint8()), b"\x00\xff"),
        ("Int16", pa.array([-1, 256]), struct.pack("<hh", -1, 256)),
        ("Float32", pa.array([1.5, -0.0], pa.float32()), struct.pack("<ff", 1.5, -0.0)),
        ("Bool", pa.array([True, False]), b"\x01\x00"),
        ("Date", pa.array([date(1970, 1, 2)]), b"\x01\x00"),
        ("DateTime('UTC')", pa.array([datetime(1970, 1, 1, 0, 1, tzinfo=UTC)]), struct.pack("<I", 60)),
        ("DateTime64(3, 'UTC')", pa.array([datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)]), struct.pack("<q", -1)),
        ("DateTime64(0)", pa.array([datetime(1970, 1, 1, 0, 0, 1, 999999, tzinfo=UTC)]), struct.pack("<q", 1)),
        ("String", pa.array(["", "ab"]), b"\x00\x02ab"),
        ("String", pa.array([b"\xff\x00"], pa.binary()), b"\x02\xff\x00"),
        ("Nullable(UInt8)", pa.array([None, 7], pa.uint8()), b"\x01\x00\x00\x07"),
        ("Nullable(String)", pa.array([None, "a"]), b"\x01\x00\x00\x01a"),
        ("Array(UInt8)", pa.array([[1], [], [2, 3]]), struct.pack("<QQQ", 1, 1, 3) + b"\x01\x02\x03"),
        ("SimpleAggregateFunction(sum, UInt64)", pa.array([5]), struct.pack("<Q", 5)),
        ("Map(String, UInt8)", pa.array([[("k", 1)]], pa.map_(pa.string(), pa.uint8())), struct.pack("<Q", 1) + b"\x01k\x01"),
    ],
)  # fmt: skip
def test_bytes(kind: str, column: pa.Array, expected: bytes) -> None:
    assert encode_column(pa.chunked_array([column]), kind) == expected


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_lengths_of_texts_at_the_edges_of_their_bytes(length: int) -> None:
    texts = ["x", "y" * length, "", "z"]
    content = encode_column(pa.chunked_array([texts]), "String")
    assert read_back(content, "String", 4) == texts


@pytest.mark.parametrize("distinct", [1, 255, 256, 257, 65_536, 65_537])
def test_dictionaries_at_the_edges_of_their_keys(distinct: int) -> None:
    texts = [f"v{number}" for number in range(distinct)] + ["v0"]
    for kind, column in (
        ("LowCardinality(String)", pa.array(texts)),
        ("LowCardinality(String)", pa.array(texts).dictionary_encode()),
        ("LowCardinality(Nullable(String))", pa.array([*texts[:-1], None])),
    ):
        expected = column.to_pylist()
        assert read_back(encode_column(pa.chunked_array([column]), kind), kind, len(texts)) == expected


def test_a_null_in_a_dictionary_is_a_null() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None], pa.int8()), pa.array(["a", None, "b"]))
    kind = "LowCardinality(Nullable(String))"
    assert read_back(encode_column(pa.chunked_array([column]), kind), kind, 4) == ["a", None, "b", None]
    with pytest.raises(ValueError, match="takes no NULL"):
        encode_column(pa.chunked_array([column]), "LowCardinality(String)")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
COLUMNS: list[tuple[str, pa.DataType, st.SearchStrategy[Any]]] = [
    ("String", pa.string(), TEXTS),
    ("Nullable(String)", pa.string(), st.none() | TEXTS),
    ("LowCardinality(String)", pa.string(), st.sampled_from(["", "a", "ü"]) | TEXTS),
    ("LowCardinality(Nullable(String))", pa.string(), st.none() | st.sampled_from(["", "a"])),
    ("Nullable(UInt16)", pa.uint16(), st.none() | st.integers(0, 2**16 - 1)),
    ("Nullable(Float64)", pa.float64(), st.none() | st.floats(allow_nan=False)),
    ("Nullable(Bool)", pa.bool_(), st.none() | st.booleans()),
    ("Int64", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    ("Array(String)", pa.list_(pa.string()), st.lists(TEXTS, max_size=4)),
    ("Array(Nullable(Int8))", pa.list_(pa.int8()), st.lists(st.none() | st.integers(-128, 127), max_size=4)),
    ("Array(LowCardinality(String))", pa.list_(pa.string()), st.lists(st.sampled_from(["", "a", "ü"]), min_size=1, max_size=4)),
    ("Array(Array(UInt8))", pa.list_(pa.list_(pa.uint8())), st.lists(st.lists(st.integers(0, 255), max_size=3), max_size=3)),
]


@pytest.mark.parametrize(("kind", "arrow", "values"), COLUMNS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_driver_reads_what_was_written(
    kind: str, arrow: pa.DataType, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(values, min_size=1, max_size=30))
    cut = data.draw(st.integers(0, len(rows) - 1))
    whole = pa.array([*rows, *rows], arrow)
    column = pa.chunked_array([whole.slice(cut, len(rows) - cut), whole.slice(0, cut + 1)])  # slices share their buffers
    back = read_back(encode_column(column, kind), kind, len(column))
    assert [list(value) if isinstance(value, tuple) else value for value in back] == column.to_pylist()


@pytest.mark.parametrize(
    ("kind", "column", "reason"),
    [
        ("UInt8", pa.array([1, None]), "UInt8 takes no NULL"),
        ("Array(UInt8)", pa.array([[1], None]), "takes no NULL"),
        ("UInt8", pa.array([256]), "not in range|out of bounds"),
        ("UInt8", pa.array(["x"]), "parse"),
        ("DateTime64(3)", pa.array([1]), "a timestamp is needed"),
        ("DateTime('UTC')", pa.array([datetime(1969, 1, 1, tzinfo=UTC)]), "not in range|out of bounds"),
        ("DateTime64(4)", pa.array([datetime(2026, 1, 1, tzinfo=UTC)]), r"DateTime64\(4\) cannot be written"),
        ("AggregateFunction(count)", pa.array([1]), "cannot be written"),
        ("UUID", pa.array(["x"]), "cannot be written"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused(kind: str, column: pa.Array, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        encode_column(pa.chunked_array([column]), kind)
