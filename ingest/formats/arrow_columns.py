"""Arrow columns as a reader found them to columns of the call record, without a Python object for each value.

Everything here is the same as in `columns` and `times`, or it is left to them: a row with a value that needs a closer look is
`odd`, and whoever called decodes it singly. That keeps this short, and exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.record import FLAGS, RECORD_SCHEMA
from ingest.formats.arrow_attributes import attributes_of, mark
from ingest.formats.arrow_times import time_of
from ingest.formats.columns import KIND_VALUES, NUMBER_TEXT, RANGES, Range, convert, finished_text, unknown

_EXACT = 2.0**53
"""From here on a float is not the whole number that was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Rows of the call record, as far as they could be had at once.

    Attributes
    ----------
    rows : pa.Table of RECORD_SCHEMA
        All rows; those that are odd hold anything.
    odd : ndarray of bool, shape (rows,)
        Rows to be decoded singly.
    """

    rows: pa.Table
    odd: np.ndarray


def record_columns(given: Mapping[str, pa.Array], length: int, *, typed: bool = False) -> Columns:
    """The columns of RECORD_SCHEMA from columns by name; other names, and the fields of `attributes`, become attributes.

    `typed`: the values are of the columns' types, as in a table; else they were JSON, where 1 and 1.0 are told apart.
    """
    odd = np.zeros(length, bool)
    arrays = [time_of(given.get("ts", pa.nulls(length)), odd)]
    arrays.extend(_column(name, given.get(name), length, odd) for name in RECORD_SCHEMA.names[1:-1])
    arrays.append(attributes_of(given, length, odd, typed=typed))
    return Columns(rows=pa.Table.from_arrays(arrays, schema=RECORD_SCHEMA), odd=odd)


def _column(name: str, array: pa.Array | None, length: int, odd: np.ndarray) -> pa.Array:
    if array is None or array.null_count == length:
        return unknown(name, length).array
    if name in RANGES:
        found = _numbers(name, array, RANGES[name], odd)
    elif name in FLAGS:
        found = _flags(array, odd)
    elif name == "prompt_hash":
        found = _hashes(array, odd)
    else:
        found = _texts(name, array, odd)
    if found is not None:
        return found
    mark(odd, pc.is_valid(array))
    return unknown(name, length).array


def _numbers(name: str, array: pa.Array, bounds: Range, odd: np.ndarray) -> pa.Array | None:
    target = RECORD_SCHEMA.field(name).type
    if pa.types.is_string(array.type):
        array = _numbers_of_texts(array, odd)
    elif not _is_number(array.type):
        return None
    array = _signed(array, odd)
    if name == "status":
        array = pc.if_else(pc.equal(array, 0), pa.scalar(None, array.type), array)
    if not _fits(array, bounds):
        floats = pa.types.is_floating(array.type)
        array = pc.cast(array, pa.float64()) if floats else array
        high = min(bounds.high, _EXACT - 1)
        fits = pc.and_(pc.greater_equal(array, bounds.low), pc.less_equal(array, high if floats else int(high)))
        if bounds.whole and floats:
            fits = pc.and_(fits, pc.equal(array, pc.floor(array)))
        mark(odd, pc.invert(pc.fill_null(fits, True)))
        array = pc.if_else(fits, array, pa.scalar(None, array.type))
    if not bounds.whole and pa.types.is_floating(array.type) and pc.min(array).as_py() == 0:
        odd |= np.signbit(array.fill_null(0.0).to_numpy(zero_copy_only=False))  # -0.0, or -0, which is the whole number 0
    if not bounds.whole and pa.types.is_integer(array.type):
        array = pc.cast(array, pa.float64())  # which holds them all; a cast to float32 would insist on the same
    return array if array.type == target else pc.cast(array, target)


def _fits(array: pa.Array, bounds: Range) -> bool:
    """Whether no value needs a closer look."""
    found = pc.min_max(array)
    low, high = found["min"].as_py(), found["max"].as_py()
    if low is None:
        return bool(array.null_count == len(array))
    if low < bounds.low or high > bounds.high or high >= _EXACT:
        return False
    if pa.types.is_integer(array.type):
        return True
    if bounds.whole:
        return bool(pc.all(pc.equal(array, pc.floor(array))).as_py())
    return bool(np.isfinite(pc.sum(array).as_py()))  # min_max skips a NaN, a sum does not


def _numbers_of_texts(texts: pa.Array, odd: np.ndarray) -> pa.Array:
    """Arrow reads more than numbers (hexadecimal, nan): what it is given is checked first."""
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    plain = pc.match_substring_regex(texts, NUMBER_TEXT)
    if not pc.all(plain).as_py():
        mark(odd, pc.invert(plain))
        texts = pc.if_else(plain, texts, pa.scalar(None, pa.string()))
    return pc.cast(texts, pa.float64())


def _flags(array: pa.Array, odd: np.ndarray) -> pa.Array | None:
    if pa.types.is_boolean(array.type):
        return array
    if not _is_number(array.type):
        return None
    array = _signed(array, odd)
    mark(odd, pc.invert(pc.or_(pc.equal(array, 0), pc.equal(array, 1))))
    return pc.equal(array, 1)


def _hashes(array: pa.Array, odd: np.ndarray) -> pa.Array | None:
    if pa.types.is_string(array.type):
        found = convert("prompt_hash", array.to_pylist())
        odd[list(found.bad)] = True
        return found.array
    if not pa.types.is_integer(array.type):
        return None
    if array.type != pa.uint64():
        negative = pc.less(array, 0)
        mark(odd, negative)
        array = pc.cast(pc.if_else(negative, pa.scalar(0, array.type), array), pa.uint64())
    return array.fill_null(0)


def _texts(name: str, array: pa.Array, odd: np.ndarray) -> pa.Array | None:
    kind = array.type
    if kind != pa.string():
        if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or _is_text(kind)):
            return None
        array = pc.cast(array, pa.string())
    if array.null_count:
        array = array.fill_null("")
    if name == "kind":
        known = pc.is_in(array, value_set=KIND_VALUES)
        if not pc.all(known).as_py():
            mark(odd, pc.invert(known))
        return array
    return finished_text(name, array)


def _signed(array: pa.Array, odd: np.ndarray) -> pa.Array:
    """Whole numbers as int64, where they can be compared with any bound; null where they do not fit."""
    if array.type == pa.uint64():
        large = pc.greater_equal(array, pa.scalar(2**53, pa.uint64()))
        mark(odd, large)
        array = pc.if_else(large, pa.scalar(None, pa.uint64()), array)
    return pc.cast(array, pa.int64()) if pa.types.is_integer(array.type) else array


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
