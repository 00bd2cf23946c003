"""Between Python values and columns: Arrow tables to write, times and labels of frames to read.

Times of every frame that this room hands out are `datetime64[ms, UTC]`, labels `str`, values `float64`, calls `int64`.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from core.record import TS_TYPE
from storage.sequence import next_seq

Ints = npt.NDArray[np.int64]

EVENT_FIELDS: tuple[pa.Field, ...] = (pa.field("epoch", pa.uint64()), pa.field("seq", pa.uint64()))
"""What decides which of several rows with one key holds."""


def items_table(schema: pa.Schema, items: Sequence[object], **made: Sequence[object]) -> pa.Table:
    """One row an item, built a column at a time: from `made` where it has the column, else the items' attribute of that name.

    Raises ValueError that names the column for a time without a time zone.
    """
    columns = []
    for field in schema:
        values = made[field.name] if field.name in made else [getattr(item, field.name) for item in items]
        columns.append(_times(field.name, values) if field.type == TS_TYPE else pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def events_table(schema: pa.Schema, items: Sequence[object], epoch: int, **made: Sequence[object]) -> pa.Table:
    """`items_table` with the writer's epoch and rising sequence numbers: of two items with one key the later holds."""
    first = next_seq(len(items))
    numbers = range(first, first + len(items))
    return items_table(schema, items, epoch=[epoch] * len(items), seq=list(numbers), **made)


def frame_table(schema: pa.Schema, frame: pd.DataFrame, **constants: object) -> pa.Table:
    """The frame's columns named by `schema`, and `constants` repeated for every row.

    Raises ValueError that names a column which is neither in the frame nor a constant.
    """
    columns = []
    for field in schema:
        if field.name in constants:
            value = [constants[field.name]]
            one = _times(field.name, value) if field.type == TS_TYPE else pa.array(value, field.type)
            columns.append(pa.repeat(one[0], len(frame)))
        elif field.name in frame.columns:
            # from_pandas=False: NaN is a value of a float column, not a NULL.
            array = pa.array(frame[field.name], from_pandas=not pa.types.is_floating(field.type))
            columns.append(array.cast(field.type, safe=not pa.types.is_timestamp(field.type)))
        else:
            raise ValueError(f"the frame has no column {field.name!r}; it has {', '.join(map(str, frame.columns))}")
    return pa.Table.from_arrays(columns, schema=schema)


def moment(value: datetime) -> datetime:
    """A time as read from the store, in UTC itself rather than a zone of that name."""
    return value.astimezone(UTC)


def moment_or_none(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def epoch_s(value: datetime) -> int:
    """Whole seconds since 1970; raises ValueError without a time zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; give an aware time")
    return int(value.timestamp() // 1)


def at_epoch_s(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def times_of(seconds: npt.ArrayLike) -> pd.DatetimeIndex:
    """Seconds since 1970 as `datetime64[ms, UTC]`."""
    milliseconds = np.asarray(seconds, dtype=np.int64) * 1000
    return pd.DatetimeIndex(milliseconds.view("datetime64[ms]")).tz_localize("UTC")


def with_labels(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The frame with its label columns as `str`, whichever engine it came from and also when it is empty."""
    return frame.astype(dict.fromkeys(names, "str"))


def _times(name: str, values: Sequence[Any]) -> pa.Array:
    if any(value is not None and value.tzinfo is None for value in values):
        raise ValueError(f"{name}: a time without a time zone; make it aware")
    return pa.array(values, pa.timestamp("us", tz="UTC")).cast(TS_TYPE, safe=False)
