"""What a log format promises, and the walk over a batch that all of them share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa

from core.record import RECORD_SCHEMA
from ingest.formats.columns import Converted
from ingest.formats.values import quote

BLOCK_RECORDS = 2_048
"""Records decoded at a time: their objects stay in the processor's cache, a third faster than 50,000 at a time."""

Objects = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A record that cannot be read.

    Attributes
    ----------
    index : int
        Its place in the batch that was decoded.
    reason : str
        `empty`, `not_json`, `not_object`, `bad_ts`, `bad_value`, of `auto` also `unknown_format`, of `otel` `no_calls`;
        readers of files add their own.
    detail : str
        What was found, cut short.
    """

    index: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A decoded batch. Every index of the batch is either in `valid`, as often as its record holds calls, or once in `rejects`.

    Attributes
    ----------
    rows : pa.Table of RECORD_SCHEMA
        The calls of the valid records, in order.
    valid : ndarray of int64, shape (rows,)
        The places of their records in the batch, ascending.
    rejects : tuple of Reject
        The others, ascending.
    """

    rows: pa.Table
    valid: np.ndarray
    rejects: tuple[Reject, ...]


class Format(Protocol):
    """Turns a batch of log records into rows. Pure: no input makes it raise, block or keep anything."""

    @property
    def name(self) -> str: ...

    def decode(self, values: Sequence[bytes]) -> Decoded:
        """Decode records that are JSON text, one a value."""

    def decode_objects(self, objects: Sequence[object]) -> Decoded:
        """Decode records that are parsed already: dicts of plain Python values (also datetime, Decimal, bytes)."""


class ObjectFormat(ABC):
    """A format whose records are JSON objects; the sub-class turns a block of them into columns."""

    name: str
    block_records = BLOCK_RECORDS

    def decode(self, values: Sequence[bytes]) -> Decoded:
        return self._in_blocks(values, parse=True)

    def decode_objects(self, objects: Sequence[object]) -> Decoded:
        return self._in_blocks(objects, parse=False)

    @abstractmethod
    def columns(self, objects: Objects) -> list[Converted]:
        """The columns of RECORD_SCHEMA, in order; the objects may be changed."""

    def _in_blocks(self, batch: Sequence[Any], *, parse: bool) -> Decoded:
        tables: list[pa.Table] = []
        valid: list[np.ndarray] = [np.empty(0, np.int64)]
        rejects: list[Reject] = []
        for start in range(0, len(batch), self.block_records):
            block = batch[start : start + self.block_records]
            objects, places, unread = parsed(block) if parse else only_objects(block)
            table, kept, bad = _assemble(self.columns(objects), len(objects))
            tables.append(table)
            valid.append(start + places[kept])
            unread.extend(Reject(index=int(places[at]), reason=reason, detail=detail) for at, reason, detail in bad)
            unread.sort(key=lambda reject: reject.index)
            rejects.extend(Reject(index=start + one.index, reason=one.reason, detail=one.detail) for one in unread)
        rows = pa.concat_tables(tables).combine_chunks() if tables else RECORD_SCHEMA.empty_table()
        return Decoded(rows=rows, valid=np.concatenate(valid), rejects=tuple(rejects))


def parsed(values: Sequence[bytes]) -> tuple[Objects, np.ndarray, list[Reject]]:
    """Objects, their places in the block, and what is no object."""
    try:
        loads = orjson.loads
        found: Sequence[Any] = [loads(value) for value in values]
    except orjson.JSONDecodeError:
        return _parsed_singly(values)
    return only_objects(found)


def _parsed_singly(values: Sequence[bytes]) -> tuple[Objects, np.ndarray, list[Reject]]:
    found: list[Any] = []
    places: list[int] = []
    rejects: list[Reject] = []
    for index, value in enumerate(values):
        try:
            found.append(orjson.loads(value))
        except orjson.JSONDecodeError as error:
            if value.strip():
                rejects.append(Reject(index=index, reason="not_json", detail=f"{error.msg} at column {error.colno}"))
            else:
                rejects.append(Reject(index=index, reason="empty", detail="the record has no bytes"))
        else:
            places.append(index)
    objects, within, no_objects = only_objects(found)
    origin = np.asarray(places, np.int64)
    rejects.extend(Reject(index=places[one.index], reason=one.reason, detail=one.detail) for one in no_objects)
    return objects, origin[within], rejects


def only_objects(values: Sequence[Any]) -> tuple[Objects, np.ndarray, list[Reject]]:
    """Those that are objects, their places in the block, and the others."""
    if set(map(type, values)) <= {dict}:
        return list(values), np.arange(len(values), dtype=np.int64), []
    places = [index for index, one in enumerate(values) if isinstance(one, dict)]
    rejects = [
        Reject(index=index, reason="not_object", detail=f"a JSON object is expected, not {quote(one)}")
        for index, one in enumerate(values)
        if not isinstance(one, dict)
    ]
    return [values[index] for index in places], np.asarray(places, np.int64), rejects


def _assemble(columns: list[Converted], length: int) -> tuple[pa.Table, np.ndarray, list[tuple[int, str, str]]]:
    """The table of the good rows, their places, and (place, reason, detail) of the others; a row's first fault counts."""
    table = pa.Table.from_arrays([column.array for column in columns], schema=RECORD_SCHEMA)
    faults: dict[int, tuple[str, str]] = {}
    for field, column in zip(RECORD_SCHEMA, columns, strict=True):
        for place, detail in column.bad.items():
            faults.setdefault(place, ("bad_ts" if field.name == "ts" else "bad_value", detail))
    if not faults:
        return table, np.arange(length, dtype=np.int64), []
    good = np.ones(length, bool)
    good[list(faults)] = False
    kept = np.flatnonzero(good)
    return table.take(pa.array(kept)), kept, [(place, *fault) for place, fault in sorted(faults.items())]
