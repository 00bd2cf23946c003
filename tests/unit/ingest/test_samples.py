"""Samples from JSON: what is a value, what is a label, and that every record is read or rejected."""

import json
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.samples import MAX_VALUES, decode_samples, located_samples
from storage.samples import SAMPLE_FIELDS, SAMPLE_SCHEMA
from tests.unit.ingest.builders import NOON, NOON_MS

SAMPLE = {"ts": "2025-03-01T12:00:00Z", "name": "queue_depth", "value": 12, "labels": {"instance": "a"}}


def decoded(*records: Any) -> list[tuple[str, float, dict[str, str]]]:
    found = decode_samples([orjson.dumps(record) for record in records])
    assert not found.rejects
    assert set(found.rows.column("ts").to_pylist()) <= {NOON}
    return [(row["name"], row["value"], dict(row["labels"])) for row in found.rows.to_pylist()]


def test_one_value_with_its_labels() -> None:
    assert decoded(SAMPLE) == [("queue_depth", 12.0, {"instance": "a"})]


def test_several_values_share_time_and_labels() -> None:
    record = {"ts": NOON_MS, "labels": {"pool": "gpu", "node": 3}, "values": {"cpu": 0.5, "instances": "3", "quota": None}}
    assert decoded(record) == [("cpu", 0.5, {"node": "3", "pool": "gpu"}), ("instances", 3.0, {"node": "3", "pool": "gpu"})]


def test_other_fields_are_labels_and_secrets_are_not() -> None:
    record = {
        "ts": NOON_MS,
        "name": "depth",
        "value": 1,
        "container": "c",
        "api_key": "s",
        "z": None,
        "labels": {"container": "d"},
    }
    assert decoded(record) == [("depth", 1.0, {"container": "d"})]


def test_labels_are_sorted_so_that_like_ones_are_equal() -> None:
    found = decode_samples([orjson.dumps(SAMPLE | {"labels": labels}) for labels in ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
    first, second = found.rows.column("labels").to_pylist()
    assert first == second == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (b" ", "empty", "no bytes"),
        (b"{", "not_json", "column"),
        (b"[1]", "not_object", "object is expected"),
        (orjson.dumps({"name": "x", "value": 1}), "bad_ts", "ts: None is no time"),
        (orjson.dumps(SAMPLE | {"ts": "soon"}), "bad_ts", "'soon'"),
        (orjson.dumps(SAMPLE | {"value": None}), "bad_value", "value: None says nothing"),
        (orjson.dumps(SAMPLE | {"value": True}), "bad_value", "value: True is no number"),
        (orjson.dumps(SAMPLE | {"value": "NaN"}), "bad_value", "value: 'NaN'"),
        (orjson.dumps(SAMPLE | {"name": " "}), "bad_value", "name: ' '"),
        (orjson.dumps(SAMPLE | {"name": "x" * 201}), "bad_value", "1 to 200 characters"),
        (orjson.dumps(SAMPLE | {"labels": [1]}), "bad_value", "labels: [1] is no object"),
        (orjson.dumps(SAMPLE | {"values": {"a": 1}}), "bad_value", "together with name and value"),
        (orjson.dumps({"ts": 1, "values": {}}), "bad_value", "says nothing"),
        (orjson.dumps({"ts": 1, "values": {"a": 1, "b": "x"}}), "bad_value", "values.b: 'x' is no number"),
        (orjson.dumps({"ts": 1, "values": {str(n): n for n in range(MAX_VALUES + 1)}}), "bad_value", "at most 1000"),
    ],
)
def test_what_is_rejected(value: bytes, reason: str, detail: str) -> None:
    found = decode_samples([orjson.dumps(SAMPLE), value])
    assert found.rows.num_rows == 1
    (reject,) = found.rejects
    assert (reject.index, reject.reason) == (1, reason)
    assert detail in reject.detail


def test_rows_have_the_coordinates_of_their_records() -> None:
    several = {"ts": NOON_MS, "values": {"cpu": 1, "disk": 2}}
    found = decode_samples([orjson.dumps(SAMPLE), b"x", orjson.dumps(several)])
    rows = located_samples(found, "resources", 3, [10, 11, 15], NOON)
    assert rows.schema == SAMPLE_SCHEMA
    assert rows.column("offset").to_pylist() == [10, 15, 15]
    assert set(zip(rows.column("topic").to_pylist(), rows.column("partition").to_pylist(), strict=True)) == {("resources", 3)}
    assert located_samples(decode_samples([]), "resources", 0, [], NOON).num_rows == 0


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_records = st.fixed_dictionaries(
    {},
    optional={
        "ts": st.just(NOON_MS) | _json,
        "name": st.just("n") | _json,
        "value": st.integers(-5, 5) | _json,
        "values": _json,
        "labels": _json,
        "extra": _json,
    },
)


@given(st.lists(st.binary(max_size=20) | (_records | _json).map(lambda record: json.dumps(record).encode()), max_size=8))
def test_every_record_is_read_or_rejected_once(values: list[bytes]) -> None:
    found = decode_samples(values)
    assert found.rows.schema == pa.schema(SAMPLE_FIELDS)
    assert len(found.valid) == found.rows.num_rows
    assert sorted({*found.valid.tolist(), *(one.index for one in found.rejects)}) == list(range(len(values)))
    assert set(found.valid.tolist()).isdisjoint(one.index for one in found.rejects)
    assert found.rows.column("value").null_count == 0
