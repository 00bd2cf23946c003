"""OTLP/JSON laid flat: one message holds many log records or spans, and those that are calls become one flat object each.

A log record is a call when it has an attribute of the HTTP or GenAI conventions (or Envoy's `response_code`) and is not one of
the GenAI conventions' own events, which tell of parts of a call. A span is a call when it is a server's (`SPAN_KIND_SERVER`)
with HTTP attributes, or one of a GenAI operation that a model answers. A GenAI span below a server's span of the same message
is the way that call took upstream: it gives it its model, tokens and upstream time, and is not counted again.

Values are as the JSON mapping of Protocol Buffers writes them: 64-bit integers as texts or numbers, kinds by name or number.
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from collections.abc import Iterator
from typing import Any

import orjson

Flat = dict[str, Any]

_MARKS = frozenset({
    "http.request.method", "http.method", "http.response.status_code", "http.status_code", "http.route", "response_code",
})  # fmt: skip
_GEN_AI = frozenset({
    "gen_ai.request.model", "gen_ai.response.model", "gen_ai.provider.name", "gen_ai.system", "gen_ai.usage.input_tokens",
})  # fmt: skip
_NO_MODEL = frozenset({"execute_tool", "create_agent", "invoke_agent", "invoke_workflow", "retrieval"})
_CALL_EVENTS = frozenset({"gen_ai.client.inference.operation.details"})
_SERVER = frozenset({2, "2", "SPAN_KIND_SERVER"})
_FAILED = frozenset({2, "2", "STATUS_CODE_ERROR"})
_MAX_DEPTH = 6
_MAX_ANCESTORS = 32


def calls_of(message: Flat) -> list[Flat]:
    """The calls of a message, flat, in its order; none where it holds others' logs, metrics or nothing."""
    spans = [span for span in _spans(message) if _is_span_of_a_call(span)]
    return [record for record in _log_records(message) if _is_call(record)] + _folded(spans)


def _log_records(message: Flat) -> Iterator[Flat]:
    for shared, record in _leaves(message, ("resourceLogs", "resource_logs"), ("scopeLogs", "scope_logs"),
                                  ("logRecords", "log_records")):  # fmt: skip
        flat = shared | _body(record.get("body")) | _attributes(record.get("attributes"))
        flat["otlp.time"] = _moment(_of(record, "timeUnixNano", "time_unix_nano"))
        flat["otlp.observed"] = _moment(_of(record, "observedTimeUnixNano", "observed_time_unix_nano"))
        flat["otlp.trace_id"] = _of(record, "traceId", "trace_id")
        flat["otlp.span_id"] = _of(record, "spanId", "span_id")
        flat["otlp.event"] = _of(record, "eventName", "event_name") or flat.get("event.name")
        yield flat


def _spans(message: Flat) -> Iterator[Flat]:
    for shared, span in _leaves(
        message, ("resourceSpans", "resource_spans"), ("scopeSpans", "scope_spans"), ("spans", "spans")
    ):
        flat = shared | _attributes(span.get("attributes"))
        flat["otlp.start"] = _moment(_of(span, "startTimeUnixNano", "start_time_unix_nano"))
        flat["otlp.end"] = _moment(_of(span, "endTimeUnixNano", "end_time_unix_nano"))
        flat["otlp.trace_id"] = _of(span, "traceId", "trace_id")
        flat["otlp.span_id"] = _of(span, "spanId", "span_id")
        flat["otlp.parent_id"] = _of(span, "parentSpanId", "parent_span_id")
        flat["otlp.kind"] = span.get("kind")
        status = span.get("status")
        flat["otlp.error"] = "error" if isinstance(status, dict) and _among(status.get("code"), _FAILED) else None
        yield flat


def _leaves(message: Flat, *levels: tuple[str, str]) -> Iterator[tuple[Flat, Flat]]:
    """Records of a message, each with what its resource and scope say of it."""
    resources, scopes, records = levels
    for resource in _objects(_of(message, *resources)):
        told = resource.get("resource")
        shared = _attributes(told.get("attributes")) if isinstance(told, dict) else {}
        for scope in _objects(_of(resource, *scopes)):
            named = scope.get("scope")
            within = shared | (_attributes(named.get("attributes")) if isinstance(named, dict) else {})
            for record in _objects(_of(scope, *records)):
                yield within, record


def _is_call(record: Flat) -> bool:
    event = record["otlp.event"]
    if isinstance(event, str) and event.startswith("gen_ai.") and event not in _CALL_EVENTS:
        return False
    return _names_model(record) or not _MARKS.isdisjoint(record)


def _is_span_of_a_call(span: Flat) -> bool:
    return _names_model(span) or (_among(span["otlp.kind"], _SERVER) and not _MARKS.isdisjoint(span))


def _names_model(record: Flat) -> bool:
    """Whether a model answered; marks the record so, and says where that model is."""
    if _GEN_AI.isdisjoint(record) or _among(record.get("gen_ai.operation.name"), _NO_MODEL):
        return False
    record["otlp.gen_ai"] = True
    if not _among(record.get("otlp.kind"), _SERVER):
        record["otlp.upstream"] = record.get("server.address")
    return True


def _folded(spans: list[Flat]) -> list[Flat]:
    """The spans without those that are a part of another one, which take over what they know."""
    named = (span for span in spans if _is_text(span["otlp.trace_id"]) and _is_text(span["otlp.span_id"]))
    by_id = {(span["otlp.trace_id"], span["otlp.span_id"]): span for span in named}
    kept = []
    for span in spans:
        call = None if _among(span["otlp.kind"], _SERVER) else _served(span, by_id)
        if call is None:
            kept.append(span)
            continue
        call.update({key: value for key, value in span.items() if call.get(key) is None and not key.startswith("otlp.")})
        call["otlp.gen_ai"] = True
        call["otlp.upstream"] = span.get("otlp.upstream")
        call["otlp.upstream_start"], call["otlp.upstream_end"] = span["otlp.start"], span["otlp.end"]
    return kept


def _served(span: Flat, by_id: dict[tuple[Any, Any], Flat]) -> Flat | None:
    """The server's span above this one, if it is in the same message."""
    above: Flat | None = span
    for _ in range(_MAX_ANCESTORS):
        if above is None or not _is_text(above["otlp.parent_id"]) or not _is_text(above["otlp.trace_id"]):
            return None
        above = by_id.get((above["otlp.trace_id"], above["otlp.parent_id"]))
        if above is not None and _among(above["otlp.kind"], _SERVER):
            return above
    return None


def _body(value: Any) -> Flat:
    """The fields of a structured body; a text is kept only where it is a JSON object."""
    found = _value(value, _MAX_DEPTH)
    if isinstance(found, str) and found.lstrip()[:1] == "{":
        try:
            found = orjson.loads(found)
        except orjson.JSONDecodeError:
            return {}
    return found if isinstance(found, dict) else {}


def _attributes(pairs: Any) -> Flat:
    found: Flat = {}
    for pair in _objects(pairs):
        key = pair.get("key")
        if isinstance(key, str):
            value = _value(pair.get("value"), _MAX_DEPTH)
            # Headers are lists in the conventions, even of one.
            found[key] = value[0] if isinstance(value, list) and len(value) == 1 and key.startswith("http.re") else value
    return found


def _value(any_value: Any, depth: int) -> Any:
    if not isinstance(any_value, dict) or not depth:
        return None
    for kind in (
        "stringValue",
        "intValue",
        "doubleValue",
        "boolValue",
        "string_value",
        "int_value",
        "double_value",
        "bool_value",
    ):
        if kind in any_value:
            scalar = any_value[kind]
            return None if isinstance(scalar, dict | list) else scalar
    items = _of(any_value, "arrayValue", "array_value")
    if isinstance(items, dict):
        return [_value(one, depth - 1) for one in _objects(items.get("values"))]
    pairs = _of(any_value, "kvlistValue", "kvlist_value")
    if isinstance(pairs, dict):
        return {
            one["key"]: _value(one.get("value"), depth - 1) for one in _objects(pairs.get("values")) if _is_text(one.get("key"))
        }
    return None


def _moment(value: Any) -> Any:
    """Nanoseconds since 1970; 0 is unknown."""
    return None if value in (0, "0", "") else value


def _of(holder: Flat, name: str, other: str) -> Any:
    return holder[name] if name in holder else holder.get(other)


def _objects(items: Any) -> list[Flat]:
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


def _among(value: Any, known: frozenset[Any]) -> bool:
    return isinstance(value, str | int) and value in known


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""
