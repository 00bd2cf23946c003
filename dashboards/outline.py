"""What a record looks like without what is in it: names and kinds of its fields. A rejected record may hold prompts or keys."""

from typing import Any

import orjson

MOST_FIELDS = 24
_LONGEST_NAME = 40


def outline(payload: bytes) -> str:
    """`ts text, status number, tags list`; for what is no JSON object, what it is instead."""
    if not payload:
        return "empty"
    try:
        record = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return f"no JSON, {'text' if _is_text(payload) else 'binary'} of {len(payload):,} bytes kept"
    if not isinstance(record, dict):
        return f"JSON, but a {_kind(record)}"
    names = [f"{name[:_LONGEST_NAME]} {_kind(value)}" for name, value in list(record.items())[:MOST_FIELDS]]
    more = len(record) - MOST_FIELDS
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "yes or no"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "object"


def _is_text(payload: bytes) -> bool:
    try:
        return payload.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False
