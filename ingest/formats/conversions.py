"""Named conversions of one value, for what a path, a unit or a table of values cannot say.

None of them raises: a value that is not of the shape that it knows comes back as it is, and the column rejects what it cannot
hold. Null stays null.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from core.config import Conversion
from ingest.formats.values import number

_LIST = re.compile(r"\s*[,:;]\s+|\s*,\s*|\s+:\s*")
_MAX_TEXT = 4_096
_UNKNOWN = frozenset({"", "-"})
_METHOD = re.compile(r"[A-Z]{3,16}")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_TRACEPARENT = re.compile(r"[0-9a-fA-F]{2}-([0-9a-fA-F]{32})-[0-9a-fA-F]{16}-[0-9a-fA-F]{2}.*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")


def apply(name: Conversion, value: Any) -> Any:
    """The value, converted; of a text no more than its first characters count, since lists of blanks take squares of time."""
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        value = value[:_MAX_TEXT]
    return value if value is None else _CONVERSIONS[name](value)


def _path(value: Any) -> Any:
    """`GET /a/b?c=d HTTP/1.1` and `https://host/a/b?c=d` become `/a/b`."""
    if not isinstance(value, str):
        return value
    line = value.strip()
    word, blank, rest = line.partition(" ")
    if blank and _METHOD.fullmatch(word):
        line = rest.partition(" ")[0]
    url = _URL.match(line)
    if url:
        _, slash, rest = line[url.end() :].partition("/")
        line = slash + rest or "/"
    return line.partition("?")[0].partition("#")[0]


def _method(value: Any) -> Any:
    """`GET /a/b HTTP/1.1` becomes `GET`."""
    if not isinstance(value, str):
        return value
    word = value.strip().partition(" ")[0]
    return word if _METHOD.fullmatch(word) else ""


def _host(value: Any) -> Any:
    """`https://user@host:443/a` becomes `host`; of a list of addresses the last, which is the one that answered."""
    if not isinstance(value, str):
        return value
    address = _last(value)
    if not isinstance(address, str):
        return address
    url = _URL.match(address)
    if not url:
        return address
    host = address[url.end() :].partition("/")[0].partition("?")[0].rpartition("@")[2]
    return host if host.startswith("[") else host.partition(":")[0]


def _items(value: Any) -> list[Any] | None:
    if isinstance(value, str):
        return [one for one in _LIST.split(value.strip()) if one not in _UNKNOWN]
    return value if isinstance(value, list) else None


def _first(value: Any) -> Any:
    items = _items(value)
    return value if items is None else (items[0] if items else None)


def _last(value: Any) -> Any:
    items = _items(value)
    return value if items is None else (items[-1] if items else None)


def _total(value: Any) -> Any:
    """The sum of a list of numbers; `-` (no answer from that one) counts nothing, and alone is unknown."""
    items = _items(value)
    if items is None:
        return value
    try:
        found = [one for one in map(number, items) if one is not None]
    except ValueError:
        return value
    return sum(found) if found else None


def _retries(value: Any) -> Any:
    """Tries after the first, of a list of all tries or of their number."""
    if type(value) is int:
        return min(max(value - 1, 0), 255)
    items = _tries(value)
    return value if items is None else (min(len(items) - 1, 255) if items else None)


def _tries(value: Any) -> list[Any] | None:
    if isinstance(value, str):  # a try without an answer is one, too: `-` counts here
        return [one for one in _LIST.split(value.strip()) if one] if value.strip() not in _UNKNOWN else []
    return value if isinstance(value, list) else None


def _trace_id(value: Any) -> Any:
    """`00-<trace>-<span>-01` becomes `<trace>`."""
    match = _TRACEPARENT.fullmatch(value) if isinstance(value, str) else None
    return match[1].lower() if match else value


def _error_type(value: Any) -> Any:
    """`litellm.RateLimitError` becomes `rate_limit`, `504` and `DeadlineExceeded` become `timeout`, other 4xx nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    return _error_name(str(value)[:128])


@lru_cache(maxsize=4_096)
def _error_name(text: str) -> str:
    if text in _UNKNOWN:
        return ""
    if text.isascii() and text.isdecimal():
        status = int(text)
        if status in _STATUS_ERRORS:
            return _STATUS_ERRORS[status]
        return "upstream" if status >= 500 else ""
    word = text.rpartition(".")[2] or text
    name = _NO_WORD.sub("_", _HUMP.sub("_", word).lower()).strip("_")
    for known, patterns in _ERROR_PATTERNS:
        if any(pattern in name for pattern in patterns):
            return known
    return name.removesuffix("_error").removesuffix("_exception") or name


_STATUS_ERRORS = {408: "timeout", 429: "rate_limit", 504: "timeout"}
_ERROR_PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("rate_limit", ("rate_limit", "ratelimit", "too_many_requests", "throttl", "resource_exhausted")),
    ("timeout", ("timeout", "timed_out", "deadline_exceeded")),
)


def _http_status(value: Any) -> Any:
    """An HTTP status, or unknown: libraries put codes of their own in the same place (`insufficient_quota`)."""
    try:
        found = number(value)
    except ValueError:
        return None
    return found if found is not None and 100 <= found <= 999 else None


def _text_ms(value: Any) -> Any:
    """A text is milliseconds, a number nanoseconds (a Go `time.Duration` in JSON); both as milliseconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1e6 if abs(value) < 2**63 else value
    return value


_CONVERSIONS: dict[Conversion, Callable[[Any], Any]] = {
    "path": _path,
    "method": _method,
    "host": _host,
    "first": _first,
    "last": _last,
    "total": _total,
    "retries": _retries,
    "trace_id": _trace_id,
    "error_type": _error_type,
    "http_status": _http_status,
    "text_ms": _text_ms,
}
