"""Envelopes of log shippers are opened first, whatever the format; what they know of the origin goes to the attributes."""

from typing import Any

import orjson
import pytest

from core.config import FormatSettings
from ingest.formats import Format, build_format
from tests.unit.ingest.builders import record
from tests.unit.ingest.formats.samples import lines_of

KUBERNETES = {"pod_name": "gw-1", "namespace_name": "edge", "container_name": "kong", "host": "node-7", "labels": {"app": "x"}}


def envelopes(inner: bytes) -> dict[str, dict[str, Any]]:
    """What each shipper makes of a line, as its documentation shows it."""
    text, parsed = inner.decode(), orjson.loads(inner)
    return {
        "Fluent Bit, text": {"@timestamp": 1740830401.25, "log": text + "\n", "stream": "stdout", "kubernetes": KUBERNETES},
        "Fluent Bit, merged under a key": {"date": 1740830401.25, "log": text, "log_processed": parsed},
        "Fluent Bit, object": {"@timestamp": "2025-03-01T12:00:01.000Z", "message": parsed, "hostname": "node-7"},
        "Fluent Bit, container's prefix": {"date": 1740830401.25, "log": f"2025-03-01T12:00:01.1Z stdout F {text}"},
        "Docker": {"log": text + "\n", "stream": "stdout", "time": "2025-03-01T12:00:01.1Z"},
        "Vector": {"file": "/var/log/gw.log", "host": "node-7", "message": text, "source_type": "file",
                   "timestamp": "2025-03-01T12:00:01.1Z"},
        "Filebeat": {"@timestamp": "2025-03-01T12:00:01.1Z", "@metadata": {"beat": "filebeat", "type": "_doc"},
                     "message": text, "host": {"name": "node-7"}, "agent": {"type": "filebeat", "hostname": "node-7"},
                     "log": {"offset": 17, "file": {"path": "/var/log/gw.log"}}, "fields": {"site": "fra"},
                     "input": {"type": "filestream"}, "ecs": {"version": "8.0.0"}},
        "Filebeat, json": {"@timestamp": "2025-03-01T12:00:01.1Z", "json": parsed, "host": {"name": "node-7"},
                           "log": {"offset": 17, "file": {"path": "/var/log/gw.log"}}},
        "Logstash": {"@timestamp": "2025-03-01T12:00:01.1Z", "@version": "1", "message": text, "host": "node-7"},
        "Logstash, ECS": {"@timestamp": "2025-03-01T12:00:01.1Z", "@version": "1", "event": {"original": text},
                          "host": {"hostname": "node-7"}, "log": {"file": {"path": "/var/log/gw.log"}, "offset": 1}},
        "one in another": {"message": orjson.dumps({"log": text, "stream": "stdout"}).decode(), "host": "node-7"},
    }  # fmt: skip


SHIPPERS = tuple(envelopes(b"{}"))


@pytest.mark.parametrize("shipper", SHIPPERS)
@pytest.mark.parametrize("name", ["tpscope", "otel", "litellm", "kong", "apipark", "envoy", "nginx"])
def test_an_envelope_is_opened_whatever_the_format(name: str, shipper: str) -> None:
    inner = orjson.dumps(record()) if name == "tpscope" else lines_of(name)[0]
    wrapped = orjson.dumps(envelopes(inner)[shipper])
    bare = build_format(name, {}).decode([inner])
    columns = [one for one in bare.rows.schema.names if one != "attributes"]
    for format_ in (build_format(name, {}), build_format("auto", {})):
        for values, places in (([wrapped], [0]), ([inner, wrapped, inner], [0, 1, 2])):
            decoded = format_.decode(values)
            assert decoded.rejects == ()
            assert sorted(set(decoded.valid.tolist())) == places
            rows = decoded.rows.select(columns).to_pylist()
            assert rows == bare.rows.select(columns).to_pylist() * len(values)


def attributes(shipper: str) -> dict[str, str]:
    decoded = build_format("tpscope", {}).decode([orjson.dumps(envelopes(orjson.dumps(record()))[shipper])])
    return dict(decoded.rows.column("attributes")[0].as_py())


def test_what_the_envelope_knows_goes_to_the_attributes() -> None:
    assert attributes("Fluent Bit, text") == {
        "region_hint": "fra", "envelope.host": "node-7", "envelope.namespace": "edge", "envelope.pod": "gw-1",
        "envelope.container": "kong",
    }  # fmt: skip
    assert attributes("Vector") == {
        "region_hint": "fra", "envelope.host": "node-7", "envelope.file": "/var/log/gw.log", "envelope.source_type": "file",
    }  # fmt: skip
    assert attributes("Filebeat") == {
        "region_hint": "fra", "envelope.host": "node-7", "envelope.file": "/var/log/gw.log", "envelope.site": "fra",
    }  # fmt: skip


def mapping(**fields: Any) -> Format:
    return build_format("shop", {"shop": FormatSettings.model_validate({"fields": fields})})


def test_a_mapping_may_read_what_the_envelope_knows() -> None:
    format_ = mapping(ts="envelope.timestamp", status="code", region="envelope.site", gateway="envelope.host")
    given = envelopes(b'{"code":204}')["Filebeat"]
    row = format_.decode([orjson.dumps(given)]).rows.to_pylist()[0]
    assert (row["ts"].isoformat(), row["status"], row["region"], row["gateway"]) == (
        "2025-03-01T12:00:01.100000+00:00", 204, "fra", "node-7",
    )  # fmt: skip


def test_a_mapping_that_reads_the_envelope_itself_is_left_alone() -> None:
    given = {
        "@timestamp": "2025-03-01T12:00:01Z",
        "message": {"code": 204, "@timestamp": "2020-01-01T00:00:00Z"},
        "site": "fra",
    }
    row = mapping(ts="@timestamp", status="message.code").decode([orjson.dumps(given)]).rows.to_pylist()[0]
    assert (row["ts"].year, row["status"]) == (2025, 204)
    row = mapping(ts="@timestamp", region="site").decode([orjson.dumps(given)]).rows.to_pylist()[0]
    assert (row["ts"].year, row["region"]) == (2025, "fra")


def test_a_mapping_with_a_constant_time_opens_envelopes_too() -> None:
    format_ = mapping(ts={"const": 86_400, "unit": "s"}, status="code")
    decoded = format_.decode([orjson.dumps({"message": '{"code":204}'}), b'{"message":"plain"}'])
    assert decoded.rows.column("status").to_pylist() == [204, None]
    assert [one.isoformat() for one in decoded.rows.column("ts").to_pylist()] == ["1970-01-02T00:00:00+00:00"] * 2


@pytest.mark.parametrize("message", ["", "plain text", "{broken", "[1]", "7", None, {}, [], 5, "{}", '{"a":'])
def test_what_is_no_envelope_is_rejected_as_it_is(message: Any) -> None:
    decoded = build_format("tpscope", {}).decode([orjson.dumps({"message": message, "host": "node-7"})])
    assert [one.reason for one in decoded.rejects] == ["bad_ts"]
    assert [one.reason for one in build_format("auto", {}).decode([orjson.dumps({"message": message})]).rejects] == [
        "unknown_format"
    ]


def test_a_record_with_its_own_time_keeps_its_message_out() -> None:
    """`message` of tpscope's own record is content, which is never kept, and no envelope."""
    decoded = build_format("tpscope", {}).decode([orjson.dumps({"ts": 1740830400, "message": '{"ts":1,"status":500}'})])
    assert decoded.rows.column("status").to_pylist() == [None]
    assert dict(decoded.rows.column("attributes")[0].as_py()) == {}
