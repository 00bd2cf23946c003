"""One message holds many calls: all of them under the message's place, or none."""

from typing import Any

import orjson

from ingest.batch import Batch, Partition, Slice
from ingest.formats import build_format
from ingest.writer import prepare
from tests.unit.ingest.formats.samples import lines_of

OTEL = build_format("otel", {})
SECOND = 1_740_830_400_000_000_000


def log_record(**attributes: Any) -> dict[str, Any]:
    pairs = [{"key": key.replace("__", "."), "value": value} for key, value in attributes.items()]
    return {"timeUnixNano": str(SECOND), "attributes": pairs}


def call(status: Any = "200") -> dict[str, Any]:
    return log_record(http__response__status_code={"intValue": status}, http__request__method={"stringValue": "GET"})


def logs(*records: Any) -> bytes:
    return orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]})


def spans(*found: dict[str, Any]) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(found)}]}]})


def test_the_calls_of_a_message_share_its_place() -> None:
    decoded = OTEL.decode([logs(call(), call("404")), b"{", logs(call("500"))])
    assert decoded.valid.tolist() == [0, 0, 2]
    assert decoded.rows.column("status").to_pylist() == [200, 404, 500]
    assert [(one.index, one.reason) for one in decoded.rejects] == [(1, "not_json")]


def test_a_message_with_one_bad_call_is_rejected_as_a_whole() -> None:
    decoded = OTEL.decode([logs(call(), call("up"), call("down")), logs(call())])
    assert decoded.valid.tolist() == [1]
    (reject,) = decoded.rejects
    assert (reject.index, reject.reason) == (0, "bad_value")
    assert reject.detail == "call 2 of 3: status: 'up' is no number"


def test_a_message_without_calls_says_so() -> None:
    application_log = {"timeUnixNano": str(SECOND), "body": {"stringValue": "started"}}
    metrics = orjson.dumps({"resourceMetrics": []})
    decoded = OTEL.decode([logs(application_log), metrics, logs(), b"{}"])
    assert [one.reason for one in decoded.rejects] == ["no_calls"] * 4
    assert decoded.rows.num_rows == 0


def test_many_messages_are_read_in_blocks_and_in_order() -> None:
    decoded = OTEL.decode([logs(*[call(str(200 + place % 100))] * (1 + place % 3)) for place in range(700)])
    assert decoded.valid.tolist() == [place for place in range(700) for _ in range(1 + place % 3)]
    assert decoded.rows.column("status").to_pylist() == [
        200 + place % 100 for place in range(700) for _ in range(1 + place % 3)
    ]


def test_a_batch_gives_every_call_its_messages_coordinates() -> None:
    values = [logs(call(), call("404")), b"{", logs(call("500"))]
    batch = Batch(slices=(Slice(partition=Partition("otlp", 3), offsets=[7, 9, 12], values=values),))
    prepared = prepare(batch, OTEL)
    assert prepared.rows.column("offset").to_pylist() == [7, 7, 12]
    assert prepared.rows.column("partition").to_pylist() == [3, 3, 3]
    assert [one.index for one in prepared.rejects] == [1]


def test_values_of_every_kind_and_spelling() -> None:
    record = log_record(
        http__route={"string_value": "/a"},
        http__response__status_code={"doubleValue": 204.0},
        flag={"boolValue": True},
        many={"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": 3}]}},
        blob={"bytesValue": "AAEC"},
        nothing={},
    )
    text = orjson.dumps({"resource_logs": [{"scope_logs": [{"log_records": [record | {"time_unix_nano": SECOND}]}]}]})
    decoded = OTEL.decode([text])
    assert decoded.rejects == ()
    assert decoded.rows.column("route").to_pylist() == ["/a"]
    assert decoded.rows.column("status").to_pylist() == [204]
    assert dict(decoded.rows.column("attributes")[0].as_py()) == {"flag": "true"}


def test_a_body_that_is_json_is_read() -> None:
    body = {"stringValue": '{"http.method":"GET","http.status_code":502,"http.url":"https://h/a/b?token=x"}'}
    decoded = OTEL.decode([logs({"timeUnixNano": SECOND, "body": body})])
    row = decoded.rows.to_pylist()[0]
    assert (row["method"], row["status"], row["route"]) == ("GET", 502, "/a/b")


def test_a_model_below_a_server_is_not_counted_twice_even_some_levels_down() -> None:
    def span(span_id: str, parent: str, kind: int, **attributes: Any) -> dict[str, Any]:
        one = log_record(**attributes)
        return one | {"traceId": "t", "spanId": span_id, "parentSpanId": parent, "kind": kind,
                      "startTimeUnixNano": SECOND, "endTimeUnixNano": SECOND + 5_000_000}  # fmt: skip

    model = {"gen_ai__provider__name": {"stringValue": "x"}, "gen_ai__request__model": {"stringValue": "m"}}
    server = span("a", "", 2, http__route={"stringValue": "/v1"}, http__response__status_code={"intValue": 200})
    first, second = span("b", "a", 3, **model), span("c", "b", 3, **model)
    alone = span("d", "elsewhere", 3, **model)
    tool = span("e", "a", 1, gen_ai__operation__name={"stringValue": "execute_tool"}, gen_ai__system={"stringValue": "x"})
    decoded = OTEL.decode([spans(second, server, first, alone, tool)])
    assert decoded.rows.select(["route", "requested_model", "kind", "upstream_ms"]).to_pylist() == [
        {"route": "/v1", "requested_model": "m", "kind": "llm", "upstream_ms": 5.0},
        {"route": "", "requested_model": "m", "kind": "llm", "upstream_ms": None},
    ]


def test_spans_that_point_at_each_other_end() -> None:
    found = [
        {"traceId": "t", "spanId": one, "parentSpanId": other, "kind": 3, "startTimeUnixNano": SECOND,
         "endTimeUnixNano": SECOND, "attributes": [{"key": "gen_ai.system", "value": {"stringValue": "x"}}]}
        for one, other in (("a", "b"), ("b", "a"))
    ]  # fmt: skip
    assert OTEL.decode([spans(*found)]).valid.tolist() == [0, 0]


def test_a_message_whose_ids_are_no_texts_is_rejected() -> None:
    model = {"attributes": [{"key": "gen_ai.system", "value": {"stringValue": "x"}}]}
    times = {"startTimeUnixNano": SECOND, "endTimeUnixNano": SECOND}
    found = [{"traceId": odd, "spanId": "a", "parentSpanId": odd, "kind": 3, **times, **model} for odd in ([1, 2], {"a": 1})]
    assert [one.reason for one in OTEL.decode([spans(*found)]).rejects] == ["bad_value"]


def test_a_message_in_an_envelope() -> None:
    wrapped = orjson.dumps({"@timestamp": "2025-03-01T12:00:00Z", "message": lines_of("otel")[0].decode()})
    assert OTEL.decode([wrapped]).rows == OTEL.decode([lines_of("otel")[0]]).rows
