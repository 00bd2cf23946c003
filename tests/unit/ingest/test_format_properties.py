"""What holds for every input: nothing crashes decoding, each record counts once, what is accepted comes back the same."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import FormatSettings
from core.record import BYTES, DIMENSIONS, FLAGS, KINDS, LATENCIES, RECORD_SCHEMA, TEXTS, TOKENS
from ingest.formats import Decoded, Format, build_format
from tests.unit.ingest.builders import record

NATIVE = build_format("tpscope", {})
MAPPED = build_format(
    "shop",
    {
        "shop": FormatSettings.model_validate(
            {
                "fields": {
                    "ts": "time",
                    "status": {"path": "result.code", "values": {"OK": 200, "none": None}},
                    "latency_ms": {"path": "took", "unit": "s"},
                    "tenant": "who.0.team",
                    "prompt_tokens": {"path": "usage.in", "scale": 1000},
                    "attributes.shard": "shard",
                    "cache_hit": "hit",
                },
                "unmapped": "attributes",
            }
        )
    },
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), texts)
json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
mapped_names = st.sampled_from(["time", "result", "took", "who", "usage", "shard", "hit", "result.code", "other"])
odd_records = st.dictionaries(st.sampled_from(RECORD_SCHEMA.names) | mapped_names | texts, json_values, max_size=6)
odd_bytes = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS) if _fits(value) else b"{"),
    odd_records.map(lambda value: orjson.dumps(record(**value)) if _fits(value) else b"{"),
)

good_records = st.fixed_dictionaries(
    {"ts": st.integers(1, 2**32 - 1).map(lambda seconds: seconds * 1000 + 10**11 if seconds < 4 * 10**9 else seconds)},
    optional={
        **dict.fromkeys((*TEXTS, *(set(DIMENSIONS) - {"kind", "route"})), texts),
        "kind": st.sampled_from(sorted({*KINDS, ""})),
        "route": st.from_regex(r"/[a-z/{}]{0,20}", fullmatch=True),
        "status": st.none() | st.integers(100, 999),
        **dict.fromkeys(LATENCIES, st.none() | st.floats(0, 1e9, width=32)),
        **dict.fromkeys(BYTES, st.none() | st.integers(0, 2**64 - 1)),
        **dict.fromkeys(TOKENS, st.none() | st.integers(0, 2**32 - 1)),
        "cost_usd": st.none() | st.floats(0, 1e6),
        **dict.fromkeys(FLAGS, st.none() | st.booleans()),
        "retries": st.none() | st.integers(0, 255),
        "prompt_hash": st.integers(0, 2**64 - 1),
        "attributes": st.dictionaries(
            st.from_regex(r"[a-z]{3,8}_(id|zone|size)", fullmatch=True).filter(lambda key: "session" not in key),
            texts.filter(bool),
        ),
    },
)


@given(st.lists(odd_bytes, max_size=6))
@settings(max_examples=100, deadline=None)
def test_no_bytes_crash_the_native_format_and_each_index_counts_once(values: list[bytes]) -> None:
    _each_once(NATIVE.decode(values), len(values))


@given(st.lists(odd_bytes, max_size=6))
@settings(max_examples=100, deadline=None)
def test_no_bytes_crash_a_mapping_and_each_index_counts_once(values: list[bytes]) -> None:
    _each_once(MAPPED.decode(values), len(values))


@given(st.lists(st.dictionaries(st.sampled_from([*RECORD_SCHEMA.names, "time", "took", "x"]), st.one_of(
    scalars, st.text(max_size=5), st.binary(max_size=5), st.datetimes(), st.decimals(), st.lists(scalars, max_size=2)
), max_size=5), max_size=4))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_no_object_crashes_a_format(objects: list[dict[str, Any]]) -> None:
    _each_once(NATIVE.decode_objects(objects), len(objects))
    _each_once(MAPPED.decode_objects(objects), len(objects))


@given(st.lists(good_records, max_size=5))
@settings(max_examples=100, deadline=None)
def test_an_accepted_record_round_trips(records: list[dict[str, Any]]) -> None:
    decoded = NATIVE.decode([orjson.dumps(one) for one in records])
    assert decoded.rejects == ()
    rows = decoded.rows.to_pylist(maps_as_pydicts="strict")
    for given_record, row in zip(records, rows, strict=True):
        for name, value in given_record.items():
            if name != "ts":
                assert row[name] == (value if value is not None else None), name
    again = NATIVE.decode([orjson.dumps(row) for row in rows])
    assert again.rejects == ()
    assert again.rows == decoded.rows


@given(st.lists(good_records | odd_records.map(lambda value: {"ts": 1_700_000_000, **value}), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_record_is_read_the_same_alone_and_among_others(records: list[dict[str, Any]]) -> None:
    values = [orjson.dumps(one) if _fits(one) else b"{" for one in records]
    for format_ in (NATIVE, MAPPED):
        _same_alone(format_, values)


def _same_alone(format_: Format, values: list[bytes]) -> None:
    together = format_.decode(values)
    reasons = {reject.index: (reject.reason, reject.detail) for reject in together.rejects}
    places = together.valid.tolist()
    for index, value in enumerate(values):
        alone = format_.decode([value])
        if index in reasons:
            assert [(reject.reason, reject.detail) for reject in alone.rejects] == [reasons[index]]
        else:
            assert alone.rows == together.rows.slice(places.index(index), 1)


def _each_once(decoded: Decoded, records: int) -> None:
    places = decoded.valid.tolist()
    rejected = [reject.index for reject in decoded.rejects]
    assert sorted(places + rejected) == list(range(records))
    assert places == sorted(places)
    assert rejected == sorted(rejected)
    assert decoded.rows.num_rows == len(places)
    assert decoded.rows.schema == RECORD_SCHEMA
    decoded.rows.validate(full=True)
    for name in RECORD_SCHEMA.names:
        assert RECORD_SCHEMA.field(name).nullable or decoded.rows.column(name).null_count == 0


def _fits(value: Any) -> bool:
    """Whether JSON can hold it."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
