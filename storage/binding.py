"""Fills the `{name:Type}` places of a statement with literals.

Both engines get their values this way, because neither can be relied on to do it: servers before 21 know no parameters, and
the embedded engine cuts a parameter at a NUL and refuses lists. Every value is rendered by its declared type into a literal
that cannot leave its place, inside a CAST; what does not fit its type raises before anything is sent.
"""

import math
import numbers
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from storage.contract import Params, Value

_TOKEN = re.compile(
    r"""(?P<skip>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*` | --[^\n]* | /\*.*?\*/)
      | \{(?P<name>[A-Za-z_]\w*):(?P<type>[^{}]+)\}""",
    re.VERBOSE | re.DOTALL,
)
_WRAPPER = re.compile(r"(Nullable|LowCardinality|Array)\((.+)\)")
_INTEGER = re.compile(r"(U?)Int(8|16|32|64)")
_TIME = re.compile(r"DateTime(?:64\((?P<digits>[0-9])(?:,\s*'UTC')?\)|\('UTC'\))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DATETIME = _EPOCH + timedelta(seconds=2**32 - 1)  # DateTime is an unsigned 32-bit count of seconds
_FIRST_DATETIME64 = datetime(1900, 1, 1, tzinfo=UTC)
_LAST_DATETIME64 = datetime(2299, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def render(sql: str, params: Params | None = None) -> str:
    """`sql` with every `{name:Type}` outside of quotes and comments replaced by the value of that name.

    Raises ValueError that names the parameter when it is missing, unused, or does not fit its type. Types: String, Bool,
    (U)Int8 to 64, Float32/64, Date, DateTime and DateTime64 (aware values; UTC), and Nullable, LowCardinality and Array of
    these. Times outside the type's range become the range's end, so that comparisons keep their meaning.
    """
    given = params or {}
    used: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match.group()
        if name not in given:
            raise ValueError(f"no value for parameter {name!r}")
        used.add(name)
        try:
            return _literal(given[name], match["type"].strip())
        except ValueError as error:
            raise ValueError(f"parameter {name!r}: {error}") from None

    text = _TOKEN.sub(fill, sql)
    if unused := given.keys() - used:
        raise ValueError(f"parameters that the statement does not name: {', '.join(sorted(unused))}")
    return text


def quote(text: str) -> str:
    """`text` as a string literal."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("text is no valid Unicode (a lone surrogate)") from None
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0") + "'"


def _literal(value: Value, type_name: str) -> str:
    plain = _plain(value, type_name)
    return plain if type_name == "String" else f"CAST({plain} AS {_with_zone(type_name)})"


def _plain(value: object, type_name: str) -> str:
    kind, inner = _wrapped(type_name)
    if kind == "Array":
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise ValueError(f"a list is needed for {type_name}, not {type(value).__name__}")
        return "[" + ",".join(_plain(item, inner) for item in value) + "]"
    if kind:
        return "NULL" if value is None and kind == "Nullable" else _plain(value, inner)
    if value is None:
        raise ValueError(f"{type_name} takes no None; declare it Nullable({type_name})")
    return _scalar(value, type_name)


def _scalar(value: object, type_name: str) -> str:
    if type_name == "String" and isinstance(value, str):
        return quote(value)
    if type_name == "Bool" and isinstance(value, bool):
        return "true" if value else "false"
    if integer := _INTEGER.fullmatch(type_name):
        return _integer(value, signed=not integer[1], bits=int(integer[2]))
    if type_name in ("Float32", "Float64") and isinstance(value, numbers.Real):
        return _float(float(value))
    if type_name == "Date" and isinstance(value, datetime):
        return quote(f"{_clamp(value, _EPOCH, _LAST_DATETIME):%Y-%m-%d}")
    if (time := _TIME.fullmatch(type_name)) and isinstance(value, datetime):
        return _time(value, None if time["digits"] is None else int(time["digits"]))
    raise ValueError(f"{type(value).__name__} does not fit {type_name}")


def _integer(value: object, *, signed: bool, bits: int) -> str:
    if not isinstance(value, numbers.Integral):
        raise ValueError(f"{type(value).__name__} is no whole number")
    number = int(value)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if not low <= number <= high:
        raise ValueError(f"{number} is outside {low} to {high}")
    return str(number)


def _float(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return ("inf" if value > 0 else "-inf") if math.isinf(value) else repr(value)


def _time(value: datetime, digits: int | None) -> str:
    if digits is None:
        return quote(f"{_clamp(value, _EPOCH, _LAST_DATETIME):%Y-%m-%d %H:%M:%S}")
    moment = _clamp(value, _FIRST_DATETIME64, _LAST_DATETIME64)
    fraction = f"{moment.microsecond:06d}000"[:digits]
    return quote(f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{fraction}" if fraction else ""))


def _clamp(value: datetime, first: datetime, last: datetime) -> datetime:
    if value.utcoffset() is None:
        raise ValueError("a time without a time zone; make it aware")
    return min(max(value.astimezone(UTC), first), last)


@lru_cache(maxsize=256)
def _wrapped(type_name: str) -> tuple[str, str]:
    match = _WRAPPER.fullmatch(type_name)
    return (match[1], match[2].strip()) if match else ("", type_name)


def _with_zone(type_name: str) -> str:
    """The type with 'UTC' where a time type names no zone: texts are read in that zone, not in the server's."""
    zoned = re.sub(r"DateTime64\((\d)\)", r"DateTime64(\1, 'UTC')", type_name)
    return re.sub(r"DateTime(?![64(])", "DateTime('UTC')", zoned)
