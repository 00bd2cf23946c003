"""From when to when there are calls, and how many points of them are read at once."""

from datetime import datetime

from storage.contract import Store
from storage.frames import moment

MAX_POINTS = 5_000_000
"""Most points that one read of series brings."""

DATA_SPAN = "SELECT toInt64(count()) AS rows, min(minute) AS first, max(minute) AS last FROM route_1m"


ANY_OF_ORIGIN = """SELECT origin FROM model_1m
WHERE origin = {origin:String} AND minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')} LIMIT 1"""


def has_calls_of(store: Store, origin: str, start: datetime, end: datetime) -> bool:
    """Whether the minute rollups know of a call with this origin in the span (whole minutes)."""
    return bool(store.arrow(ANY_OF_ORIGIN, {"origin": origin, "start": start, "end": end}).num_rows)


def latest_minute(store: Store) -> datetime | None:
    """Start of the newest minute with calls, from whatever origin; None without a call."""
    span = data_span(store)
    return span and span[1]


def data_span(store: Store) -> tuple[datetime, datetime] | None:
    """First and last minute (their starts) that the minute rollups know of, any origin; None without a call."""
    row = store.arrow(DATA_SPAN).to_pylist()[0]
    return (moment(row["first"]), moment(row["last"])) if row["rows"] else None
