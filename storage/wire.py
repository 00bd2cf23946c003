"""How statements, values, rows and errors travel between a RemoteStore and the owner's API.

A request is JSON, `{"sql": …, "params": {…}}`; what JSON lacks is an object with one key: `{"datetime": "…+00:00"}` and
`{"float": "nan"}`. Rows are an Arrow IPC stream. An error is JSON, `{"error": kind, "message": …, "code": …}`.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from core.errors import StoreError, StoreUnavailable
from storage.contract import Params

ARROW_MEDIA = "application/vnd.apache.arrow.stream"
JSON_MEDIA = "application/json"


def encode_request(sql: str, params: Params | None) -> bytes:
    return orjson.dumps({"sql": sql, "params": {name: _plain(value) for name, value in (params or {}).items()}})


def decode_request(body: bytes) -> tuple[str, dict[str, Any]]:
    """Raises ValueError for anything but a request."""
    request = orjson.loads(body)
    if (
        not isinstance(request, dict)
        or not isinstance(request.get("sql"), str)
        or not isinstance(request.get("params", {}), dict)
    ):
        raise ValueError("the body must be JSON with the keys sql and params")
    return request["sql"], {name: _rich(value) for name, value in request.get("params", {}).items()}


def encode_rows(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body


def decode_rows(body: bytes) -> pa.Table:
    """Raises ValueError (pa.ArrowInvalid) for anything but an Arrow IPC stream."""
    return pa.ipc.open_stream(body).read_all()


def encode_error(error: Exception) -> tuple[int, bytes]:
    """HTTP status and body; an error that is none of ours is the caller's to handle (raises TypeError)."""
    match error:
        case StoreUnavailable():
            status, kind, code = 503, "unavailable", 0
        case StoreError():
            status, kind, code = 422, "refused", error.code
        case ValueError():
            status, kind, code = 400, "bad_request", 0
        case _:
            raise TypeError(f"no wire form for {type(error).__name__}")
    return status, orjson.dumps({"error": kind, "message": str(error), "code": code})


def decode_error(status: int, body: bytes) -> Exception:
    """The error that the owner met, as if it had been met here."""
    try:
        note: Mapping[str, Any] = orjson.loads(body)
        kind, message, code = str(note["error"]), str(note["message"]), int(note.get("code", 0))
    except (ValueError, KeyError, TypeError):
        return StoreUnavailable(f"store: the owner's API answered with status {status}; see its log")
    kinds = {"unavailable": StoreUnavailable(message), "refused": StoreError(message, code), "bad_request": ValueError(message)}
    return kinds.get(kind, StoreError(message, code))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ValueError("a time without a time zone; make it aware")
        return {"datetime": value.astimezone(UTC).isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(float(value))}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar
        return _plain(value.item())
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"datetime": str(text)}:
            return datetime.fromisoformat(text)
        case {"float": str(text)}:
            return float(text)
    raise ValueError("a parameter is neither a plain value nor a datetime or float object")
