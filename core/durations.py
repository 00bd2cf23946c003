"""Durations as people write them: `90s`, `15m`, `1h30m`, `28d`, `2w`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_duration(text: str) -> timedelta:
    """`1h30m` as a timedelta; raises ValueError that quotes what cannot be read, or is longer than a timedelta can be."""
    compact = text.strip().replace(" ", "")
    parts = list(_PART.finditer(compact))
    if not parts or "".join(part.group(0) for part in parts) != compact:
        raise ValueError(f"{text!r} is no duration; write for example '90s', '15m', '1h30m' or '28d'")
    try:
        return timedelta(seconds=sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts))
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is longer than any time") from None


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back to the same duration, to the millisecond."""
    milliseconds = round(duration.total_seconds() * 1000)
    if milliseconds == 0:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        size = round(_UNITS[unit] * 1000)
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def _coerce(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_coerce),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["90s", "15m", "1h30m", "28d"]}),
]
"""A pydantic field type: a duration string in YAML, a timedelta in Python."""
