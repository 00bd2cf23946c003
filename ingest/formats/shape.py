"""What fields a reader of columns has to expect, learned from records that were parsed one by one.

Arrow's JSON reader could find out by itself, and does not for two reasons: it takes texts that look like times for times, and
a record of deep nesting or batches of ever new names make it take all memory or crash. With every field named beforehand, it
refuses whatever else comes, before it looks into it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import pyarrow as pa

from core.record import RECORD_SCHEMA

MAX_LEARNED = 64
"""Fields beyond those of the call record, and fields of `attributes`, that are expected."""

_MOST = len(RECORD_SCHEMA.names) + MAX_LEARNED
_KNOWN = frozenset(RECORD_SCHEMA.names)
_NUMBER = pa.float64()
_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: _NUMBER,
    type(None): pa.string(),  # until it has a value
}


@dataclass(frozen=True, slots=True)
class Shape:
    """Fields with the Arrow types to read them as. What is not among them has not come yet, or is not read in columns."""

    fields: Mapping[str, pa.DataType] = field(default_factory=dict)
    attributes: Mapping[str, pa.DataType] | None = None

    def schema(self) -> pa.Schema:
        """For the reader."""
        fields = [pa.field(name, kind) for name, kind in self.fields.items()]
        if self.attributes is not None:
            fields.append(pa.field("attributes", pa.struct([pa.field(*one) for one in self.attributes.items()])))
        return pa.schema(fields)

    def learned(self, objects: Iterable[Mapping[str, Any]], *, again: bool = False) -> Self:
        """The shape with what occurs in these records; the same object if nothing is new.

        `again`: a field that was read as one type is read as another from now on, where these records have it so.
        """
        fields = dict(self.fields)
        attributes = None if self.attributes is None else dict(self.attributes)
        for one in objects:
            for name, value in one.items():
                if name != "attributes":
                    _learn(fields, name, _kind(name, value), again=again and value is not None)
                elif isinstance(value, dict):
                    attributes = attributes or {}
                    for inner, kept in value.items():
                        _learn(attributes, inner, _SCALARS.get(type(kept)), again=again and kept is not None)
        if fields == self.fields and attributes == self.attributes:
            return self
        return type(self)(fields, attributes)


def _learn(into: dict[str, pa.DataType], name: str, kind: pa.DataType | None, *, again: bool) -> None:
    if kind is None:
        return
    before = into.get(name)
    if before is None:
        if name in _KNOWN or len(into) < _MOST:
            into[name] = kind
    elif name != "ts" and {before, kind} == {pa.int64(), _NUMBER}:
        into[name] = _NUMBER  # both fit into the wider one
    elif again:
        into[name] = kind


def _kind(name: str, value: Any) -> pa.DataType | None:
    """The type to read a value as; None where it is not read in columns."""
    if name not in _KNOWN or name == "ts":
        return _SCALARS.get(type(value))
    kind = type(value)
    if name == "prompt_hash":
        return {int: pa.uint64(), str: pa.string(), type(None): pa.uint64()}.get(kind)
    expected = RECORD_SCHEMA.field(name).type
    if kind is bool or expected == pa.bool_():
        return {bool: expected, type(None): expected, int: _NUMBER}.get(kind) if expected == pa.bool_() else None
    if expected == pa.string():
        return {str: expected, int: pa.int64(), type(None): expected}.get(kind)
    # As floats: `200.0` is a status, and whole numbers up to 2**53 are kept exactly.
    return {int: _NUMBER, float: _NUMBER, str: pa.string(), type(None): _NUMBER}.get(kind)
