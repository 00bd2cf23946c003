"""Alternatives, templates, differences of times and conditions of a mapping: a table of cases, and what is refused."""

from typing import Any

import pytest

from core.config import FormatSettings
from core.errors import ConfigError
from ingest.formats import Format, build_format
from tests.unit.ingest.builders import encoded

TS = "2025-03-01T12:00:00Z"


def mapping(fields: dict[str, Any], **rest: Any) -> Format:
    return build_format("shop", {"shop": FormatSettings.model_validate({"fields": {"ts": "t", **fields}, **rest})})


CASES = [
    ("the first path with a value", "tenant", {"paths": ["a", "b"]}, {"a": "x", "b": "y"}, "x"),
    ("an empty text and a dash are none", "tenant", {"paths": ["a", "b", "c"]}, {"a": "", "b": "-", "c": "y"}, "y"),
    ("a zero is one", "bytes_in", {"paths": ["a", "b"]}, {"a": 0, "b": 5}, 0),
    ("none has one", "tenant", {"paths": ["a", "b"]}, {}, ""),
    ("any key", "model", {"path": "ai.*.meta.model"}, {"ai": {"payload": {}, "x": {"meta": {"model": "m"}}}}, "m"),
    ("any item", "model", {"path": "tries.*.model"}, {"tries": [{}, {"model": "m"}]}, "m"),
    ("no item of that number", "model", {"path": "tries.99999999999.model"}, {"tries": [{"model": "m"}]}, ""),
    ("each with its unit", "latency_ms", {"first": [{"path": "ms"}, {"path": "s", "unit": "s"}]}, {"s": "0.25"}, 250.0),
    ("the earlier source counts", "latency_ms", {"first": ["ms", {"path": "s", "unit": "s"}]}, {"s": 9, "ms": 7}, 7.0),
    ("a scale among others", "bytes_in", {"first": ["b", {"path": "kib", "scale": 1024}]}, {"kib": 2}, 2048),
    ("a template", "route", {"template": "{service.name}.{route}"}, {"service": {"name": "a"}, "route": "b"}, "a.b"),
    ("a template of numbers and text", "route", {"template": "v{n}/x"}, {"n": 7}, "v7/x"),
    ("a template with a part unknown", "route", {"template": "{a}.{b}"}, {"a": "x"}, ""),
    ("a template with an object", "route", {"template": "{a}"}, {"a": {"b": 1}}, ""),
    ("a default", "kind", {"path": "k", "default": "api"}, {}, "api"),
    ("a default in the column's unit", "latency_ms", {"path": "s", "unit": "s", "default": 5}, {}, 5.0),
    ("a value beside a default", "latency_ms", {"path": "s", "unit": "s", "default": 5}, {"s": 1}, 1000.0),
    ("whatever is there", "kind", {"path": "ai", "present": "llm", "default": "api"}, {"ai": {"x": 1}}, "llm"),
    ("whatever is not there", "kind", {"path": "ai", "present": "llm", "default": "api"}, {"ai": None}, "api"),
    ("two times", "latency_ms", {"path": "end", "since": "start"}, {"start": TS, "end": "2025-03-01T12:00:01.0005Z"}, 1000.5),
    ("two numbers of ns", "latency_ms", {"path": "end", "since": "start"},
     {"start": "1740830400000000001", "end": "1740830400000500001"}, 0.5),
    ("two numbers of s", "latency_ms", {"path": "end", "since": "start"}, {"start": 1740830400.25, "end": 1740830400.5},
     250.0),
    ("a time that went back", "latency_ms", {"path": "end", "since": "start"}, {"start": TS, "end": 1740830000}, None),
    ("one time only", "latency_ms", {"path": "end", "since": "start"}, {"end": TS}, None),
    ("no time", "latency_ms", {"path": "end", "since": "start"}, {"start": "x", "end": TS}, None),
    ("only if", "ttft_ms", {"path": "first", "only_if": "stream"}, {"first": 5, "stream": True}, 5.0),
    ("only if not", "ttft_ms", {"path": "first", "only_if": "stream"}, {"first": 5, "stream": "false"}, None),
    ("a conversion before a table", "error_type", {"path": "f", "convert": "first", "values": {"UF": "gone"}}, {"f": "UF,UR"},
     "gone"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "field", "given", "kept"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_source(column: str, field: Any, given: dict[str, Any], kept: Any) -> None:
    decoded = mapping({column: field}).decode(encoded({"t": TS}, {"t": TS, **given}, {"t": TS}))
    assert decoded.rejects == ()
    assert decoded.rows.column(column)[1].as_py() == pytest.approx(kept)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ({"path": "end", "minus": "took"}, {"end": "2025-03-01T12:00:02.5Z", "took": 2500}),
        ({"path": "end", "minus": "took", "minus_unit": "s"}, {"end": 1740830402.5, "took": "2.5"}),
        ({"path": "end", "minus": "took", "minus_unit": "s"}, {"end": "2025-03-01T12:00:00Z", "took": "-"}),
        ({"path": "end", "minus": "took"}, {"end": "2025-03-01T12:00:00Z", "took": "odd"}),
        ({"path": "end", "minus": "took"}, {"end": "2025-03-01T12:00:00Z", "took": -5}),
        ({"first": ["a", {"path": "b", "time_format": "%d/%b/%Y:%H:%M:%S %z"}]}, {"b": "01/Mar/2025:13:00:00 +0100"}),
        ({"first": [{"path": "a", "unit": "s"}, {"path": "b", "unit": "ns"}]}, {"b": 1740830400 * 10**9}),
    ],
)
def test_the_start_of_a_call(field: Any, given: dict[str, Any]) -> None:
    decoded = mapping({"ts": field}).decode(encoded(given))
    assert [one.isoformat() for one in decoded.rows.column("ts").to_pylist()] == ["2025-03-01T12:00:00+00:00"]


def test_a_time_near_1970_is_not_taken_for_another_unit() -> None:
    decoded = mapping({"ts": {"path": "end", "minus": "took"}}).decode(encoded({"end": "1970-01-02T00:00:00Z", "took": 1}))
    assert [one.isoformat() for one in decoded.rows.column("ts").to_pylist()] == ["1970-01-01T23:59:59.999000+00:00"]


@pytest.mark.parametrize("end", ["yesterday", 10**15, None, "", {"a": 1}])
def test_a_time_that_its_unit_forbids_is_no_time(end: Any) -> None:
    decoded = mapping({"ts": {"path": "end", "unit": "s", "minus": "took"}}).decode(encoded({"end": end}))
    assert [one.reason for one in decoded.rejects] == ["bad_ts"]


def test_what_is_never_kept() -> None:
    rows = mapping({}, unmapped="attributes", never=["args"]).decode(encoded({"t": TS, "args": "x=1", "zone": "b"})).rows
    assert dict(rows.column("attributes")[0].as_py()) == {"zone": "b"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tenant": {"path": "a", "since": "b"}}, "since is for latencies"),
        ({"latency_ms": {"path": "a", "minus": "b"}}, "minus is for ts"),
        ({"route": {"template": "fixed"}}, "template 'fixed' has no path in braces"),
        ({"route": {"template": "{a..b}"}}, "path 'a..b' has an empty part"),
        ({"tenant": {"first": ["a", {"path": "b", "unit": "s"}]}}, "unit is for ts and latencies"),
        ({"tenant": {"paths": ["a", "headers.authorization"]}}, "looks like a credential"),
        ({"tenant": {"template": "{a}-{headers.cookie}"}}, "looks like a credential"),
        ({"status": {"path": "s", "default": "up"}}, "the default cannot be used: status: 'up' is no number"),
        ({"kind": {"path": "s", "present": "web"}}, "the value of `present` cannot be used"),
    ],
)
def test_a_source_that_cannot_be_used_is_a_configuration_error(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mapping(fields)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", [{}, {"path": "a", "paths": ["b"]}, {"const": 1, "template": "{a}"}, {"first": []}])
def test_exactly_one_source_is_given(field: Any) -> None:
    with pytest.raises(ValueError, match="exactly one of path, paths, first, template or const must be given"):
        FormatSettings.model_validate({"fields": {"ts": "t", "tenant": field}})
