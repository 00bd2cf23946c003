"""Samples from JSON: a value of a resource at a time, or several of them at once. Pure.

    {"ts": 1662859347, "name": "queue_depth", "value": 12, "labels": {"instance": "a"}}
    {"ts": "2026-03-01T12:00:00Z", "values": {"cpu": 0.4, "instances": 3}, "labels": {"pool": "gpu"}}

`ts` is read as that of a call. A value is a finite number, or a text that is one; in `values` a null says nothing. One bad
value rejects the whole record, as with calls. Labels are scalars, cut as attributes are, without what looks like a credential;
other fields of the record are labels, too, unless `labels` has one of that name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from core.record import IDENTITY_FIELDS, TS_TYPE
from ingest.formats import Reject
from ingest.formats.attributes import add_attributes
from ingest.formats.times import time_ms
from ingest.formats.values import number, quote
from storage.samples import SAMPLE_FIELDS

MAX_NAME = 200
"""Characters of a name; longer ones are rejected: cut they could be another's."""

MAX_VALUES = 1_000
"""Most values of one record."""

_FIELDS = frozenset({"ts", "name", "value", "values", "labels"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSamples:
    """A decoded batch. Every index of the batch is in `valid` or in `rejects`.

    Attributes
    ----------
    rows : pa.Table with the fields SAMPLE_FIELDS
        The values of the valid records, in order.
    valid : ndarray of int64, shape (rows,)
        The place in the batch of each row's record, ascending; a record with several values has several rows.
    rejects : tuple of Reject
        The others, ascending; reasons as those of calls.
    """

    rows: pa.Table
    valid: np.ndarray
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, slots=True)
class _Bad(Exception):
    reason: str
    detail: str


def decode_samples(values: Sequence[bytes]) -> DecodedSamples:
    """Decode records that are JSON text, one a value; no input makes it raise."""
    times: list[int] = []
    names: list[str] = []
    labels: list[list[tuple[str, str]]] = []
    numbers: list[float] = []
    valid: list[int] = []
    rejects: list[Reject] = []
    for place, value in enumerate(values):
        try:
            record = _object(value)
            at_ms = _time(record)
            found = list(_values(record))
            own = _labels(record)
        except _Bad as bad:
            rejects.append(Reject(index=place, reason=bad.reason, detail=bad.detail))
            continue
        for name, observed in found:
            times.append(at_ms)
            names.append(name)
            labels.append(own)
            numbers.append(observed)
            valid.append(place)
    columns = [
        pa.array(times, pa.int64()).cast(TS_TYPE),
        pa.array(names, pa.string()),
        pa.array(labels, SAMPLE_FIELDS[2].type),
        pa.array(numbers, pa.float64()),
    ]
    rows = pa.Table.from_arrays(columns, schema=pa.schema(SAMPLE_FIELDS))
    return DecodedSamples(rows=rows, valid=np.asarray(valid, np.int64), rejects=tuple(rejects))


def located_samples(
    decoded: DecodedSamples, topic: str, partition: int, offsets: Sequence[int] | np.ndarray, arrived_at: datetime
) -> pa.Table:
    """The rows as they are written (SAMPLE_SCHEMA), of records of one partition.

    Parameters
    ----------
    offsets : shape (records,)
        Of every record of the decoded batch, readable or not.
    """
    count = decoded.rows.num_rows
    columns = (
        pa.repeat(pa.scalar(arrived_at, TS_TYPE), count),
        pa.repeat(pa.scalar(topic, pa.string()), count),
        pa.repeat(pa.scalar(partition, pa.int32()), count),
        pa.array(np.asarray(offsets, np.int64)[decoded.valid]),
    )
    rows = decoded.rows
    for field, column in zip(IDENTITY_FIELDS, columns, strict=True):
        rows = rows.append_column(field, column)
    return rows


def _object(value: bytes) -> dict[str, Any]:
    if not value.strip():
        raise _Bad("empty", "the record has no bytes")
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _Bad("not_json", f"{error.msg} at column {error.colno}") from None
    if not isinstance(record, dict):
        raise _Bad("not_object", f"a JSON object is expected, not {quote(record)}")
    return record


def _time(record: dict[str, Any]) -> int:
    try:
        return time_ms(record.get("ts"))
    except ValueError as error:
        raise _Bad("bad_ts", f"ts: {quote(record.get('ts'))} {error}") from None


def _values(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Names and what was observed; at least one."""
    several = record.get("values")
    if several is None:
        observed = _number("value", record.get("value"))
        if observed is None:
            raise _Bad("bad_value", f"value: {quote(record.get('value'))} says nothing; give value, or values with names")
        yield _name(record.get("name")), observed
        return
    if "value" in record or "name" in record:
        raise _Bad("bad_value", "values: cannot be given together with name and value")
    if not isinstance(several, dict) or len(several) > MAX_VALUES:
        raise _Bad("bad_value", f"values: {quote(several)} is no object of at most {MAX_VALUES} numbers")
    known = {_name(name): _number(f"values.{name}", value) for name, value in several.items()}
    if all(observed is None for observed in known.values()):
        raise _Bad("bad_value", f"values: {quote(several)} says nothing")
    yield from ((name, observed) for name, observed in known.items() if observed is not None)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME:
        raise _Bad("bad_value", f"name: {quote(value)} is no text of 1 to {MAX_NAME} characters")
    return value.strip()


def _number(field: str, value: Any) -> float | None:
    try:
        found = number(value)
        return None if found is None else float(found)
    except (ValueError, OverflowError) as error:
        words = "is too large" if isinstance(error, OverflowError) else str(error)
        raise _Bad("bad_value", f"{field[:MAX_NAME]}: {quote(value)} {words}") from None


def _labels(record: dict[str, Any]) -> list[tuple[str, str]]:
    given = record.get("labels")
    if given is not None and not isinstance(given, dict):
        raise _Bad("bad_value", f"labels: {quote(given)} is no object")
    kept: dict[str, str] = {}
    add_attributes(kept, given or {})
    others: dict[str, str] = {}
    add_attributes(others, {name: value for name, value in record.items() if name not in _FIELDS})
    return sorted((others | kept).items())
