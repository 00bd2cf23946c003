"""Declared mappings: a table of cases, and what cannot be carried out."""

from typing import Any

import pytest

from core.config import FormatSettings
from core.errors import ConfigError
from core.record import RECORD_SCHEMA
from ingest.formats import Format, build_format
from tests.unit.ingest.builders import NOON, encoded

TS = "2025-03-01T12:00:00Z"


def mapping(fields: dict[str, Any], **rest: Any) -> Format:
    settings = FormatSettings.model_validate({"fields": {"ts": "t", **fields}, **rest})
    return build_format("shop", {"shop": settings})


CASES = [
    ("a top-level key", "tenant", "team", {"team": "blue"}, "blue"),
    ("a nested key", "tenant", "a.b.c", {"a": {"b": {"c": "blue"}}}, "blue"),
    ("an item of a list", "request_id", "choices.1.id", {"choices": [{"id": "x"}, {"id": "y"}]}, "y"),
    ("a key that is not there", "status", "a.b", {"a": {}}, None),
    ("a path through a scalar", "status", "a.b.c", {"a": {"b": 7}}, None),
    ("a list item that is not there", "tenant", "a.5", {"a": []}, ""),
    ("a key that holds dots", "status", "http.status", {"http.status": 404}, 404),
    ("a key that holds dots wins", "status", "http.status", {"http.status": 404, "http": {"status": 500}}, 404),
    ("null", "latency_ms", "took", {"took": None}, None),
    ("a constant", "kind", {"const": "llm"}, {}, "llm"),
    ("a constant number", "status", {"const": 200}, {}, 200),
    ("seconds", "latency_ms", {"path": "took", "unit": "s"}, {"took": 1.5}, 1500.0),
    ("seconds as a text", "latency_ms", {"path": "took", "unit": "s"}, {"took": "1.5"}, 1500.0),
    ("whole seconds", "latency_ms", {"path": "took", "unit": "s"}, {"took": 2}, 2000.0),
    ("microseconds", "upstream_ms", {"path": "took", "unit": "us"}, {"took": 1500}, 1.5),
    ("nanoseconds", "ttft_ms", {"path": "took", "unit": "ns"}, {"took": 2_500_000}, 2.5),
    ("milliseconds", "ttft_ms", {"path": "took", "unit": "ms"}, {"took": 7}, 7.0),
    ("a scale", "cost_usd", {"path": "microdollars", "scale": 1e-6}, {"microdollars": 1250}, 0.00125),
    ("a scale of a whole number", "bytes_in", {"path": "kib", "scale": 1024}, {"kib": 3}, 3072),
    ("a scale that needs rounding", "prompt_tokens", {"path": "k", "scale": 1000}, {"k": 0.3}, 300),
    ("unit and scale", "latency_ms", {"path": "took", "unit": "s", "scale": 0.5}, {"took": 3}, 1500.0),
    ("a translated text", "status", {"path": "state", "values": {"OK": 200, "BAD": 500}}, {"state": "BAD"}, 500),
    ("a translation to unknown", "status", {"path": "state", "values": {"WAIT": None}}, {"state": "WAIT"}, None),
    ("a translation to unknown text", "error_type", {"path": "state", "values": {"OK": None}}, {"state": "OK"}, ""),
    ("a value that is not listed is kept", "error_type", {"path": "state", "values": {"OK": None}}, {"state": "oom"}, "oom"),
    ("a translated number", "cache_hit", {"path": "c", "values": {"2": True, "3": False}}, {"c": 2}, True),
    ("a translated boolean", "method", {"path": "c", "values": {"true": "POST"}}, {"c": True}, "POST"),
    ("a translated text to a flag", "cache_hit", {"path": "x", "values": {"HIT": True, "MISS": False}}, {"x": "MISS"}, False),
    ("a hash", "prompt_hash", "digest", {"digest": "17"}, 17),
]  # fmt: skip


@pytest.mark.parametrize(("column", "field", "given", "kept"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_field(column: str, field: Any, given: dict[str, Any], kept: Any) -> None:
    format_ = mapping({column: field})
    decoded = format_.decode(encoded({"t": TS, **given}))
    assert decoded.rejects == ()
    assert decoded.rows.schema == RECORD_SCHEMA
    assert decoded.rows.column(column)[0].as_py() == pytest.approx(kept)
    # The same among records that lack it, and from a table's row.
    among = format_.decode_objects([{"t": TS}, {"t": TS, **given}, {"t": TS}])
    assert among.rejects == ()
    assert among.rows.column(column)[1] == decoded.rows.column(column)[0]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("t", TS),
        ("t", "1740830400"),
        ({"path": "t", "unit": "us"}, NOON.timestamp() * 1e6),
        ({"path": "t", "unit": "s"}, "1740830400"),
        ({"path": "t", "time_format": "%d.%m.%Y %H:%M:%S"}, "01.03.2025 12:00:00"),
        ({"path": "t", "time_format": "%d/%b/%Y:%H:%M:%S %z"}, "01/Mar/2025:13:00:00 +0100"),
    ],
)
def test_times(field: Any, given: Any) -> None:
    decoded = mapping({"ts": field}).decode(encoded({"t": given}))
    assert decoded.rows.column("ts").to_pylist() == [NOON]


def test_attributes_are_named_and_the_rest_is_dropped_by_default() -> None:
    format_ = mapping({"attributes.images": "params.n", "attributes.loras": "l", "attributes.site": {"const": "fra"}})
    rows = format_.decode(encoded({"t": TS, "params": {"n": 3}, "l": ["a", "b"], "rest": 1}, {"t": TS})).rows
    assert [dict(one) for one in rows.column("attributes").to_pylist()] == [
        {"images": "3", "loras": '["a","b"]', "site": "fra"},
        {"site": "fra"},
    ]


def test_unmapped_scalars_are_kept_when_wanted() -> None:
    format_ = mapping({"status": "code"}, unmapped="attributes")
    given = {"t": TS, "code": 200, "zone": "b", "n": 1, "nested": {"a": 1}, "api_key": "sk-1", "prompt": "hello", "none": None}
    rows = format_.decode(encoded(given, {"t": TS})).rows
    assert [dict(one) for one in rows.column("attributes").to_pylist()] == [{"zone": "b", "n": "1"}, {}]


def test_an_object_may_be_kept_as_the_attributes() -> None:
    rows = mapping({"attributes": "labels"}).decode(encoded({"t": TS, "labels": {"a": 1, "password": "x"}}, {"t": TS})).rows
    assert [dict(one) for one in rows.column("attributes").to_pylist()] == [{"a": "1"}, {}]


@pytest.mark.parametrize(
    ("fields", "given", "reason", "says"),
    [
        ({}, {}, "bad_ts", "ts: None is no time"),
        ({"status": "s"}, {"t": TS, "s": "WAIT"}, "bad_value", "status: 'WAIT' is no number"),
        ({"latency_ms": {"path": "l", "unit": "s"}}, {"t": TS, "l": 1e9}, "bad_value", "latency_ms: 1000000000.0 is not in"),
        ({"bytes_in": {"path": "b", "scale": 1024}}, {"t": TS, "b": -1}, "bad_value", "bytes_in: -1 is not in"),
        ({"tenant": "a"}, {"t": TS, "a": {"b": 1}}, "bad_value", 'tenant: {"b":1} is no text'),
        ({"ts": {"path": "t", "time_format": "%Y"}}, {"t": TS}, "bad_ts", "does not fit the time format '%Y'"),
    ],
)
def test_rejects(fields: dict[str, Any], given: dict[str, Any], reason: str, says: str) -> None:
    (reject,) = mapping(fields).decode(encoded(given)).rejects
    assert reject.reason == reason
    assert says in reject.detail


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tenant": {"path": "t", "unit": "s"}}, "formats.shop.fields.tenant: unit is for ts and latencies"),
        ({"bytes_in": {"path": "t", "unit": "s"}}, "unit is for ts and latencies; use scale"),
        ({"tenant": {"path": "t", "scale": 2}}, "scale is for columns of numbers"),
        ({"bytes_in": {"path": "t", "scale": 0}}, "scale must be above 0, not 0.0"),
        ({"tenant": {"path": "t", "time_format": "%Y"}}, "time_format is for ts"),
        ({"tenant": "a..b"}, "path 'a..b' has an empty part"),
        ({"attributes.": "a"}, "an attribute needs a name"),
        ({"attributes": {"const": "a"}}, "needs the path of an object"),
        ({"status": {"const": "up"}}, "the constant cannot be used: status: 'up' is no number"),
        ({"kind": {"const": "web"}}, "the constant cannot be used: kind: 'web' is none of"),
        ({"attributes.prompt": "a"}, "looks like a credential, a prompt or a body"),
        ({"attributes.question": "body.messages"}, "looks like a credential, a prompt or a body"),
        ({"tenant": "headers.authorization"}, "looks like a credential, a prompt or a body"),
        ({"account": "api_key"}, "looks like a credential, a prompt or a body"),
    ],
)
def test_a_mapping_that_cannot_be_carried_out_is_a_configuration_error(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mapping(fields)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_id_of_a_credential_and_an_error_message_may_be_mapped() -> None:
    format_ = mapping(
        {"account": "api_key_id", "attributes.error_message": "error.message", "attributes.prompt_length": "prompt.length"}
    )
    given = {"t": TS, "api_key_id": "key-7", "error": {"message": "overloaded"}, "prompt": {"length": 12}}
    rows = format_.decode(encoded(given)).rows
    assert rows.column("account").to_pylist() == ["key-7"]
    assert dict(rows.column("attributes")[0].as_py()) == {"error_message": "overloaded", "prompt_length": "12"}
