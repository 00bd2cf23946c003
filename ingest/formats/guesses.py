"""What a path of an unknown log may be: names that people give to each column, and what its values have to look like.

Times are read whatever their unit; the unit of a duration comes from its name (`took_ms`) or else from its values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

from ingest.formats.attributes import names_content, names_credential, text_of
from ingest.formats.times import time_ms
from ingest.formats.values import flag, number

_ENOUGH = 0.9
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_102_444_800_000  # 2000 to 2100: what else looks like a time is a coincidence
_TIME_FORMATS = ("%d/%b/%Y:%H:%M:%S %z", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
                 "%a, %d %b %Y %H:%M:%S %Z", "%Y%m%d%H%M%S")  # fmt: skip
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE"})
_OUTCOMES = {"success": 200, "succeeded": 200, "succeed": 200, "ok": 200, "completed": 200, "done": 200, "true": 200,
             "failure": 500, "failed": 500, "fail": 500, "error": 500, "false": 500}  # fmt: skip
_UNITS = (("ns", ("ns", "nanos", "nanoseconds", "nano")), ("us", ("us", "micros", "microseconds", "usec")),
          ("ms", ("ms", "millis", "milliseconds", "msec")), ("s", ("s", "sec", "secs", "seconds")))  # fmt: skip
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")

Values = list[Any]
Fit = Callable[[str, Values], "dict[str, Any] | None"]


def guesses(found: Mapping[str, Values]) -> dict[str, dict[str, Any]]:
    """Column → the source that is most likely its own, of dotted paths and their values; each path is used once."""
    fields: dict[str, dict[str, Any]] = {}
    free = dict(found)
    for column, names, fit in _COLUMNS:
        choice = _best(names, fit, free)
        if choice is None and column == "ts":
            choice = _any_time(free)
        if choice is not None:
            fields[column] = choice
            if choice.get("convert") != "method":  # the same request line holds the path
                del free[choice["path"]]
    return fields


def _any_time(found: Mapping[str, Values]) -> dict[str, Any] | None:
    """A field of any other name whose values are times; texts before numbers, which may be something else."""
    times = [(not isinstance(values[0], str), -len(values), path) for path, values in found.items() if _time(path, values)]
    return _time(best[2], found[best[2]]) if times and (best := min(times)) else None


def _best(names: Sequence[str], fit: Fit, found: Mapping[str, Values]) -> dict[str, Any] | None:
    """The path whose name comes first among `names` and whose values fit; a whole name before its last word."""
    ranked = []
    for path, values in found.items():
        rank = _rank(_words(path), names)
        if rank is not None and not _private(path) and (entry := fit(path, values)) is not None:
            ranked.append((rank, -len(values), path, entry))
    return min(ranked, key=lambda one: one[:3])[3] if ranked else None


def _rank(words: str, names: Sequence[str]) -> tuple[int, int] | None:
    bare = re.sub(r"_(ns|nanos|us|micros|ms|millis|milliseconds|msec|s|sec|secs|seconds|usd|count|bytes|num)$", "", words)
    last = words.rpartition("__")[2]
    for place, name in enumerate(names):
        if name in (words.replace("__", "_"), bare.replace("__", "_"), last, bare.rpartition("__")[2]):
            return 0, place
    for place, name in enumerate(names):
        if len(name) > 3 and (last.startswith(name + "_") or last.endswith("_" + name)):
            return 1, place
    return None


def _words(path: str) -> str:
    """`request.startTime` as `request__start_time`."""
    return "__".join(_NO_WORD.sub("_", _HUMP.sub("_", part).lower()).strip("_") for part in path.split("."))


def _private(path: str) -> bool:
    name = "_".join(path.split(".")[-2:])
    return names_credential(name) or names_content(name)


def _time(path: str, values: Values) -> dict[str, Any] | None:
    if _share(values, _is_recent) >= _ENOUGH:
        return {"path": path}
    texts = [value for value in values if isinstance(value, str)]
    for time_format in _TIME_FORMATS if len(texts) == len(values) else ():
        if _share(values, partial(_is_recent, time_format=time_format)) >= _ENOUGH:
            return {"path": path, "time_format": time_format}
    return None


def _is_recent(value: Any, time_format: str | None = None) -> bool:
    return _FIRST_MS <= time_ms(value, None, time_format) < _LAST_MS


def _duration(path: str, values: Values) -> dict[str, Any] | None:
    numbers = _numbers(values)
    if len(numbers) < _ENOUGH * len(values) or any(one < 0 for one in numbers):
        return None
    unit = _unit_of_name(path) or _unit_of_values(numbers)
    return {"path": path} if unit == "ms" else {"path": path, "unit": unit}


def _unit_of_name(path: str) -> str | None:
    last = _words(path).rpartition("_")[2]
    return next((unit for unit, names in _UNITS if last in names), None)


def _unit_of_values(numbers: list[float]) -> str:
    """Fractions below half a minute are seconds; whole numbers are told apart by what a call may take."""
    middle = median(numbers)
    if any(not float(one).is_integer() for one in numbers):
        return "s" if middle < 30 else "ms"
    return "ms" if middle < 1e5 else "us" if middle < 1e8 else "ns"


def _status(path: str, values: Values) -> dict[str, Any] | None:
    if _share(values, lambda value: 100 <= _whole(value) <= 599 or _whole(value) == 0) >= _ENOUGH:
        return {"path": path}
    said = {value for value in values if isinstance(value, str | bool)}
    if said and len(said) <= 8 and all(text_of(one).lower() in _OUTCOMES for one in said):
        return {"path": path, "values": {text_of(one): _OUTCOMES[text_of(one).lower()] for one in sorted(said, key=text_of)}}
    return None


def _path_like(path: str, values: Values) -> dict[str, Any] | None:
    if not all(isinstance(value, str) for value in values):
        return None
    raw = any("?" in value or "://" in value or value.partition(" ")[0] in _METHODS for value in values)
    return {"path": path, "convert": "path"} if raw else {"path": path}


def _method(path: str, values: Values) -> dict[str, Any] | None:
    if _share(values, lambda value: str(value).upper() in _METHODS) >= _ENOUGH:
        return {"path": path}
    if _share(values, lambda value: str(value).partition(" ")[0] in _METHODS) >= _ENOUGH:
        return {"path": path, "convert": "method"}
    return None


def _text(path: str, values: Values) -> dict[str, Any] | None:
    return {"path": path} if all(isinstance(value, str | int) and not isinstance(value, bool) for value in values) else None


def _word(path: str, values: Values) -> dict[str, Any] | None:
    """A type of error, not its message."""
    return _text(path, values) if all(len(str(value)) <= 64 and str(value).count(" ") < 3 for value in values) else None


def _url_or_text(path: str, values: Values) -> dict[str, Any] | None:
    entry = _text(path, values)
    return entry | {"convert": "host"} if entry and any("://" in str(value) for value in values) else entry


def _count(path: str, values: Values) -> dict[str, Any] | None:
    return {"path": path} if _share(values, lambda value: _whole(value) >= 0) >= _ENOUGH else None


def _money(path: str, values: Values) -> dict[str, Any] | None:
    if not _numbers(values) or min(_numbers(values)) < 0:
        return None
    words = _words(path).split("_")
    scale = 1e-6 if "micros" in words or "microdollars" in words else 0.01 if "cents" in words else None
    return {"path": path, "scale": scale} if scale else {"path": path}


def _yes_or_no(path: str, values: Values) -> dict[str, Any] | None:
    if _share(values, lambda value: flag(value) is not None) >= _ENOUGH:
        return {"path": path}
    known = {"hit": True, "miss": False, "bypass": False, "expired": False, "stale": True}
    said = {value for value in values if isinstance(value, str)}
    if said and all(one.lower() in known for one in said):
        return {"path": path, "values": {one: known[one.lower()] for one in sorted(said)}}
    return None


def _share(values: Values, holds: Callable[[Any], bool]) -> float:
    good = 0
    for value in values:
        try:
            good += holds(value)
        except (ValueError, OverflowError):
            continue
    return good / len(values)


def _whole(value: Any) -> int:
    found = number(value)
    if found is None or found != int(found):
        raise ValueError("is no whole number")
    return int(found)


def _numbers(values: Values) -> list[float]:
    found = []
    for value in values:
        try:
            one = number(value)
        except ValueError:
            continue
        if one is not None:
            found.append(float(one) if abs(one) < 1e300 else 1e300)
    return found


_COLUMNS: tuple[tuple[str, tuple[str, ...], Fit], ...] = (
    ("ts", ("start_time", "started_at", "start", "received_at", "request_start", "begin_time", "timestamp", "ts", "time",
            "datetime", "date", "created_at", "created", "gmt_create", "event_time", "log_time", "msec", "at", "when",
            "end_time", "ended_at", "finished_at"), _time),
    ("request_id", ("request_id", "req_id", "requestid", "correlation_id", "call_id", "message_id", "uuid", "id"), _text),
    ("trace_id", ("trace_id", "traceid", "trace", "traceparent"), _text),
    ("gateway", ("gateway", "gateway_name", "gw", "cluster", "node", "instance", "hostname"), _text),
    ("region", ("region", "aws_region", "datacenter", "dc", "availability_zone", "zone", "location"), _text),
    ("tenant", ("tenant", "tenant_id", "team", "team_id", "organization", "org", "org_id", "customer", "customer_id",
                "consumer", "application", "app", "app_id", "client_id", "group_id", "account_id", "project", "user_id",
                "user"), _text),
    ("upstream_ms", ("upstream_response_time", "upstream_time", "upstream_latency", "upstream_duration", "backend_latency",
                     "backend_time", "backend_duration", "upstream", "provider_latency"), _duration),
    ("ttft_ms", ("ttft", "time_to_first_token", "first_token_latency", "first_token_time", "first_token"), _duration),
    ("first_byte_ms", ("ttfb", "time_to_first_byte", "first_byte_latency", "first_byte_time", "first_byte"), _duration),
    ("latency_ms", ("latency", "duration", "elapsed", "elapsed_time", "took", "response_time", "request_time", "total_time",
                    "exec_time", "execution_time", "processing_time", "cost_time", "time_taken", "rt", "runtime", "took_time"),
     _duration),
    ("status", ("status_code", "http_status", "http_status_code", "response_code", "response_status", "status", "code",
                "outcome", "result", "state", "predict_status"), _status),
    ("method", ("method", "http_method", "request_method", "verb", "request"), _method),
    ("route", ("route", "route_template", "endpoint", "request_path", "path", "request_uri", "uri", "url", "resource", "api",
               "operation", "request"), _path_like),
    ("service", ("service", "service_name", "api_name", "product", "backend_service", "app_name", "server_name", "host"),
     _text),
    ("provider", ("provider", "llm_provider", "vendor", "provider_name"), _text),
    ("account", ("provider_account", "key_id", "api_key_id", "account"), _text),
    ("upstream", ("upstream_host", "upstream_addr", "upstream", "backend", "target", "deployment", "api_base"), _url_or_text),
    ("requested_model", ("requested_model", "request_model", "model_requested", "model_group"), _text),
    ("model", ("response_model", "model", "model_name", "model_id", "engine", "checkpoint_model_version_id"), _text),
    ("error_type", ("error_type", "error_class", "error_code", "exception", "error_reason", "error"), _word),
    ("bytes_in", ("request_size", "bytes_in", "request_length", "bytes_received", "request_bytes", "req_size", "in"), _count),
    ("bytes_out", ("response_size", "bytes_out", "response_length", "bytes_sent", "response_bytes", "body_bytes_sent",
                   "resp_size", "bytes", "size"), _count),
    ("prompt_tokens", ("prompt_tokens", "input_tokens", "context_tokens", "tokens_in", "num_input_tokens", "input_token"),
     _count),
    ("completion_tokens", ("completion_tokens", "output_tokens", "generated_tokens", "tokens_out", "num_output_tokens",
                           "output_token"), _count),
    ("cached_tokens", ("cached_tokens", "cache_read_tokens", "cached_input_tokens"), _count),
    ("cache_write_tokens", ("cache_write_tokens", "cache_creation_tokens"), _count),
    ("reasoning_tokens", ("reasoning_tokens", "thinking_tokens"), _count),
    ("cost_usd", ("cost_usd", "cost", "total_cost", "response_cost", "spend", "price_usd", "cost_micros", "cost_cents"),
     _money),
    ("cache_hit", ("cache_hit", "cached", "cache_status", "from_cache"), _yes_or_no),
    ("stream", ("stream", "streaming", "is_stream", "streamed"), _yes_or_no),
    ("fallback", ("fallback", "is_fallback", "fell_back"), _yes_or_no),
    ("retries", ("retries", "retry_count", "num_retries"), _count),
)  # fmt: skip
"""Column → names that its path may have, best first, and what its values have to be."""
