"""The column `attributes` from Arrow columns: what `attributes` keeps of a record, without a Python object for each value.

Texts, numbers and booleans, in columns of their own, in the object `attributes` or in a map of texts. Rows with anything else
(lists, objects, values that may be credentials, very many attributes) are odd.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.record import RECORD_SCHEMA
from ingest.formats.attributes import (
    CREDENTIAL_STARTS,
    MAX_ATTRIBUTES,
    MAX_VALUE,
    Keeping,
    add_attributes,
    attributes_array,
    keeping,
)

WITHIN = "attributes."
"""Start of the flat name of an attribute."""

_KNOWN = frozenset(RECORD_SCHEMA.names)
_STARTS = np.zeros(256, bool)
_STARTS[[ord(letter) for letter in CREDENTIAL_STARTS]] = True
_TYPE = RECORD_SCHEMA.field("attributes").type


@dataclass(frozen=True, slots=True)
class _Entries:
    """Attributes of some rows: row, name (a number of a name) and text of each."""

    rows: np.ndarray
    names: np.ndarray
    texts: pa.Array


def attributes_of(given: Mapping[str, pa.Array], length: int, odd: np.ndarray, *, typed: bool = False) -> pa.Array:
    """The attributes of each row, sorted by name; rows that need a closer look are added to `odd`.

    `typed`: the values are of the columns' types; else they were JSON, where 1 and 1.0 are told apart.
    """
    names: list[str] = []
    found = [entries for part in _parts(given, odd) if len((entries := _entries(*part, names, odd, typed=typed)).rows)]
    inner = given.get("attributes")
    if inner is not None and inner.type == _TYPE and inner.null_count < length:
        found.append(_of_map(inner, names, odd))
    if not found:
        return attributes_array((), length)
    rows = np.concatenate([one.rows for one in found])
    # Numbers of names in the order of the names; what was named twice has one number.
    ordered, numbers = np.unique(np.asarray(names, object), return_inverse=True)
    name_of = numbers[np.concatenate([one.names for one in found])]
    order = np.lexsort((name_of, rows))
    rows, name_of = rows[order], name_of[order]
    odd[rows[1:][(rows[1:] == rows[:-1]) & (name_of[1:] == name_of[:-1])]] = True
    counts = np.bincount(rows, minlength=length)
    odd |= counts >= MAX_ATTRIBUTES
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    keys = pa.array(ordered.tolist(), pa.string()).take(pa.array(name_of))
    texts = pa.concat_arrays([one.texts for one in found]).take(pa.array(order))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, texts, type=_TYPE)


def _parts(given: Mapping[str, pa.Array], odd: np.ndarray) -> Iterator[tuple[str, pa.Array]]:
    """Names and columns of which attributes are made."""
    for name, array in given.items():
        if name not in _KNOWN:
            yield name.removeprefix(WITHIN), array
    inner = given.get("attributes")
    if inner is None or inner.null_count == len(inner):
        return
    if pa.types.is_struct(inner.type):
        for place, field in enumerate(inner.type):
            # `flatten` would do, and makes every child null where its object is.
            yield field.name, pc.struct_field(inner, [place])
    elif inner.type != _TYPE:
        mark(odd, pc.is_valid(inner))


def _entries(name: str, array: pa.Array, names: list[str], odd: np.ndarray, *, typed: bool) -> _Entries:
    stored, allowed = keeping(name)
    nothing = _Entries(np.empty(0, np.int64), np.empty(0, np.int64), pa.array([], pa.string()))
    if allowed is Keeping.NOTHING or array.null_count == len(array):
        return nothing
    kind = array.type
    if pa.types.is_string(kind):
        if allowed is not Keeping.ALL:
            return nothing
        texts = _harmless(array, odd)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        texts = pc.cast(array, pa.string())
    elif typed:
        texts = _of_values(name, array, odd)
    elif pa.types.is_float64(kind):
        texts = _of_floats(array, odd)
    else:
        mark(odd, pc.is_valid(array))
        return nothing
    names.append(stored)
    rows = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
    return _Entries(rows, np.full(len(rows), len(names) - 1), texts.drop_null())


def _of_map(inner: pa.MapArray, names: list[str], odd: np.ndarray) -> _Entries:
    """The entries of a map of texts, as exports have it."""
    offsets = inner.offsets.to_numpy()
    counts = np.where(inner.is_valid().to_numpy(zero_copy_only=False), np.diff(offsets), 0)
    mark(odd, pc.and_(inner.is_null(), pa.array(np.diff(offsets) > 0)))
    rows = np.repeat(np.arange(len(inner)), np.diff(offsets))
    keys = inner.keys.slice(offsets[0], len(rows)).dictionary_encode()
    known = [keeping(key) for key in keys.dictionary.to_pylist()]
    allowed = np.array([one is Keeping.ALL for _, one in known], bool)
    of_name = np.arange(len(names), len(names) + len(known))
    names.extend(stored for stored, _ in known)
    suspicious = np.zeros(len(rows), bool)
    texts = _harmless(inner.items.slice(offsets[0], len(rows)), suspicious)
    which = keys.indices.to_numpy(zero_copy_only=False)
    odd[rows[suspicious]] = True
    kept = np.flatnonzero(allowed[which] & texts.is_valid().to_numpy(zero_copy_only=False) & (counts[rows] > 0))
    return _Entries(rows[kept], of_name[which[kept]], texts.take(pa.array(kept)))


def _of_values(name: str, array: pa.Array, odd: np.ndarray) -> pa.Array:
    """Values of any type as they are kept of objects."""
    try:
        values = array.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError):  # times that Python has not
        mark(odd, pc.is_valid(array))
        return pa.nulls(len(array), pa.string())
    texts = []
    for value in values:
        kept: dict[str, str] = {}
        add_attributes(kept, {name: value})
        texts.append(next(iter(kept.values()), None))
    return pa.array(texts, pa.string())


def _harmless(texts: pa.Array, odd: np.ndarray) -> pa.Array:
    """The texts, null where empty; what may be a credential, or has to be cut, is odd."""
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > MAX_VALUE:
        mark(odd, pc.greater(pc.binary_length(texts), MAX_VALUE))
    places = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
    if len(places):
        _, offsets, data = texts.buffers()
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts)][places]
        suspects = places[_STARTS[np.frombuffer(data, np.uint8)[starts]]]
        # Any letter but a-z among them may be one that folds to one of these, as the long s does.
        if len(suspects):
            likely = pc.match_substring_regex(texts.take(pa.array(suspects)), r"(?i)bearer|basic|sk-|[^\x00-\x7f]")
            odd[suspects[likely.to_numpy(zero_copy_only=False)]] = True
    return texts


def _of_floats(array: pa.Array, odd: np.ndarray) -> pa.Array:
    """Whole numbers among them may have been written without a point, and are odd."""
    numbers = array.fill_null(0.5).to_numpy(zero_copy_only=False)
    odd |= ~np.isfinite(numbers) | (numbers == np.floor(numbers))
    return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())


def mark(odd: np.ndarray, which: pa.Array) -> None:
    """Add the rows where `which` is true."""
    odd |= which.fill_null(False).to_numpy(zero_copy_only=False)
