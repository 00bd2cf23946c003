"""One value at a time: what the column-wise paths fall back to when a column holds something odd.

Each function returns the value as its column keeps it, None where it is unknown, or raises ValueError with a reason that
reads after the quoted value (`'abc' is no number`). Unknown are null, the empty string and, for numbers and flags, `-`,
which access logs write for it.
"""

import hashlib
import math
import re
from decimal import Decimal
from typing import Any

import orjson

MAX_TEXT = 512
"""Characters kept of a text column: ids and names are shorter; what is longer was put there by mistake."""

_QUOTED = 80
_UNKNOWN = frozenset({"", "-"})
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_FLAGS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def quote(value: object) -> str:
    """The value for a message, cut short."""
    text = repr(value) if isinstance(value, str | int | float | bool | bytes | Decimal | None) else _described(value)
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"


def number(value: Any) -> int | float | None:
    """A finite number; numbers may be texts. A boolean is none."""
    if value is None:
        return None
    if isinstance(value, str):
        return _number_of_text(value.strip())
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("is not finite")
        value = int(value) if value.adjusted() < 40 and value == value.to_integral_value() else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is not finite")
    return value


def whole(value: Any) -> int | None:
    """A whole number; `12.0` is one."""
    found = number(value)
    if isinstance(found, float):
        if not found.is_integer():
            raise ValueError("is no whole number")
        return int(found)
    return found


def flag(value: Any) -> bool | None:
    """A boolean: true, false, 1, 0, or one of these or yes, no as a text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in _UNKNOWN:
            return None
        if lowered in _FLAGS:
            return _FLAGS[lowered]
    raise ValueError("is neither true nor false")


def text(value: Any) -> str:
    """A text; numbers and booleans as JSON writes them, null as the empty one. Not cut: the column does that at once."""
    if value is None:
        return ""
    if isinstance(value, str):
        if not value.isascii():
            _encodable(value)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise ValueError("is no UTF-8 text") from error
    raise ValueError("is no text")


def prompt_hash(value: Any) -> int:
    """A 64-bit hash; 0 where unknown. A text that is no number (a hex digest, say) is hashed to one: same text, same hash."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value.strip()):
        stripped = value.strip()
        _encodable(stripped)
        return int.from_bytes(hashlib.blake2b(stripped.encode(), digest_size=8).digest()) if stripped not in _UNKNOWN else 0
    return whole(value) or 0


def _number_of_text(stripped: str) -> int | float | None:
    if stripped in _UNKNOWN:
        return None
    if _INTEGER.fullmatch(stripped):
        return int(stripped)
    if _NUMBER.fullmatch(stripped):
        found = float(stripped)
        if math.isfinite(found):
            return found
        raise ValueError("is not finite")
    raise ValueError("is no number")


def _encodable(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("is no valid Unicode text") from error


def _described(value: object) -> str:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return f"a {type(value).__name__}"
