"""How a job runs: it knows where it stands, reports success or error to the store, and returns what it did."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from core.clock import Clock
from core.errors import TpscopeError
from core.types import JobState
from storage.contract import Store
from storage.jobs import read_job, write_job


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What one run of a job did.

    Attributes
    ----------
    cursor : datetime or None
        Everything before it is done.
    items : int
        How much was done, in the job's own unit: minutes judged, series built, hours written.
    note : str
        One line for people where there is something to say (skipped, still learning); else empty.
    """

    name: str
    cursor: datetime | None
    items: int
    note: str = ""
    duration_s: float = 0.0


def run_job(name: str, store: Store, clock: Clock, epoch: int, body: Callable[[datetime | None], JobReport]) -> JobReport:
    """Run `body` with the job's cursor and write its state: on success with the new cursor, on error with the message.

    The error goes on to the caller. Where the store cannot be reached not even the error is written.
    """
    before = read_job(store, name) or JobState(
        name=name, cursor=None, last_success_at=None, last_error_at=None, last_error="", duration_s=0.0
    )
    started = time.perf_counter()
    try:
        report = body(before.cursor)
    except Exception as error:
        took = time.perf_counter() - started
        failed = replace(before, last_error_at=clock.now(), last_error=_one_line(error), duration_s=took)
        try:
            write_job(store, failed, epoch)
        except TpscopeError as unreachable:
            error.add_note(f"the state of job {name} could not be written either: {unreachable}")
        raise
    took = time.perf_counter() - started
    done = replace(before, cursor=report.cursor, last_success_at=clock.now(), last_error="", duration_s=took)
    write_job(store, done, epoch)
    return replace(report, duration_s=took)


def _one_line(error: Exception) -> str:
    return " ".join(f"{error}".split())[:500] or type(error).__name__
