"""The last state that each job reported: its cursor, last success and last error."""

from datetime import datetime

import pyarrow as pa

from core.record import TS_TYPE
from core.types import JobState
from storage.contract import Store
from storage.frames import EVENT_FIELDS, events_table, moment_or_none

LATEST_JOBS = """
SELECT name, cursor, last_success_at, last_error_at, last_error, duration_s FROM jobs
WHERE empty({name:String}) OR name = {name:String}
ORDER BY name, epoch DESC, seq DESC LIMIT 1 BY name
"""
FAILURES = """
SELECT toString(name) AS name, toInt64(uniqExact(last_error_at)) AS failures FROM jobs
WHERE last_error_at >= {since:DateTime64(3, 'UTC')} GROUP BY name
"""
_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string()),
        *(pa.field(name, TS_TYPE) for name in ("cursor", "last_success_at", "last_error_at")),
        pa.field("last_error", pa.string()),
        pa.field("duration_s", pa.float64()),
        *EVENT_FIELDS,
    ]
)


def write_job(store: Store, state: JobState, epoch: int) -> None:
    """Report the whole state of a job; what is None stays unknown, it does not keep the former value."""
    store.insert("jobs", events_table(_SCHEMA, [state], epoch))


def read_job(store: Store, name: str) -> JobState | None:
    """The latest state of one job; None if it never reported."""
    found = _read(store, name)
    return found[0] if found else None


def read_jobs(store: Store) -> list[JobState]:
    """The latest state of every job that ever reported, by name."""
    return _read(store, "")


def count_failures(store: Store, since: datetime) -> dict[str, int]:
    """How often each job has failed since then; those that have not are not there."""
    return {row["name"]: row["failures"] for row in store.arrow(FAILURES, {"since": since}).to_pylist()}


def _read(store: Store, name: str) -> list[JobState]:
    rows = store.arrow(LATEST_JOBS, {"name": name}).to_pylist()
    return [
        JobState(
            name=row["name"],
            cursor=moment_or_none(row["cursor"]),
            last_success_at=moment_or_none(row["last_success_at"]),
            last_error_at=moment_or_none(row["last_error_at"]),
            last_error=row["last_error"],
            duration_s=row["duration_s"],
        )
        for row in rows
    ]
