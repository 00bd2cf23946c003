"""Single calls a page at a time: each page goes on behind the last call of the one before, whatever has come in since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

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
_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallKey:
    """Where a page ends: the time of its last call and the record that it came in. What tells calls apart is its order."""

    ts: datetime
    topic: str
    partition: int
    offset: int
    request_id: str


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
        params |= {
            "at": after.ts,
            "at_topic": after.topic,
            "at_partition": after.partition,
            "at_offset": after.offset,
            "at_request": after.request_id,
        }
    keys = ", ".join(f"{name}{order}" for name in _KEY.split(", "))
    sql = f"SELECT {_COLUMNS} FROM calls AS t WHERE {where} ORDER BY {keys} LIMIT {{most:UInt64}}"
    return store.arrow(sql, {**params, "most": limit}).cast(CALL_SCHEMA)


def key_of_last(page: pa.Table) -> CallKey:
    """Where a page that has calls ends."""
    row = page.slice(page.num_rows - 1).select(["ts", "topic", "partition", "offset", "request_id"]).to_pylist()[0]
    return CallKey(**{**row, "ts": moment(row["ts"])})


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
