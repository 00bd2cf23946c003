"""Single calls: written in batches, counted and read back exactly."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.record import CALL_SCHEMA
from core.series import ALL_CALLS, Selector
from storage.contract import Params, Store, Value
from storage.frames import moment, times_of, with_labels
from storage.rollups import IS_ERROR
from storage.selection import check_dimensions, matching

SPAN_OF_CALLS = "SELECT count() AS calls, min(ts) AS first, max(ts) AS last FROM calls"
STORED = """
SELECT toInt64(count()) AS calls FROM calls
WHERE topic = {topic:String} AND partition = {partition:Int32} AND offset BETWEEN {offset_min:Int64} AND {offset_max:Int64}
    AND ts BETWEEN {from:DateTime64(3, 'UTC')} AND {to:DateTime64(3, 'UTC')}
"""
_SINCE = "t.ts >= {start:DateTime64(3, 'UTC')}"
_UNTIL = "t.ts < {end:DateTime64(3, 'UTC')}"
_HOUR = "intDiv(toUnixTimestamp64Milli(t.ts), 3600000) * 3600"
_SUMS = f"""toInt64(count()) AS calls, toInt64(countIf({IS_ERROR})) AS errors,
    toInt64(sum(toUInt64(ifNull(t.prompt_tokens, 0)))) AS prompt_tokens,
    toInt64(sum(toUInt64(ifNull(t.completion_tokens, 0)))) AS completion_tokens"""


def insert_calls(store: Store, batch: pa.Table, *, token: str | None = None) -> None:
    """Write a batch of calls (`CALL_SCHEMA`) at once, with every rollup that follows from it.

    With a `token` a repeat of the same batch writes nothing. Raises TypeError that names the column when the batch has not
    the columns of `CALL_SCHEMA` with their types, or a NULL where a column has none; and what `Store.insert` raises.
    """
    _check(batch)
    if batch.num_rows:
        store.insert("calls", batch.select(CALL_SCHEMA.names), token=token)


def all_stored(store: Store, batch: pa.Table) -> bool:
    """Whether the calls hold every row of a batch already, told by its coordinates."""
    coordinates = batch.group_by(["topic", "partition"]).aggregate([("offset", "min"), ("offset", "max"), ("offset", "count")])
    span = pc.min_max(batch.column("ts")).as_py()
    for one in coordinates.to_pylist():
        rows = one.pop("offset_count")
        stored = store.arrow(STORED, {**one, "from": span["min"], "to": span["max"]})
        if int(stored.column("calls")[0].as_py()) < rows:
            return False
    return True


def count_calls(
    store: Store,
    start: datetime | None = None,
    end: datetime | None = None,
    selector: Selector = ALL_CALLS,
    origin: str | None = None,
) -> int:
    """How many calls of the span are kept; `origin` is `live`, `import` or `generated`."""
    where, params = _where(start, end, selector)
    if origin is not None:
        where, params = f"{where} AND t.origin = {{origin:String}}", {**params, "origin": origin}
    counted = store.arrow(f"SELECT toInt64(count()) AS calls FROM calls AS t WHERE {where}", params)
    return int(counted.column("calls")[0].as_py())


def read_calls(store: Store, start: datetime, end: datetime, selector: Selector = ALL_CALLS, limit: int = 10_000) -> pa.Table:
    """The first `limit` calls of the span in order of time, as a table of `CALL_SCHEMA`."""
    where, params = _where(start, end, selector)
    columns = ", ".join(f"t.{name} AS {name}" for name in CALL_SCHEMA.names)
    sql = f"SELECT {columns} FROM calls AS t WHERE {where} ORDER BY t.ts, t.topic, t.partition, t.offset LIMIT {{most:UInt64}}"
    return store.arrow(sql, {**params, "most": limit}).cast(CALL_SCHEMA)


def count_by(store: Store, start: datetime, end: datetime, by: tuple[str, ...], selector: Selector = ALL_CALLS) -> pd.DataFrame:
    """Calls, errors and tokens of the span per combination of `by`, counted from the single calls.

    Parameters
    ----------
    by : tuple of str
        Dimensions, `hour` (UTC start of the hour) and `status`.

    Returns
    -------
    DataFrame with `*by`, `calls`, `errors`, `prompt_tokens`, `completion_tokens`, sorted by `by`. Dimensions are `str`, `hour`
    `datetime64[ms, UTC]`, `status` `float64` with NaN for unknown, the counts `int64` (unknown tokens add nothing).
    """
    check_dimensions(name for name in by if name not in ("hour", "status"))
    where, params = _where(start, end, selector)
    keys = "".join(f"{_key(name)} AS {name}, " for name in by)
    group = f"GROUP BY {', '.join(by)} ORDER BY {', '.join(by)}" if by else ""
    frame = store.frame(f"SELECT {keys}{_SUMS} FROM calls AS t WHERE {where} {group}", params)
    if "hour" in by:
        frame["hour"] = times_of(frame["hour"])
    if "status" in by:
        frame["status"] = frame["status"].astype("float64")
    return with_labels(frame, (name for name in by if name not in ("hour", "status")))


def span_of_calls(store: Store) -> tuple[datetime, datetime] | None:
    """First and last `ts` of the calls that are kept; None without a call."""
    row = store.arrow(SPAN_OF_CALLS).to_pylist()[0]
    return (moment(row["first"]), moment(row["last"])) if row["calls"] else None


def _key(name: str) -> str:
    return _HOUR if name == "hour" else f"t.{name}"


def _where(start: datetime | None, end: datetime | None, selector: Selector) -> tuple[str, Params]:
    selected, labels = matching(selector, "t")
    params: dict[str, Value] = dict(labels)
    parts: Sequence[str] = ["1"]
    if start is not None:
        parts, params["start"] = [*parts, _SINCE], start
    if end is not None:
        parts, params["end"] = [*parts, _UNTIL], end
    return " AND ".join(parts) + selected, params


def _check(batch: pa.Table) -> None:
    for name in batch.schema.names:
        if name not in CALL_SCHEMA.names:
            raise TypeError(f"batch of calls: column {name!r} is not part of the call record")
    for field in CALL_SCHEMA:
        if field.name not in batch.schema.names:
            raise TypeError(f"batch of calls: column {field.name!r} is missing")
        found = batch.schema.field(field.name).type
        if found != field.type:
            raise TypeError(f"batch of calls: column {field.name!r} is {found}, not {field.type}")
        if not field.nullable and batch.column(field.name).null_count:
            raise TypeError(f"batch of calls: column {field.name!r} has NULLs; unknown texts are empty")
