"""The tpscope format: what it accepts, what it calls unknown, what it rejects and why."""

from typing import Any

import orjson
import pytest

from core.errors import ConfigError
from core.record import RECORD_SCHEMA
from ingest.formats import Decoded, build_format
from tests.unit.ingest.builders import NOON, encoded, record

FORMAT = build_format("tpscope", {})


def decode(**changes: Any) -> Decoded:
    return FORMAT.decode(encoded(record(**changes)))


def value_of(column: str, given: Any) -> Any:
    """What the column holds for a record with that value; the record must be accepted."""
    decoded = decode(**{column: given})
    assert not decoded.rejects
    return decoded.rows.column(column)[0].as_py()


def detail_of(column: str, given: Any) -> str:
    """Why a record with that value is rejected."""
    decoded = decode(**{column: given})
    assert decoded.rows.num_rows == 0
    (reject,) = decoded.rejects
    assert reject.reason == ("bad_ts" if column == "ts" else "bad_value")
    return reject.detail


def test_a_complete_record_keeps_every_value() -> None:
    decoded = decode()
    assert decoded.rows.schema == RECORD_SCHEMA
    (row,) = decoded.rows.to_pylist(maps_as_pydicts="strict")
    assert row == record(ts=NOON)
    assert decoded.valid.tolist() == [0]


def test_only_ts_is_required_and_the_rest_is_unknown() -> None:
    decoded = FORMAT.decode([b'{"ts": "2025-03-01T12:00:00Z"}'])
    (row,) = decoded.rows.to_pylist(maps_as_pydicts="strict")
    assert row.pop("ts") == NOON
    assert row.pop("attributes") == {}
    assert row.pop("prompt_hash") == 0
    for name, value in row.items():
        assert value == (None if RECORD_SCHEMA.field(name).nullable else ""), name


def test_null_is_unknown_in_every_column_but_ts() -> None:
    nothing = FORMAT.decode([b'{"ts": "2025-03-01T12:00:00Z"}']).rows
    nulls = dict.fromkeys(RECORD_SCHEMA.names[1:])
    assert FORMAT.decode(encoded({"ts": "2025-03-01T12:00:00Z", **nulls})).rows == nothing
    assert "every record needs one" in detail_of("ts", None)


@pytest.mark.parametrize(
    ("column", "given", "kept"),
    [
        ("status", 200, 200),
        ("status", "503", 503),
        ("status", 429.0, 429),
        ("status", 0, None),  # proxies log 0 when there was no answer
        ("status", "0", None),
        ("status", "-", None),
        ("status", "", None),
        ("latency_ms", 12, 12.0),
        ("latency_ms", "12.5", 12.5),
        ("latency_ms", " 12.5 ", 12.5),
        ("latency_ms", "1e3", 1000.0),
        ("latency_ms", 0, 0.0),
        ("bytes_in", 2**64 - 1, 2**64 - 1),
        ("bytes_in", str(2**64 - 1), 2**64 - 1),
        ("bytes_out", 2**53 + 1, 2**53 + 1),
        ("prompt_tokens", 12.0, 12),
        ("prompt_tokens", "12.0", 12),
        ("prompt_tokens", 2**32 - 1, 2**32 - 1),
        ("cost_usd", "0.000001", 0.000001),
        ("retries", 255, 255),
        ("cache_hit", True, True),
        ("cache_hit", 1, True),
        ("cache_hit", 0, False),
        ("cache_hit", "true", True),
        ("cache_hit", "False", False),
        ("cache_hit", "no", False),
        ("cache_hit", "", None),
        ("stream", "0", False),
        ("tenant", 42, "42"),
        ("tenant", True, "true"),
        ("tenant", "é" * 600, "é" * 512),
        ("kind", "LLM", "llm"),
        ("kind", "", ""),
        ("route", "/v1/search?key=sk-1&q=x", "/v1/search"),
        ("prompt_hash", 0, 0),
        ("prompt_hash", "17", 17),
        ("prompt_hash", 2**64 - 1, 2**64 - 1),
        ("prompt_hash", "", 0),
        ("attributes", '{"a": 1}', {"a": "1"}),
    ],
)
def test_accepted_values(column: str, given: Any, kept: Any) -> None:
    found = value_of(column, given)
    assert (dict(found) if column == "attributes" else found) == kept


@pytest.mark.parametrize(
    ("column", "given", "says"),
    [
        ("status", 99, "99 is not in 100 to 999"),
        ("status", 1000, "not in 100 to 999"),
        ("status", -1, "not in 100 to 999"),
        ("status", 200.5, "no whole number"),
        ("status", "OK", "'OK' is no number"),
        ("status", True, "True is no number"),
        ("status", [200], "[200] is no number"),
        ("latency_ms", -0.5, "not in 0 to 1e+10"),
        ("latency_ms", 1e11, "not in 0 to 1e+10"),
        ("latency_ms", "NaN", "no number"),
        ("latency_ms", "0x10", "no number"),
        ("latency_ms", "1e999", "is not finite"),
        ("bytes_in", -1, "not in"),
        ("bytes_in", 1e20, "not in"),
        ("prompt_tokens", 2**32, "not in"),
        ("prompt_tokens", "12.5", "no whole number"),
        ("cost_usd", -0.01, "not in 0 to 1e+09"),
        ("retries", 256, "not in 0 to 255"),
        ("cache_hit", 2, "neither true nor false"),
        ("cache_hit", "maybe", "neither true nor false"),
        ("tenant", {"id": 1}, "is no text"),
        ("tenant", ["a"], "is no text"),
        ("kind", "grpc", "'grpc' is none of ai, api, batch, llm, queue"),
        ("prompt_hash", -1, "not in 0 to"),
        ("prompt_hash", 1.5, "no whole number"),
        ("attributes", [1], "is no object"),
        ("attributes", "text", "is no object"),
        ("ts", "yesterday", "neither RFC 3339 nor a number"),
        ("ts", True, "neither RFC 3339 nor a number"),
        ("ts", -1, "outside 1970 to 2106"),
        ("ts", "2106-02-07T06:28:16Z", "outside 1970 to 2106"),
        ("ts", "2025-02-30T00:00:00Z", "is no time"),
    ],
)
def test_a_bad_value_in_a_known_column_rejects_the_record_and_names_it(column: str, given: Any, says: str) -> None:
    detail = detail_of(column, given)
    assert detail.startswith(f"{column}: ")
    assert says in detail


def test_a_long_bad_value_is_cut_in_the_detail() -> None:
    assert len(detail_of("status", "x" * 10_000)) < 200


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'{"ts": NaN}', "not_json"),
        (b'{"ts": "\\ud800"}', "not_json"),
        (b"[" * 3000, "not_json"),
        (b"[]", "not_object"),
        (b"null", "not_object"),
        (b'"text"', "not_object"),
        (b"17", "not_object"),
        (b"{}", "bad_ts"),
    ],
)
def test_what_is_no_record(value: bytes, reason: str) -> None:
    decoded = FORMAT.decode([value])
    assert [reject.reason for reject in decoded.rejects] == [reason]
    assert decoded.rows.num_rows == 0


def test_good_and_bad_records_of_a_batch_keep_their_places() -> None:
    values = encoded(record(request_id="a"), record(status="x"), record(request_id="b"), [1], record(ts=None, status="x"))
    values.insert(1, b"{broken")
    decoded = FORMAT.decode(values)
    assert decoded.valid.tolist() == [0, 3]
    assert decoded.rows.column("request_id").to_pylist() == ["a", "b"]
    found = [(reject.index, reject.reason) for reject in decoded.rejects]
    assert found == [(1, "not_json"), (2, "bad_value"), (4, "not_object"), (5, "bad_ts")]


def test_places_hold_across_the_blocks_of_a_large_batch() -> None:
    values = encoded(*(record(request_id=str(number), status="x" if number % 1000 == 999 else 200) for number in range(6000)))
    decoded = FORMAT.decode(values)
    assert [reject.index for reject in decoded.rejects] == [999, 1999, 2999, 3999, 4999, 5999]
    assert decoded.rows.column("request_id").to_pylist() == [str(number) for number in decoded.valid.tolist()]
    assert decoded.rows.num_rows == 5994


def test_one_odd_value_does_not_change_how_the_others_are_read() -> None:
    clean = [record(status=status, latency_ms=float(status), bytes_in=status) for status in (200, 404, 503)]
    odd = record(status="201", latency_ms="7", bytes_in="9", cache_hit=1, tenant=5, prompt_hash="3", ts=NOON.timestamp())
    both = FORMAT.decode(encoded(*clean, odd)).rows
    assert both.slice(0, 3) == FORMAT.decode(encoded(*clean)).rows
    assert both.slice(3) == FORMAT.decode(encoded(odd)).rows


def test_large_whole_latencies_are_kept_beside_odd_ones() -> None:
    decoded = FORMAT.decode(encoded(record(latency_ms=2**24 + 1), record(latency_ms=2**53 + 1), record(latency_ms="-")))
    assert decoded.rows.column("latency_ms").to_pylist() == [2.0**24, None]
    assert [reject.index for reject in decoded.rejects] == [1]


def test_unknown_fields_become_attributes_as_texts() -> None:
    decoded = decode(attributes={"kept": "x"}, team_size=7, beta=True, note="hi", nested={"a": [1, {"b": None}]}, gone=None)
    assert dict(decoded.rows.column("attributes")[0].as_py()) == {
        "kept": "x",
        "team_size": "7",
        "beta": "true",
        "note": "hi",
        "nested": '{"a":[1,{"b":null}]}',
    }


def test_flat_names_of_attributes_lose_their_prefix() -> None:
    decoded = FORMAT.decode_objects([{"ts": "2025-03-01T12:00:00Z", "attributes.zone": "b"}])
    assert dict(decoded.rows.column("attributes")[0].as_py()) == {"zone": "b"}


def test_the_same_text_gives_the_same_prompt_hash() -> None:
    first, again, other = (value_of("prompt_hash", text) for text in ("a3f9c0", "a3f9c0", "a3f9c1"))
    assert first == again != other
    assert first != 0


def test_objects_may_hold_what_tables_hold() -> None:
    decoded = FORMAT.decode_objects([{"ts": NOON.replace(tzinfo=None), "tenant": b"blue", "latency_ms": 3}])
    assert decoded.rows.column("ts")[0].as_py() == NOON
    assert decoded.rows.column("tenant")[0].as_py() == "blue"


def test_an_empty_batch_is_an_empty_table() -> None:
    decoded = FORMAT.decode([])
    assert decoded.rows.schema == RECORD_SCHEMA
    assert (decoded.rows.num_rows, len(decoded.valid), decoded.rejects) == (0, 0, ())


def test_a_duplicated_key_counts_as_its_last_value() -> None:
    decoded = FORMAT.decode([b'{"ts": "2025-03-01T12:00:00Z", "status": 200, "status": 500}'])
    assert decoded.rows.column("status").to_pylist() == [500]


def test_an_unknown_format_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"'nope': is not known; choose from .*tpscope, or define"):
        build_format("nope", {})


def test_decoding_leaves_parsed_records_as_they_are() -> None:
    given = record(extra=1)
    before = orjson.dumps(given)
    FORMAT.decode_objects([given])
    assert orjson.dumps(given) == before
