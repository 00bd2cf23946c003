"""When the jobs run: APScheduler triggers, one run of a job at a time, a failing job never stops the others."""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from core.errors import TransientError
from tpscope.leader import Leader

logger = logging.getLogger(__name__)

Hastens = Callable[[Any], Mapping[str, timedelta]]
"""Which jobs have something to do after a run that returned this, and in how long."""


def nothing(done: object) -> Mapping[str, timedelta]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to do at an interval.

    Attributes
    ----------
    run : callable
        Takes the fencing epoch; catches up by its own cursor, so a missed run is made good by the next.
    first_after : timedelta
        Wait before the first run; keeps heavy jobs from all starting at once.
    hastens : callable
        Takes what `run` returned; the named jobs run earlier than their interval says.
    """

    name: str
    every: timedelta
    run: Callable[[int], object]
    first_after: timedelta = timedelta(0)
    hastens: Hastens = nothing


class JobScheduler:
    """Runs the jobs while this process is the active one.

    Two threads: long jobs (baselines, forecasts) take one, so that detection always has the other; and one more for each job
    in `alone`, which waits for no other.
    """

    def __init__(
        self,
        jobs: list[Job],
        leader: Leader,
        slow: frozenset[str],
        pace: float = 1.0,
        alone: frozenset[str] = frozenset(),
    ) -> None:
        self._leader, self._pace = leader, pace
        self._last_error: dict[str, str] = {}
        self._running = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={name: ThreadPoolExecutor(1) for name in ("quick", "slow", *alone)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for job in jobs:
            self._scheduler.add_job(
                self._guarded,
                IntervalTrigger(seconds=job.every.total_seconds() / pace, timezone=UTC),
                args=[job],
                id=job.name,
                name=job.name,
                executor=job.name if job.name in alone else "slow" if job.name in slow else "quick",
                next_run_time=datetime.now(UTC) + job.first_after / pace,
            )

    def start(self) -> None:
        self._running.set()
        self._scheduler.start()

    def stop(self, interrupt: Callable[[], None]) -> None:
        """Return when the running jobs have ended; `interrupt` makes what they do fail, which is not told as an error then."""
        self._running.clear()
        interrupt()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def _guarded(self, job: Job) -> None:
        epoch = self._leader.epoch()
        if epoch is None or not self._running.is_set():
            return
        try:
            done = job.run(epoch)
        except TransientError as error:
            self._tell(job, str(error), trace=False)
        except Exception as error:  # noqa: BLE001 (the top of a job: one that fails must not stop the others)
            self._tell(job, str(error), trace=True)
        else:
            if self._last_error.pop(job.name, None):
                logger.info("job %s works again", job.name)
            for name, wait in job.hastens(done).items():
                self._hasten(name, datetime.now(UTC) + wait / self._pace)

    def _hasten(self, name: str, at: datetime) -> None:
        """Let a job run at that time; its interval counts from then on."""
        job = self._scheduler.get_job(name) if self._running.is_set() else None
        if job is not None and job.next_run_time > at:
            with contextlib.suppress(JobLookupError):  # the scheduler ends just now
                job.modify(next_run_time=at)

    def _tell(self, job: Job, problem: str, *, trace: bool) -> None:
        if not self._running.is_set():
            logger.info("job %s was interrupted; it goes on after the next start", job.name)
        elif self._last_error.get(job.name) != problem:
            logger.error("job %s failed: %s; it is tried again every %s", job.name, problem, job.every, exc_info=trace)
        self._last_error[job.name] = problem
