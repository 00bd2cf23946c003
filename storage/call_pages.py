"""Single calls a page at a time: each page goes on behind the last call of the one before, whatever has come in since."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from core.record import CALL_SCHEMA
from core.series import ALL_CALLS, Selector
from storage.contract import Store, Value
from storage.frames import moment
from storage.selection import matching

_COLUMNS = ", ".join(f"t.{name} AS {name}" for name in CALL_SCHEMA.names)
_KEY = "t.ts, t.topic, t.partition, t.offset, t.request_id"
_BOUND = (
    "({at:DateTime64(3, 'UTC')}, {at_topic:String}, {at_partition:Int32}, {at_offset:Int64}, {at_request:String})"  # of `_KEY`
)
_SLOWNESS = "ifNull(t.latency_ms, -1)"
_BACK = (timedelta(hours=1), timedelta(hours=12))
_TICK = timedelta(milliseconds=1)
_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKey:
    """Where a page ends: the time of its last call and the record that it came in. What tells calls apart is its order.

    `latency_ms` is what pages by slowness are sorted by first; -1 where it is unknown.
    """

    ts: datetime
    topic: str
    partition: int
    offset: int
    request_id: str
    latency_ms: float = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQuestion:
    """Which calls; empty texts ask for nothing.

    Attributes
    ----------
    tenants : sequence of str
        Only calls of these; empty: of all.
    errors : bool
        Only calls with a status of 500 or more, or an error type.
    """

    start: datetime
    end: datetime
    selector: Selector = ALL_CALLS
    tenants: Sequence[str] = ()
    request_id: str = ""
    trace_id: str = ""
    errors: bool = False


def read_call_page(
    store: Store, question: CallQuestion, limit: int, after: CallKey | None = None, *, newest_first: bool = True
) -> pa.Table:
    """At most `limit` calls (`CALL_SCHEMA`) behind `after`, in order of time."""
    where, params = _where(question)
    order = " DESC" if newest_first else ""
    if after is not None:
        compare = "<" if newest_first else ">"
        where += f" AND t.ts {compare}= {{at:DateTime64(3, 'UTC')}} AND ({_KEY}) {compare} {_BOUND}"
        params |= _bound(after)
    keys = ", ".join(f"{name}{order}" for name in _KEY.split(", "))
    sql = f"SELECT {_COLUMNS} FROM calls AS t WHERE {where} ORDER BY {keys} LIMIT {{most:UInt64}}"
    return store.arrow(sql, {**params, "most": limit}).cast(CALL_SCHEMA)


def read_newest_page(store: Store, question: CallQuestion, limit: int, after: CallKey | None = None) -> pa.Table:
    """`read_call_page`, newest first; it looks at the last hour before it looks at days: most pages over weeks end there."""
    end = question.end if after is None else min(question.end, after.ts + _TICK)
    for back in _BACK:
        start = max(question.start, end - back)
        page = read_call_page(store, replace(question, start=start, end=end), limit, after)
        if page.num_rows == limit or start == question.start:
            return page
    return read_call_page(store, replace(question, end=end), limit, after)


def read_slowest_page(store: Store, question: CallQuestion, limit: int, after: CallKey | None = None) -> pa.Table:
    """At most `limit` calls (`CALL_SCHEMA`) behind `after`, the slowest first; those of unknown latency come last."""
    where, params = _where(question)
    if after is not None:
        where += f" AND ({_SLOWNESS}, {_KEY}) < ({{at_ms:Float32}}, {_BOUND.removeprefix('(')}"
        params |= {"at_ms": after.latency_ms, **_bound(after)}
    keys = ", ".join(f"{name} DESC" for name in (_SLOWNESS, *_KEY.split(", ")))
    sql = f"SELECT {_COLUMNS} FROM calls AS t WHERE {where} ORDER BY {keys} LIMIT {{most:UInt64}}"
    return store.arrow(sql, {**params, "most": limit}).cast(CALL_SCHEMA)


def read_call(store: Store, key: CallKey) -> pa.Table:
    """The one call of a key (`CALL_SCHEMA`), or no row."""
    where = f"t.ts = {{at:DateTime64(3, 'UTC')}} AND ({_KEY}) = {_BOUND}"
    return store.arrow(f"SELECT {_COLUMNS} FROM calls AS t WHERE {where} LIMIT 1", _bound(key)).cast(CALL_SCHEMA)


def key_of_last(page: pa.Table) -> CallKey:
    """Where a page that has calls ends."""
    return key_of_row(page.slice(page.num_rows - 1).to_pylist()[0])


def key_of_row(row: Mapping[str, Any]) -> CallKey:
    """The key of a call, which has the names of `CALL_SCHEMA`."""
    names = ("topic", "partition", "offset", "request_id")
    latency_ms = -1.0 if row["latency_ms"] is None else row["latency_ms"]
    return CallKey(ts=moment(row["ts"]), latency_ms=latency_ms, **{name: row[name] for name in names})


def call_chunks(store: Store, question: CallQuestion, most: int, chunk_rows: int) -> Iterator[pa.Table]:
    """The first `most` calls in order of time, some at a time; each is read when it is asked for."""
    after: CallKey | None = None
    while most > 0:
        page = read_call_page(store, question, min(most, chunk_rows), after, newest_first=False)
        if page.num_rows:
            yield page
            after = key_of_last(page)
        if page.num_rows < min(most, chunk_rows):
            return
        most -= page.num_rows


def _bound(key: CallKey) -> dict[str, Value]:
    return {
        "at": key.ts,
        "at_topic": key.topic,
        "at_partition": key.partition,
        "at_offset": key.offset,
        "at_request": key.request_id,
    }


def _where(question: CallQuestion) -> tuple[str, dict[str, Value]]:
    selected, labels = matching(question.selector, "t")
    where, params = _SPAN + selected, {**labels, "start": question.start, "end": question.end}
    if question.tenants:
        where, params["tenants"] = where + " AND has({tenants:Array(String)}, t.tenant)", list(question.tenants)
    for name in ("request_id", "trace_id"):
        if value := getattr(question, name):
            where, params[name] = where + f" AND t.{name} = {{{name}:String}}", value
    if question.errors:
        where += " AND (t.error_type != '' OR ifNull(t.status >= 500, false))"
    return where, params
