"""Arrow columns in ClickHouse's Native format: what an insert sends to a server, made a column at a time.

The driver's own writers walk over Python objects; here the bytes come from Arrow's buffers by numpy. The format is
described in ClickHouse's docs (native protocol, columns) and its `Serialization*.cpp`.
"""

import re
import struct
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WRAPPER = re.compile(r"(Nullable|LowCardinality|Array|Map|SimpleAggregateFunction)\((.+)\)")
_TIME64 = re.compile(r"DateTime64\((\d)(?:, *'[^']*')?\)")
_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}
_FIXED: dict[str, tuple[pa.DataType, str]] = {  # the Arrow type to cast to, and the width of the wire's numbers
    **{f"{sign}Int{bits}": (getattr(pa, f"{sign.lower()}int{bits}")(), f"<{'u' if sign else 'i'}{bits // 8}")
       for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "Float32": (pa.float32(), "<f4"),
    "Float64": (pa.float64(), "<f8"),
    "Bool": (pa.bool_(), "<u1"),
    "Date": (pa.date32(), "<u2"),
}  # fmt: skip
_VARINT_LIMITS = np.array([1 << 7, 1 << 14, 1 << 21, 1 << 28])  # from here on one byte more
_OWN_KEYS, _NEW_DICTIONARY = 1 << 9, 1 << 10  # flags of LowCardinality: this block brings its dictionary along
_SHARED_DICTIONARIES = 1  # version of LowCardinality's serialization


def encode_column(column: pa.ChunkedArray, type_name: str) -> bytes:
    """The bytes of a column of at least one row, as ClickHouse type `type_name` has them.

    Raises ValueError for a type that cannot be written, a NULL where the type takes none, and a value that does not fit.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # combine_chunks gives chunks back when dictionaries differ
        array = array.unify_dictionaries().combine_chunks()
    return _prefix(type_name) + b"".join(_data(array, type_name))


def _data(array: pa.Array, type_name: str) -> list[bytes]:
    kind, inner = _split(type_name)
    match kind:
        case "Nullable":
            missing = array.is_null().cast(pa.uint8()).to_numpy(zero_copy_only=False)
            return [missing.tobytes(), *_data(_filled(array), inner[0])]
        case "LowCardinality":
            return _low_cardinality(array, inner[0])
        case "SimpleAggregateFunction":
            return _data(array, inner[1])
    if array.null_count:
        raise ValueError(f"{type_name} takes no NULL")
    match kind:
        case "Array":
            first, sizes = _offsets(array)
            return [sizes, *_data(array.values.slice(first, _last(array) - first), inner[0])]
        case "Map":
            first, sizes = _offsets(array)
            length = _last(array) - first
            return [
                sizes,
                *_data(array.keys.slice(first, length), inner[0]),
                *_data(array.items.slice(first, length), inner[1]),
            ]
    return [_strings(array)] if type_name == "String" else [_numbers(array, type_name)]


def _numbers(array: pa.Array, type_name: str) -> bytes:
    if type_name in _FIXED:
        arrow, wire = _FIXED[type_name]
        values = array.cast(arrow)
        if arrow == pa.date32():
            values = values.cast(pa.int32())
        return _bytes(values, wire)
    if type_name.startswith("DateTime64") and (match := _TIME64.fullmatch(type_name)) and int(match[1]) in _UNITS:
        return _bytes(_ticks(array, _UNITS[int(match[1])]), "<i8")
    if re.fullmatch(r"DateTime(\('[^']*'\))?", type_name):
        return _bytes(_ticks(array, "s").cast(pa.uint32()), "<u4")
    raise ValueError(f"a column of type {type_name} cannot be written")


def _ticks(array: pa.Array, unit: str) -> pa.Array:
    if not pa.types.is_timestamp(array.type):
        raise ValueError(f"a timestamp is needed, not {array.type}")
    return array.cast(pa.timestamp(unit, tz=array.type.tz), safe=False).cast(pa.int64())


def _bytes(array: pa.Array, wire: str) -> bytes:
    numbers: np.ndarray = array.to_numpy(zero_copy_only=False)
    return numbers.astype(wire, copy=False).tobytes()


def _strings(array: pa.Array) -> bytes:
    """Each text as the length of its bytes (a varint: 7 bits a byte, lowest first) and the bytes."""
    binary = (array.dictionary_decode() if pa.types.is_dictionary(array.type) else array).cast(pa.large_binary())
    _, offset_buffer, data_buffer = binary.buffers()
    offsets = np.frombuffer(offset_buffer, "<i8")[binary.offset : binary.offset + len(binary) + 1]
    lengths = np.diff(offsets)
    width = np.searchsorted(_VARINT_LIMITS, lengths, side="right") + 1
    starts = np.concatenate(([0], np.cumsum(lengths + width)))
    wire = np.empty(starts[-1], "u1")
    is_text = np.ones(starts[-1], bool)
    for number in range(int(width.max(initial=0))):
        rows = np.flatnonzero(width > number)
        places = starts[rows] + number
        more = (width[rows] > number + 1).astype("i8") << 7
        wire[places] = (lengths[rows] >> (7 * number)) & 0x7F | more
        is_text[places] = False
    if data_buffer is not None:
        wire[is_text] = np.frombuffer(data_buffer, "u1")[offsets[0] : offsets[-1]]
    return wire.tobytes()


def _low_cardinality(array: pa.Array, inner: str) -> list[bytes]:
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    kind, nested = _split(inner)
    keys, values = encoded.indices, encoded.dictionary
    if values.null_count:  # a NULL in the dictionary itself: as if the rows were NULL
        encoded = array.cast(values.type).dictionary_encode()
        keys, values = encoded.indices, encoded.dictionary
    if kind == "Nullable":  # the first entry stands for NULL
        null = _data(_filled(pa.nulls(1, values.type)), nested[0])
        entries, size = [*null, *_data(values, nested[0])], len(values) + 1
        keys = pc.fill_null(pc.add(keys.cast(pa.int64()), 1), 0)
    elif keys.null_count:
        raise ValueError(f"LowCardinality({inner}) takes no NULL")
    else:
        entries, size = _data(values, inner), len(values)
    width = 0 if size <= 1 << 8 else 1 if size <= 1 << 16 else 2
    head = struct.pack("<QQ", width | _OWN_KEYS | _NEW_DICTIONARY, size)
    return [head, *entries, struct.pack("<Q", len(array)), _bytes(keys, f"<u{1 << width}")]


def _offsets(array: pa.Array) -> tuple[int, bytes]:
    """Where the elements begin, and for each row the number of elements up to its end."""
    offsets = array.offsets.to_numpy().astype("<u8")
    return int(offsets[0]), (offsets[1:] - offsets[0]).tobytes()


def _last(array: pa.Array) -> int:
    return int(array.offsets[-1].as_py())


def _filled(array: pa.Array) -> pa.Array:
    """Something in the place of every NULL; the null map says that it does not count."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.null_count == 0:
        return array
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        return array.fill_null(pa.scalar(0, array.type))
    return array.fill_null(pa.scalar("" if _is_text(array.type) else 0).cast(array.type))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    )


def _prefix(type_name: str) -> bytes:
    """What stands before the data of a column, for LowCardinality at any depth."""
    kind, inner = _split(type_name)
    if kind == "LowCardinality":
        return struct.pack("<Q", _SHARED_DICTIONARIES)
    return b"".join(_prefix(part) for part in inner)


@lru_cache(maxsize=1024)
def _split(type_name: str) -> tuple[str, tuple[str, ...]]:
    """`Map(String, UInt8)` as `Map` and its parts; a plain type as an empty text and nothing."""
    match = _WRAPPER.fullmatch(type_name)
    if not match:
        return "", ()
    parts, depth, start = [], 0, 0
    for place, character in enumerate(match[2]):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(match[2][start:place].strip())
            start = place + 1
    return match[1], (*parts, match[2][start:].strip())
