"""Columns of Python values to Arrow columns of the call record: at once where a column is clean, value by value where not.

A bad value in a known column rejects its record: dropping it would store "unknown" where the gateway said something. Bounds:

| column | accepted | unknown |
|---|---|---|
| status | 100 to 999 | null, and 0, which proxies log when there was no answer |
| latencies | 0 to 1e10 ms (115 days) | null |
| bytes, tokens, retries | what the column's type holds; `12.0` is whole | null |
| cost_usd | 0 to 1e9 | null |
| flags | true, false, 1, 0, also as texts | null |
| kind | the known kinds, whatever the case | null, empty |
| texts | texts, numbers, booleans; cut at 512 characters; `route` loses its query | null, empty |

Numbers may be texts. Texts `""` and `-` are unknown in columns of numbers and flags.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.record import BYTES, DIMENSIONS, FLAGS, KINDS, LATENCIES, RECORD_SCHEMA, TEXTS, TOKENS
from ingest.formats import values as single
from ingest.formats.values import MAX_TEXT, quote

KIND_VALUES = pa.array(sorted({*KINDS, ""}))
_INTEGER_TEXT = r"^-?\d{1,18}$"
NUMBER_TEXT = r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A column of RECORD_SCHEMA; the rows in `bad` (place → detail) hold any value."""

    array: pa.Array
    bad: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers that a column accepts, both bounds included."""

    low: float
    high: float
    whole: bool


RANGES: dict[str, Range] = {
    "status": Range(low=100, high=999, whole=True),
    **{name: Range(low=0, high=1e10, whole=False) for name in LATENCIES},
    **{name: Range(low=0, high=2**64 - 1, whole=True) for name in BYTES},
    **{name: Range(low=0, high=2**32 - 1, whole=True) for name in TOKENS},
    "cost_usd": Range(low=0, high=1e9, whole=False),
    "retries": Range(low=0, high=2**8 - 1, whole=True),
}

NUMBERS = frozenset(RANGES)
"""Columns that hold a number which may be scaled."""


def convert(name: str, values: Sequence[Any], factor: float = 1.0) -> Converted:
    """Values of the column `name` (any but `ts` and `attributes`), numbers multiplied with `factor`."""
    if name in RANGES:
        return _number_column(name, values, RANGES[name], factor)
    if name in FLAGS:
        return _flag_column(name, values)
    if name == "prompt_hash":
        return _hash_column(values)
    if name in DIMENSIONS or name in TEXTS:
        return _text_column(name, values)
    raise KeyError(name)


def unknown(name: str, length: int) -> Converted:
    """The column `name` where a format says nothing of it."""
    field_ = RECORD_SCHEMA.field(name)
    if field_.nullable:
        return Converted(array=pa.nulls(length, field_.type))
    return Converted(array=pa.repeat(pa.scalar("" if field_.type == pa.string() else 0, field_.type), length))


def _number_column(name: str, values: Sequence[Any], bounds: Range, factor: float) -> Converted:
    """At once, after odd values were made numbers and before those out of bounds are told apart."""
    bad: dict[int, str] = {}
    array = _numbers_at_once(values, bounds, factor)
    if array is None:
        values, bad = _plain(name, values, (int, float, type(None)), single.number)
        array = _numbers_at_once(values, bounds, factor)
    if array is None:
        return _one_by_one(name, values, lambda value: _bounded(name, single.number(value), bounds, factor), bad)
    if name == "status":
        array = pc.if_else(pc.equal(array, 0), pa.scalar(None, array.type), array)
    if not _within(array, bounds):
        array = _outliers_removed(name, values, array, bounds, bad)
    return Converted(array=array.cast(RECORD_SCHEMA.field(name).type), bad=bad)


def _numbers_at_once(values: Sequence[Any], bounds: Range, factor: float) -> pa.Array | None:
    """int64 or float64, whole where the column is; None where a value needs a closer look."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {str}:
        array = _numbers_of_texts(values, whole=bounds.whole and factor == 1)
    elif kinds <= {int} and factor == 1 and bounds.whole:
        array = _array(values, pa.int64())
    elif kinds <= {int, float}:
        array = _array(values, pa.float64())
    else:
        return None
    if array is None or pa.types.is_integer(array.type):
        return array
    if factor != 1:
        array = pc.multiply(array, factor)
        array = pc.round(array) if bounds.whole else array
    if bounds.whole:
        # Beyond 2**53 a float is not the whole number that was written.
        exact = pc.and_(pc.equal(array, pc.floor(array)), pc.less(pc.abs(array), 2.0**53))
        return array.cast(pa.int64()) if pc.all(exact).as_py() is not False else None
    return array


def _outliers_removed(name: str, values: Sequence[Any], array: pa.Array, bounds: Range, bad: dict[int, str]) -> pa.Array:
    high = min(bounds.high, 2**63 - 1) if pa.types.is_integer(array.type) else bounds.high
    inside = pc.and_(pc.greater_equal(array, bounds.low), pc.less_equal(array, high))
    inside = pc.fill_null(inside, True)
    for place in np.flatnonzero(~inside.to_numpy(zero_copy_only=False)).tolist():
        bad.setdefault(place, f"{name}: {quote(values[place])} {_outside(bounds, array[place].as_py())}")
    return pc.if_else(inside, array, pa.scalar(None, array.type))


def _numbers_of_texts(values: Sequence[Any], *, whole: bool) -> pa.Array | None:
    texts = _array(values, pa.string())
    if texts is None:
        return None
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    # Arrow reads more than numbers (hexadecimal, nan): what it is given is checked first.
    if pc.all(pc.match_substring_regex(texts, _INTEGER_TEXT if whole else NUMBER_TEXT)).as_py() is False:
        return None
    return texts.cast(pa.int64() if whole else pa.float64())


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array | None:
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
        return None


def _within(array: pa.Array, bounds: Range) -> bool:
    found = pc.min_max(array).as_py()
    if found["min"] is None:
        return True
    # A NaN is skipped by min_max and spoils the sum.
    finite = pa.types.is_integer(array.type) or math.isfinite(pc.sum(array).as_py())
    return finite and found["min"] >= bounds.low and found["max"] <= bounds.high


def _bounded(name: str, found: int | float | None, bounds: Range, factor: float) -> int | float | None:
    if found is not None and factor != 1:
        found = round(found * factor) if bounds.whole else found * factor
    if found is None or (name == "status" and found == 0):
        return None
    if bounds.whole:
        found = single.whole(found)
    if found is None or not bounds.low <= found <= bounds.high:
        raise ValueError(_outside(bounds, found))
    return found


def _outside(bounds: Range, found: int | float | None) -> str:
    if isinstance(found, float) and not math.isfinite(found):
        return "is not finite"
    return f"is not in {bounds.low:g} to {bounds.high:g}"


def _flag_column(name: str, values: Sequence[Any]) -> Converted:
    try:
        return Converted(array=pa.array(values, pa.bool_()))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        values, bad = _plain(name, values, (bool, type(None)), single.flag)
        return Converted(array=pa.array(values, pa.bool_()), bad=bad)


def _hash_column(values: Sequence[Any]) -> Converted:
    if set(map(type, values)) <= {int, type(None)}:
        array = _array(values, pa.uint64())
        if array is not None:
            return Converted(array=array.fill_null(0))
    return _one_by_one("prompt_hash", values, _hash)


def _hash(value: Any) -> int:
    found = single.prompt_hash(value)
    if not 0 <= found < 2**64:
        raise ValueError("is not in 0 to 18446744073709551615")
    return found


def _text_column(name: str, values: Sequence[Any]) -> Converted:
    try:
        array = pa.array(values, pa.string()).fill_null("")
        bad: dict[int, str] = {}
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        values, bad = _plain(name, values, (type(None),), single.text)
        array = pa.array(values, pa.string()).fill_null("")
    if name == "kind":
        return _kind_column(array, bad)
    return Converted(array=finished_text(name, array), bad=bad)


def finished_text(name: str, array: pa.Array) -> pa.Array:
    """Texts as the column `name` keeps them: short, a route without its query."""
    if name == "route" and pc.any(pc.match_substring(array, "?")).as_py():
        # A query has no place in a route's template, and may hold a key.
        array = pc.replace_substring_regex(array, r"(?s)\?.*", "")
    if (pc.max(pc.binary_length(array)).as_py() or 0) > MAX_TEXT:
        array = pc.utf8_slice_codeunits(array, 0, MAX_TEXT)
    return array


def _kind_column(array: pa.Array, bad: dict[int, str]) -> Converted:
    if not pc.all(pc.is_in(array, value_set=KIND_VALUES)).as_py():
        lowered = pc.utf8_lower(array)
        for place in np.flatnonzero(~pc.is_in(lowered, value_set=KIND_VALUES).to_numpy(zero_copy_only=False)):
            bad.setdefault(int(place), f"kind: {quote(array[int(place)].as_py())} is none of {', '.join(sorted(KINDS))}")
        array = lowered
    return Converted(array=array, bad=bad)


def _plain(
    name: str, values: Sequence[Any], kinds: tuple[type, ...], convert_one: Callable[[Any], Any]
) -> tuple[list[Any], dict[int, str]]:
    """The values with each that is not of these types converted; None and a detail where one cannot be."""
    plain = list(values)
    bad: dict[int, str] = {}
    for place, value in enumerate(plain):
        if type(value) not in kinds:
            try:
                plain[place] = convert_one(value)
            except ValueError as error:
                plain[place] = None
                bad[place] = f"{name}: {quote(value)} {error}"
    return plain, bad


def _one_by_one(
    name: str, values: Sequence[Any], convert_one: Callable[[Any], Any], bad: dict[int, str] | None = None
) -> Converted:
    kind = RECORD_SCHEMA.field(name).type
    nothing = None if RECORD_SCHEMA.field(name).nullable else 0
    found: list[Any] = []
    bad = bad if bad is not None else {}
    for place, value in enumerate(values):
        try:
            found.append(convert_one(value))
        except ValueError as error:
            bad.setdefault(place, f"{name}: {quote(value)} {error}")
            found.append(nothing)
    if pa.types.is_floating(kind):  # Arrow takes no whole number beyond 2**24 for a float32
        return Converted(array=pa.array(found, pa.float64()).cast(kind), bad=bad)
    return Converted(array=pa.array(found, kind), bad=bad)
