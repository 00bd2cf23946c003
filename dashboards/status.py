"""The state of the service as pages, API and command line show it: freshness, dead letters, jobs, what fires."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.types import Incident, JobState
from dashboards import queries
from dashboards.context import Web
from dashboards.queries import Freshness

FRESH = timedelta(minutes=3)
"""Calls older than this are called stale: minutes are whole after a minute and late arrivals."""


PERIODIC = ("detection", "alerts", "hours", "baselines", "forecasts", "transactions")
"""Jobs that run by the clock, so that their last success says whether they still do; others wait for something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What everybody wants to know first."""

    now: datetime
    freshness: Freshness
    dead_letters: dict[str, int]
    jobs: tuple[JobState, ...]
    firing: tuple[Incident, ...]

    @property
    def age(self) -> timedelta | None:
        """Time since the end of the newest minute with calls; None without a call, never negative."""
        if self.freshness.newest is None:
            return None
        return max(self.now - self.freshness.newest - timedelta(minutes=1), timedelta(0))

    @property
    def fresh(self) -> bool:
        return self.age is not None and self.age <= FRESH


def load_status(web: Web) -> Status:
    """Read it; a few small questions, shared for some seconds."""
    return Status(
        now=web.now(),
        freshness=queries.freshness(web),
        dead_letters=queries.letters(web),
        jobs=tuple(sorted(queries.job_states(web), key=lambda job: job.name)),
        firing=tuple(queries.firing_incidents(web)),
    )
