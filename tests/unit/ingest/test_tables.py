"""Rows of a table read in columns are what they are as objects, whatever the types."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.call_records import call_records
from core.record import CALL_SCHEMA, RECORD_SCHEMA
from ingest.formats import Decoded, Format, build_format
from ingest.formats.tables import decode_table, objects_of
from tests.unit.ingest.builders import NOON

NATIVE = build_format("tpscope", {})
AUTO = build_format("auto", {})

moments = st.datetimes(datetime(1969, 12, 30), datetime(2110, 1, 1)) | st.none()  # noqa: DTZ001  (as columns have them)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["llm", "GET", "/a?b", "200", "Bearer abcdefghijk", "2025-03-01T12:00:00Z", "", "-", "x" * 600]
)
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "texts": (pa.string(), texts | st.none()),
    "large texts": (pa.large_string(), texts | st.none()),
    "codes": (pa.dictionary(pa.int32(), pa.string()), texts | st.none()),
    "bytes": (pa.binary(), st.binary(max_size=5) | st.none()),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 200, 503, 1_740_830_400_000]) | st.none()),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**53, 1_740_830_400]) | st.none()),
    "int8": (pa.int8(), st.integers(-128, 127) | st.none()),
    "double": (pa.float64(), st.floats() | st.sampled_from([0.0, -0.0, 200.0, 1.5, 1_740_830_400.5]) | st.none()),
    "float": (pa.float32(), st.floats(width=32) | st.none()),
    "flags": (pa.bool_(), st.booleans() | st.none()),
    "nothing": (pa.null(), st.none()),
    "decimals": (pa.decimal128(10, 2), st.decimals(-1000, 1000, places=2) | st.none()),
    "seconds": (pa.timestamp("s"), moments),
    "milliseconds": (pa.timestamp("ms", "UTC"), moments),
    "microseconds": (pa.timestamp("us", "Asia/Kolkata"), moments),
    "dates": (pa.date32(), st.dates() | st.none()),
    "lists": (pa.list_(pa.string()), st.lists(texts, max_size=2) | st.none()),
    "maps": (pa.map_(pa.string(), pa.string()), st.lists(st.tuples(texts, texts | st.none()), max_size=3) | st.none()),
    "objects": (
        pa.struct([("zone", pa.string()), ("n", pa.float64()), ("at", pa.timestamp("us")), ("key", pa.string())]),
        st.fixed_dictionaries({"zone": texts, "n": st.floats() | st.none(), "at": moments, "key": texts}) | st.none(),
    ),
}
names = st.sampled_from([*RECORD_SCHEMA.names, "attributes.zone", "zone", "api_key", "prompt", ""])


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Columns of any name and type, most with a time that can be read."""
    rows = draw(st.integers(1, 5))
    kinds = draw(st.dictionaries(names, st.sampled_from(sorted(COLUMNS)), max_size=6))
    columns = {
        name: pa.array(draw(st.lists(COLUMNS[kind][1], min_size=rows, max_size=rows)), COLUMNS[kind][0])
        for name, kind in kinds.items()
    }
    if draw(st.booleans()):
        columns["ts"] = pa.array([NOON] * rows, pa.timestamp("ms", "UTC"))
    table = pa.table(columns) if columns else pa.table({"x": pa.nulls(rows)})
    return table.slice(draw(st.integers(0, rows - 1)))


@pytest.mark.filterwarnings("ignore:Encountered key")  # a map's last entry of a name counts
@given(tables())
@settings(max_examples=80, deadline=None)
def test_a_table_is_read_as_its_objects(table: pa.Table) -> None:
    for format_ in (NATIVE, AUTO):
        same(decode_table(format_, table), format_.decode_objects(objects_of(table)))


@pytest.mark.parametrize("format_", [NATIVE, AUTO], ids=["own", "auto"])
def test_an_export_is_read_in_columns(format_: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = NATIVE.decode([one[:-1] + b',"zone":"b","attributes":{"n":1}}' for one in call_records(500)]).rows
    for field in list(CALL_SCHEMA)[len(RECORD_SCHEMA) :]:
        value = pa.scalar({pa.string(): "import:0", pa.int32(): 0, pa.int64(): 5}.get(field.type, NOON), field.type)
        rows = rows.append_column(field, pa.repeat(value, 500))
    wanted = NATIVE.decode_objects(objects_of(rows))
    monkeypatch.setattr("ingest.formats.tables.objects_of", lambda table: pytest.fail("its rows were made objects"))
    found = decode_table(format_, rows)
    same(found, wanted)
    assert dict(found.rows.column("attributes")[3].as_py()) == {
        "zone": "b", "n": "1", "ingested_at": str(NOON), "topic": "import:0", "partition": "0", "offset": "5",
    }  # fmt: skip


def test_times_that_python_has_not_are_rejected_alone() -> None:
    times = pa.array([2**55, int(datetime(2025, 3, 1, tzinfo=UTC).timestamp()), None], pa.timestamp("s"))
    decoded = decode_table(NATIVE, pa.table({"ts": times, "tenant": ["a", "b", "c"]}))
    assert decoded.rows.column("tenant").to_pylist() == ["b"]
    assert [(one.index, one.reason) for one in decoded.rejects] == [(0, "bad_value"), (2, "bad_ts")]
    decoded = decode_table(NATIVE, pa.table({"ts": [1_740_830_400] * 2, "at": pa.array([2**55, None], pa.timestamp("s"))}))
    assert [one.index for one in decoded.rejects] == [0]
    assert decoded.valid.tolist() == [1]


@pytest.mark.parametrize("name", ["status", "bytes_in", "latency_ms", "cache_hit", "prompt_hash", "ts", "zone", "tenant"])
@pytest.mark.parametrize("kind", [pa.uint64(), pa.int64(), pa.uint8(), pa.int32(), pa.float32(), pa.float64()], ids=str)
def test_the_ends_of_all_numbers_are_read_as_objects(name: str, kind: pa.DataType) -> None:
    ends = [0, 1, 200, 2**24 + 1, 2**31, 2**32 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -1, -(2**63)]
    if pa.types.is_floating(kind):
        ends = [float(one) for one in ends]  # type: ignore[misc]
        column = pa.array([*ends, 1.5, float("nan"), float("inf"), -0.0, None], pa.float64()).cast(kind)
    else:
        signed = pa.types.is_signed_integer(kind)
        low, high = (-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1) if signed else (0, 2**kind.bit_width - 1)
        column = pa.array([*(one for one in ends if low <= one <= high), None], kind)
    table = pa.table({"ts": pa.array([NOON] * len(column), pa.timestamp("ms", "UTC")), name: column})
    if name == "ts":
        table = pa.table({"ts": column})
    same(decode_table(NATIVE, table), NATIVE.decode_objects(objects_of(table)))
    for row in range(table.num_rows):
        one = table.slice(row, 1)
        same(decode_table(NATIVE, one), NATIVE.decode_objects(objects_of(one)))


def test_an_empty_table_has_no_rows() -> None:
    assert decode_table(NATIVE, CALL_SCHEMA.empty_table()).rows.num_rows == 0


def same(found: Decoded, wanted: Decoded) -> None:
    assert found.rejects == wanted.rejects
    assert found.valid.tolist() == wanted.valid.tolist()
    found.rows.validate(full=True)
    assert found.rows.to_pylist() == wanted.rows.to_pylist()
