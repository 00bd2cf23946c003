"""Reading in columns gives what reading one by one gives, whatever the bytes; and it does read in columns."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.call_records import call_records
from core.record import RECORD_SCHEMA
from ingest.formats import Decoded
from ingest.formats.columnar import Refused, read_columns
from ingest.formats.native import NativeFormat
from ingest.formats.segments import Shapes, decode_in_columns
from ingest.formats.shape import MAX_LEARNED, Shape
from ingest.lines import Lines
from tests.unit.ingest.test_format_properties import good_records, odd_bytes, odd_records, scalars, texts

EXACT = NativeFormat()
TS = '"ts":"2025-03-01T12:00:00Z"'

times = st.sampled_from(
    [
        "2025-03-01T12:00:00Z", "2025-03-01 12:00:00", "2025-03-01T12:00:00.5+02:00", "2025-03-01T12:00:00.123456789Z",
        "2025-03-01", "1969-12-31T23:59:59.9999Z", "2300-01-01T00:00:00Z", "2025-03-01T12:00:60Z", 1_740_830_400, 1.5e9, 0,
        1_740_830_400_000.25, 10**15, 2**63, -1, "1740830400", None, True,
    ]
)  # fmt: skip
unknown_names = st.sampled_from(["zone", "score", "api_key", "prompt", "attributes.zone", "n", "Ä", ""])
values = st.one_of(scalars, texts, st.sampled_from(["Bearer abcdefghijk", "sk-" + "x" * 20, "basic", " ", -0.0, 2**53, 1e300]))
loose_records = st.builds(
    lambda good, ts, unknown, inner: good | ts | unknown | inner,
    good_records,
    st.fixed_dictionaries({}, optional={"ts": times}),
    st.dictionaries(unknown_names, values, max_size=3),
    st.fixed_dictionaries({}, optional={"attributes": st.dictionaries(unknown_names, values, max_size=3)}),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good record with a few bytes changed, left out or put in."""
    text = bytearray(orjson.dumps(draw(good_records)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text) - 1))
        text[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from(
                [b"", b"\xff", b'"', b"{", b"}", b"\n", b"NaN", b"0", b"-", b"\\u0000", b"\\ud800", b",", b"\x00", b" "]
            )
        )
        text = text or bytearray(b"x")
    return bytes(text)


def _fits(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return b"{"


batches = st.lists(
    st.one_of(good_records.map(orjson.dumps), loose_records.map(_fits), odd_records.map(_fits), odd_bytes, mutated()),
    max_size=10,
)


@given(batches, batches)
@settings(max_examples=80, deadline=None)
def test_any_batch_is_read_as_one_by_one(first: list[bytes], second: list[bytes]) -> None:
    shapes = Shapes()
    for batch in (first, second, first):
        same(decode_in_columns(Lines.of(batch), shapes, EXACT.decode_exactly, least=1), EXACT.decode_exactly(batch))


@given(st.lists(loose_records.map(_fits), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_records_of_any_types_are_read_as_one_by_one(batch: list[bytes]) -> None:
    shapes = Shapes()
    for _ in range(2):
        same(decode_in_columns(Lines.of(batch), shapes, EXACT.decode_exactly, least=1), EXACT.decode_exactly(batch))


ODD = {
    "a field twice": b"{%s,\"status\":200,\"status\":500}",
    "not a number": b'{%s,"latency_ms":NaN}',
    "infinite": b'{%s,"latency_ms":-Infinity,"zone":1.5}',
    "no UTF-8": b'{%s,"tenant":"\xff"}',
    "cut": b'{%s,"tenant":"a',
    "two records in one": b'{%s,"tenant":"a"}{%s}',
    "several lines": b'{%s,\n"tenant":"a"}',
    "a line in a text": b'{%s,"tenant":"a\n"}',
    "white space around": b' {%s,"tenant":"a"}\r',
    "nothing": b"",
    "blank": b" \t",
    "a mark before": b'\xef\xbb\xbf{%s}',
    "a list": b"[1]",
    "escaped name": b'{%s,"te\\u006eant":"a"}',
    "escaped texts": b'{%s,"tenant":"\\u00e9\\ud83d\\ude00\\u0000\\n","zone":"\\/"}',
    "half a pair": b'{%s,"tenant":"\\ud83d"}',
    "a number as text": b'{%s,"status":"200","latency_ms":"1e2","cache_hit":"yes"}',
    "a text as number": b'{%s,"tenant":5,"account":1.5,"route":true}',
    "large": b'{%s,"bytes_in":18446744073709551615,"prompt_tokens":4294967296}',
    "exact": b'{%s,"bytes_in":9007199254740993}',
    "whole": b'{%s,"status":200.0,"bytes_in":1e3,"prompt_tokens":-0}',
    "no whole": b'{%s,"status":200.5}',
    "minus nothing": b'{%s,"latency_ms":-0,"upstream_ms":-0.0}',
    "no status": b'{%s,"status":0,"kind":"LLM","route":"/a?key=b"}',
    "out of bounds": b'{%s,"status":99,"retries":256,"cost_usd":1e10}',
    "no kind": b'{%s,"kind":"grpc"}',
    "long": b'{%s,"tenant":"' + "é".encode() * 600 + b'","zone":"' + b"x" * 2000 + b'"}',
    "nested": b'{%s,"labels":{"team":"x","token":"y"},"list":[1,"a"]}',
    "attributes as text": b'{%s,"attributes":"{\\"a\\":1}"}',
    "attributes as list": b'{%s,"attributes":[1]}',
    "nested attributes": b'{%s,"attributes":{"zone":{"a":null}}}',
    "an attribute once, and null": b'{%s,"zone":"b","attributes.zone":null}',
    "an attribute twice, flat": b'{%s,"attributes.zone":"a","zone":"b"}',
    "an attribute twice": b'{%s,"attributes":{"zone":"a"},"zone":"b"}',
    "a credential": b'{%s,"zone":"Bearer abcdefghijk","note":"sk-0123456789abcdefgh"}',
    "a credential with the long s": b'{%s,"zone":"ba\xc5\xbfic abcdefghijk"}',
    "names of credentials": b'{%s,"api_key":"x","prompt":"y","messages":3,"body":true}',
    "numbers to keep": b'{%s,"a":2.0,"b":1e-7,"c":12345678901234567890,"d":-3,"e":0.1,"f":1e22}',
    "a hash of letters": b'{%s,"prompt_hash":"a3f9"}',
    "no hash": b'{%s,"prompt_hash":-1}',
    "no time": b'{"tenant":"a"}',
    "another time": b'{"ts":1740830400.5}',
    "an early time": b'{"ts":"1969-12-31T23:59:59.9999Z"}',
    "many attributes": b"{%s," + b",".join(b'"x%d":%d' % (n, n) for n in range(80)) + b"}",
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("places", [[0, 27, 28, 59], range(60)], ids=["some", "all"])
def test_odd_records_among_others_are_read_as_one_by_one(odd: bytes, places: Sequence[int]) -> None:
    batch = call_records(60)
    for place in places:
        batch[place] = odd.replace(b"%s", TS.encode())
    shapes = Shapes()
    for _ in range(2):
        same(decode_in_columns(Lines.of(batch), shapes, EXACT.decode_exactly, least=4), EXACT.decode_exactly(batch))


def test_two_odd_records_that_count_as_two_when_joined_are_told_apart() -> None:
    batch = [*call_records(5), b'{"ts":"' + b"}", b'{"}' + b"{}", b'{"a":{}', b'{"ts":1}{"ts":2}', b"{}"]
    shapes = Shapes()
    shapes.learn(batch)
    same(decode_in_columns(Lines.of(batch), shapes, EXACT.decode_exactly, least=1), EXACT.decode_exactly(batch))


@pytest.mark.parametrize(
    "bomb",
    [
        b'{"ts":1,"x":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
        b'{"ts":1,"attributes":{"zone":' + b'{"a":' * 300_000 + b"1" + b"}" * 300_000 + b"}}",
        b'{"ts":1,"tenant":' + b"[" * 1_000_000,
        b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b',"ts":1}',
        b'{"ts":1,"tenant":"' + b"x" * 10_000_000 + b'"}',
    ],
    ids=["lists", "objects", "no end", "names", "text"],
)
def test_a_bomb_is_read_as_one_by_one(bomb: bytes) -> None:
    batch = [*call_records(80), bomb, *call_records(80)]
    batch[3] = b'{"ts":1,"attributes":{"zone":"a"},"x":1}'
    decoded = NativeFormat().decode(batch)
    same(decoded, EXACT.decode_exactly(batch))
    assert decoded.rows.num_rows >= 160


@pytest.mark.parametrize(
    "change",
    [
        lambda call: call,
        lambda call: call | {"zone": "b", "attempt": 2, "when": "2025-01-01", "beta": True, "share": 0.25},
        lambda call: call | {"attributes": {"team": "x", "n": 3}, "attributes.shard": "4"},
        lambda call: call | {"ts": 1_740_830_400_000 + call["bytes_in"]},
        lambda call: call | {"ts": 1_740_830_400.25},
        lambda call: call | {"status": str(call["status"]), "latency_ms": str(call["latency_ms"]), "account": 7, "stream": 1},
        lambda call: call | {"prompt_hash": 2**64 - 1 - call["bytes_in"]},
        lambda call: call | {"prompt_hash": f"{call['bytes_in']:x}z", "trace_id": None},
    ],
    ids=["plain", "unknown fields", "attributes", "milliseconds", "seconds", "loose types", "hash", "hash of letters"],
)
def test_usual_records_are_read_in_columns(change: Any) -> None:
    batch = [orjson.dumps(change(orjson.loads(one))) for one in call_records(300)]
    singly: list[bytes] = []

    def exact(left: Sequence[bytes]) -> Decoded:
        singly.extend(left)
        return EXACT.decode_exactly(left)

    decoded = decode_in_columns(Lines.of(batch), Shapes(), exact)
    same(decoded, EXACT.decode_exactly(batch))
    assert singly == []
    assert decoded.rows.num_rows == 300


def test_one_odd_record_costs_itself_alone() -> None:
    batch = call_records(2000)
    batch[700] = batch[700].replace(b'"status":', b'"status":"x').replace(b',"latency_ms"', b'","latency_ms"')
    batch[1300] = b"{broken"
    singly: list[bytes] = []

    def exact(left: Sequence[bytes]) -> Decoded:
        singly.extend(left)
        return EXACT.decode_exactly(left)

    same(decode_in_columns(Lines.of(batch), Shapes(), exact), EXACT.decode_exactly(batch))
    assert singly == [batch[700], batch[1300]]


def test_what_is_expected_is_bounded() -> None:
    shape = Shape().learned([{f"k{number}": 1 for number in range(1000)} | {"attributes": {f"k{n}": "" for n in range(1000)}}])
    assert len(shape.fields) == len(shape.attributes or {}) == MAX_LEARNED + len(RECORD_SCHEMA)
    assert shape.learned([{"k0": 2}]) is shape


def test_a_refused_batch_names_the_record_to_blame() -> None:
    batch = call_records(10)
    shape = Shape().learned(map(orjson.loads, batch))
    assert not isinstance(read_columns(Lines.of(batch), shape), Refused)
    batch[6] = batch[6].replace(b'"status":', b'"status":"x","status":')
    assert read_columns(Lines.of(batch), shape) == Refused(6)
    assert read_columns(Lines.of([*batch[:3], b"[]"]), shape) == Refused(3)
    assert read_columns(Lines.of([b'{"other":1}']), shape) == Refused()


def test_lines_from_other_buffers_are_read() -> None:
    batch = call_records(200)
    text = b"\x20\n \r\n".join([b"", *batch, b""])
    starts = np.cumsum([0, *(len(one) + 5 for one in batch[:-1])]) + 5
    lines = Lines(text=pa.py_buffer(text), starts=starts, ends=starts + [len(one) for one in batch])
    assert list(lines) == batch
    same(NativeFormat().decode(lines), EXACT.decode_exactly(batch))


def test_threads_may_share_a_format() -> None:
    format_ = NativeFormat()
    batches_ = [call_records(300, first=first) for first in range(0, 2400, 300)]
    for at, batch in enumerate(batches_):
        batch[5] = orjson.dumps(orjson.loads(batch[5]) | {f"extra{at}": at})
    found: dict[int, Decoded] = {}
    threads = [threading.Thread(target=lambda at=at: found.update({at: format_.decode(batches_[at])})) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for at, batch in enumerate(batches_):
        same(found[at], EXACT.decode_exactly(batch))


def same(found: Decoded, wanted: Decoded) -> None:
    assert found.rejects == wanted.rejects
    assert found.valid.tolist() == wanted.valid.tolist()
    found.rows.validate(full=True)
    assert found.rows.schema == wanted.rows.schema
    if not found.rows.equals(wanted.rows):
        for name in found.rows.column_names:
            assert found.rows.column(name).to_pylist() == wanted.rows.column(name).to_pylist(), name
        raise AssertionError("the rows differ")
