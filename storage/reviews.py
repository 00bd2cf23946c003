"""The archive of reviews: versions are added and never changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from core.record import TS_TYPE
from core.reviews import ArchivedReview
from storage.contract import Store
from storage.frames import items_table, moment
from storage.sequence import next_seq

_COLUMNS = "id, kind, version, starts_at, ends_at, made_at, made_by, words"
LIST = f"""
SELECT {_COLUMNS} FROM (SELECT {_COLUMNS} FROM reviews ORDER BY id, version, seq LIMIT 1 BY id, version)
WHERE empty({{kind:String}}) OR kind = {{kind:String}}
ORDER BY ends_at DESC, kind, version DESC LIMIT {{most:UInt64}}
"""
ONE = f"""
SELECT {_COLUMNS}, body, page FROM reviews
WHERE id = {{id:String}} AND ({{version:UInt32}} = 0 OR version = {{version:UInt32}})
ORDER BY version DESC, seq LIMIT 1
"""
LATEST_END = """
SELECT toInt64(count()) AS found, max(ends_at) AS ended FROM reviews WHERE kind = {kind:String} AND made_by = {by:String}
"""
BY_SCHEDULE = "schedule"
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "kind")),
        pa.field("version", pa.uint32()),
        *(pa.field(name, TS_TYPE) for name in ("starts_at", "ends_at", "made_at")),
        *(pa.field(name, pa.string()) for name in ("made_by", "words", "body", "page")),
        pa.field("seq", pa.uint64()),
    ]
)


def archive(store: Store, review: ArchivedReview) -> ArchivedReview:
    """Keep a review as the next version of its id; returns it with that. `version` of the argument is not looked at."""
    newest = read_review(store, review.id)
    made = replace(review, version=1 if newest is None else newest.version + 1)
    columns: dict[str, Sequence[object]] = {
        "starts_at": [made.start],
        "ends_at": [made.end],
        "seq": [next_seq(1)],
    }
    store.insert("reviews", items_table(_SCHEMA, [made], **columns))
    return made


def list_reviews(store: Store, kind: str = "", most: int = 200) -> list[ArchivedReview]:
    """All versions without their bodies, the latest period first, at most `most`."""
    return [_review(row) for row in store.arrow(LIST, {"kind": kind, "most": most}).to_pylist()]


def read_review(store: Store, review_id: str, version: int = 0) -> ArchivedReview | None:
    """One version whole, the newest where none is named; None: there is none."""
    rows = store.arrow(ONE, {"id": review_id, "version": version}).to_pylist()
    return _review(rows[0]) if rows else None


def scheduled_until(store: Store, kind: str) -> datetime | None:
    """The end of the last period of this kind that was reviewed on schedule; None: none was."""
    row = store.arrow(LATEST_END, {"kind": kind, "by": BY_SCHEDULE}).to_pylist()[0]
    return moment(row["ended"]) if row["found"] else None


def _review(row: dict[str, Any]) -> ArchivedReview:
    times = {"start": moment(row.pop("starts_at")), "end": moment(row.pop("ends_at"))}
    return ArchivedReview(**{**row, **times, "made_at": moment(row["made_at"])})
