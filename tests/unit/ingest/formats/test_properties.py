"""Whatever comes in: nothing raises, each record counts once, and is read the same alone and among others."""

import copy
import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.record import RECORD_SCHEMA
from ingest.formats import Decoded, build_format
from tests.unit.ingest.builders import record
from tests.unit.ingest.formats.samples import GATEWAYS, lines_of

NAMES = ("tpscope", "auto", *GATEWAYS)
FORMATS = {name: build_format(name, {}) for name in NAMES}
SAMPLES = [record(), *(orjson.loads(line) for name in GATEWAYS for line in lines_of(name))]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), texts)
odd_values = st.recursive(
    scalars | st.sampled_from(["-", "1740830400", "0.010, -", "{", '{"ts":1}', "GET / HTTP/1.1", [], {}, "NaN", "1e999", -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A gateway's record with a few values, at any depth, replaced, left out or put into an envelope."""
    found = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 3))):
        _mutate(draw, found)
    if draw(st.booleans()) and draw(st.booleans()):
        inner = draw(st.sampled_from([found, orjson.dumps(found).decode()]))
        found = {"message": inner, "host": draw(scalars), "@timestamp": draw(scalars), "fields": draw(odd_values)}
    return found


def _mutate(draw: st.DrawFn, node: Any) -> None:
    while True:
        if isinstance(node, dict) and node:
            key: Any = draw(st.sampled_from(sorted(node)))
        elif isinstance(node, list) and node:
            key = draw(st.integers(0, len(node) - 1))
        else:
            return
        if not isinstance(node[key], dict | list) or draw(st.integers(0, 4)) == 0:
            break
        node = node[key]
    if draw(st.booleans()):
        node[key] = draw(odd_values)
    else:
        del node[key]


lines = st.one_of(mutated().map(orjson.dumps), st.binary(max_size=20), odd_values.map(orjson.dumps))


@pytest.mark.parametrize("name", NAMES)
@given(values=st.lists(lines, max_size=5))
@settings(max_examples=40, deadline=None)
def test_no_bytes_make_a_format_raise_and_each_index_counts_once(name: str, values: list[bytes]) -> None:
    _each_once(FORMATS[name].decode(values), len(values), name)


@pytest.mark.parametrize("name", NAMES)
@given(
    objects=st.lists(
        mutated()
        | st.dictionaries(
            texts | st.sampled_from(["ts", "msec", "started_at", "startTime", "latencies", "resourceLogs", "message"]),
            odd_values | st.datetimes() | st.binary(max_size=4) | st.decimals() | st.integers(),
            max_size=4,
        ),
        max_size=4,
    )
)
@settings(max_examples=25, deadline=None)
def test_no_objects_make_a_format_raise_and_each_index_counts_once(name: str, objects: list[Any]) -> None:
    _each_once(FORMATS[name].decode_objects(objects), len(objects), name)


@pytest.mark.parametrize("name", NAMES)
@given(values=st.lists(lines, min_size=2, max_size=5))
@settings(max_examples=25, deadline=None)
def test_a_record_is_read_the_same_alone_and_among_others(name: str, values: list[bytes]) -> None:
    together = FORMATS[name].decode(values)
    alone = [build_format(name, {}).decode([value]) for value in values]
    assert together.rows.to_pylist() == [row for one in alone for row in one.rows.to_pylist()]
    assert [(one.index, one.reason, one.detail) for one in together.rejects] == [
        (index, reject.reason, reject.detail) for index, one in enumerate(alone) for reject in one.rejects
    ]


def _each_once(decoded: Decoded, records: int, name: str) -> None:
    places = decoded.valid.tolist()
    rejected = [reject.index for reject in decoded.rejects]
    assert sorted({*places, *rejected}) == list(range(records))
    assert not set(places) & set(rejected)
    assert len(rejected) == len(set(rejected))
    if name not in ("auto", "otel"):
        assert len(places) == len(set(places))
    assert places == sorted(places)
    assert rejected == sorted(rejected)
    assert decoded.rows.num_rows == len(places)
    assert decoded.rows.schema == RECORD_SCHEMA
    decoded.rows.validate(full=True)


@pytest.mark.parametrize("name", NAMES)
def test_large_and_deep_records_end_soon(name: str) -> None:
    """10 MB texts, deep nesting and long runs of blanks, wherever a format looks."""
    sample = record() if name in ("tpscope", "auto") else orjson.loads(lines_of(name)[0])
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    large = ["x" * 10_000_000, " " * 1_000_000, "-, " * 300_000, "A" * 200_000 + "\\u0000", "{" * 100_000]
    values = [orjson.dumps(dict.fromkeys(sample, text) | {"message": text}) for text in large if len(text) < 2_000_000]
    values += [orjson.dumps(sample | {"message": large[0], "extra": large[0]}), deep, orjson.dumps({"log": deep.decode()})]
    values += [b"{" + b",".join(orjson.dumps(key) + b":" + deep for key in sample) + b"}"]
    started = time.process_time()
    _each_once(FORMATS[name].decode(values), len(values), name)
    assert time.process_time() - started < 10
