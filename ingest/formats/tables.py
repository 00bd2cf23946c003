"""Rows of a table (Parquet) to rows of the call record: in columns where that is the same as row by row."""

from typing import Any

import numpy as np
import pyarrow as pa

from core.record import RECORD_SCHEMA
from ingest.formats.arrow_columns import record_columns
from ingest.formats.auto import AutoFormat
from ingest.formats.base import Decoded, Format, Reject
from ingest.formats.merging import merged
from ingest.formats.native import NativeFormat


def decode_table(format_: Format, table: pa.Table) -> Decoded:
    """What `format_` makes of the rows of a table as objects, faster where it is tpscope's own."""
    if not table.num_rows:
        return format_.decode_objects([])
    if isinstance(format_, AutoFormat) and _is_own(format_, table):
        format_ = NativeFormat()
    if not isinstance(format_, NativeFormat):
        return _of_objects(format_, table)
    columns = {name: column.combine_chunks() for name, column in zip(table.column_names, table.columns, strict=True)}
    found = record_columns(columns, table.num_rows, typed=True)
    if not found.odd.any():
        return Decoded(rows=found.rows, valid=np.arange(table.num_rows), rejects=())
    odd, good = np.flatnonzero(found.odd), np.flatnonzero(~found.odd)
    rest = _of_objects(format_, table.take(pa.array(odd)))
    plain = Decoded(rows=found.rows.take(pa.array(good)), valid=np.arange(len(good)), rejects=())
    return merged([(good, plain), (odd, rest)])


def objects_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as objects. Raises ValueError or OverflowError for values that Python has no object for."""
    objects: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="lossy")
    return objects


def _of_objects(format_: Format, table: pa.Table) -> Decoded:
    try:
        return format_.decode_objects(objects_of(table))
    except (ValueError, OverflowError) as error:
        if table.num_rows > 1:
            half = table.num_rows // 2
            first, second = _of_objects(format_, table.slice(0, half)), _of_objects(format_, table.slice(half))
            return merged([(np.arange(half), first), (np.arange(half, table.num_rows), second)])
        reject = Reject(index=0, reason="bad_value", detail=f"a value cannot be read ({error})")
        return Decoded(rows=RECORD_SCHEMA.empty_table(), valid=np.empty(0, np.int64), rejects=(reject,))


def _is_own(format_: AutoFormat, table: pa.Table) -> bool:
    """Formats are recognised by the names of fields, which all rows of a table share."""
    return "ts" in table.column_names and format_.recognise(dict.fromkeys(table.column_names))[0] == NativeFormat.name
