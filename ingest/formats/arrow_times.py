"""When a call came in, from an Arrow column of texts, numbers or timestamps; see `times` for what is accepted."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.record import TS_TYPE
from ingest.formats.times import LAST_MS, milliseconds_of, milliseconds_of_numbers

_REGULAR = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"
"""What Arrow reads the same whatever stands beside it. Others are looked at singly where they spoil their column."""

_PER_MS = {"s": 1, "ms": 1, "us": 1_000, "ns": 1_000_000}


def time_of(array: pa.Array, odd: np.ndarray) -> pa.Array:
    """The column as TS_TYPE; rows that need a closer look are added to `odd` and hold 1970."""
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        milliseconds = _of_texts(array)
    elif pa.types.is_timestamp(array.type):
        milliseconds = _of_timestamps(array)
    elif pa.types.is_integer(array.type) or pa.types.is_float64(array.type):
        milliseconds = _of_numbers(array)
    else:
        milliseconds = None
    if milliseconds is None:
        milliseconds = pa.nulls(len(array), pa.int64())
    found = pc.min_max(milliseconds)
    low, high = found["min"].as_py(), found["max"].as_py()
    if milliseconds.null_count or low is None or low < 0 or high >= LAST_MS:
        inside = pc.and_(pc.greater_equal(milliseconds, 0), pc.less(milliseconds, LAST_MS)).fill_null(False)
        odd |= ~inside.to_numpy(zero_copy_only=False)
        milliseconds = pc.if_else(inside, milliseconds, pa.scalar(0, pa.int64()))
    return milliseconds.view(TS_TYPE)


def _of_texts(texts: pa.Array) -> pa.Array | None:
    milliseconds = milliseconds_of(texts)
    if milliseconds is None:
        regular = pc.match_substring_regex(texts, _REGULAR)
        milliseconds = milliseconds_of(pc.if_else(regular, texts, pa.scalar(None, texts.type)))
    return milliseconds


def _of_timestamps(array: pa.Array) -> pa.Array | None:
    """Without a zone it is UTC, as everywhere."""
    unit = array.type.unit
    ticks = array.view(pa.int64())
    if (pc.min(ticks).as_py() or 0) < 0:  # a division would round them up, into 1970
        ticks = pc.if_else(pc.greater_equal(ticks, 0), ticks, pa.scalar(None, pa.int64()))
    if unit == "s":
        limit = LAST_MS // 1_000
        return pc.multiply(pc.if_else(pc.less_equal(ticks, limit), ticks, pa.scalar(None, pa.int64())), 1_000)
    return pc.divide(ticks, _PER_MS[unit])


def _of_numbers(array: pa.Array) -> pa.Array | None:
    """By magnitude. Among floats a whole number may have been written as one, and is then reckoned with exactly."""
    if array.type == pa.uint64():
        return None
    usable = pc.is_valid(array).to_numpy(zero_copy_only=False)
    numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(array.type):
        numbers = numbers.astype(np.int64)
    else:
        usable = usable & np.isfinite(numbers) & (numbers != np.floor(numbers))
    usable = usable & (numbers >= 0)
    milliseconds = milliseconds_of_numbers(np.where(usable, numbers, 0))
    if milliseconds is None:
        return None
    return pc.if_else(pa.array(usable), milliseconds, pa.scalar(None, pa.int64()))
