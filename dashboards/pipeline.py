"""What the pipeline page shows: how data come in, what was rejected, how the jobs do, and what the store holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go

from core.schedule import intervals
from core.series import ALL_CALLS, METRICS
from core.types import JobState, Watermark
from dashboards import queries
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.outline import outline
from dashboards.status import Status, load_status
from dashboards.window import Window, read_window
from render.figures import is_empty, timeseries
from render.parts import Line, Span
from render.theme import theme_of
from storage import dead_letters, epochs, health, jobs, retention, watermarks
from storage.dead_letters import LetterFilter
from storage.health import StoreStats, TableSize

DEFAULT_LAST = "6h"
SAMPLES = 10
RECENT = timedelta(minutes=5)
LEADER = "leader"
"""The name under which the active jobs process claims its epoch."""

_KEEP_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job: what it reported last, and by the settings, when it is due again."""

    state: JobState
    every: timedelta | None
    failures: int

    @property
    def due_at(self) -> datetime | None:
        if self.every is None or self.state.last_success_at is None:
            return None
        return self.state.last_success_at + self.every

    @property
    def failing(self) -> bool:
        good, bad = self.state.last_success_at, self.state.last_error_at
        return bad is not None and (good is None or bad > good)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A rejected record without what is in it."""

    received_at: datetime
    where: str
    reason: str
    detail: str
    size_bytes: int
    fields: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineData:
    """The page.

    Attributes
    ----------
    rate : float
        Calls a second over the last whole minutes; NaN: none.
    leader_since : datetime or None
        When the active jobs process claimed `epoch`; None: there has been none.
    kept : dict
        Tables whose rows go, and after how long.
    """

    window: Window
    status: Status
    rate: float
    partitions: tuple[Watermark, ...]
    samples: tuple[Sample, ...]
    jobs: tuple[Job, ...]
    epoch: int
    leader_since: datetime | None
    store: StoreStats
    tables: tuple[TableSize, ...]
    kept: dict[str, timedelta]
    figure: go.Figure | None
    legend: tuple[Entry, ...]


def load_pipeline(web: Web, query: Mapping[str, str], look: Look) -> PipelineData:
    """Read and draw the page. Raises BadWindow, and what the store raises."""
    window = read_window(query, web.now(), DEFAULT_LAST)
    status = load_status(web)
    until = status.freshness.complete_until
    calls = queries.metric_frame(web, "tps", window, ALL_CALLS, until, alone=True)
    figure, legend = _figure(web, calls, window, look)
    leader = next((job for job in status.jobs if job.name == LEADER), None)
    return PipelineData(
        window=window,
        status=status,
        rate=_recent(web, until),
        partitions=tuple(web.cache.get("partitions", queries.FRESH_S, lambda: watermarks.read_watermarks(web.store))),
        samples=samples(web),
        jobs=jobs_of(web, status.jobs),
        epoch=web.cache.get("epoch", queries.FRESH_S, lambda: epochs.highest_epoch(web.store)),
        leader_since=leader.last_success_at if leader else None,
        store=web.cache.get("store", queries.SLOW_S, lambda: health.stats(web.store)),
        tables=tuple(web.cache.get("tables", _KEEP_S, lambda: health.table_sizes(web.store))),
        kept=retention.kept_for(web.settings.retention),
        figure=figure,
        legend=legend,
    )


def jobs_of(web: Web, states: tuple[JobState, ...]) -> tuple[Job, ...]:
    """The jobs by name; those that the settings ask for and that have not reported yet among them."""
    every = intervals(web.settings)
    since = web.now() - timedelta(days=1)
    failures = web.cache.get("job failures", _KEEP_S, lambda: jobs.count_failures(web.store, since))
    known = {state.name: state for state in states if state.name != LEADER}
    for name in every:
        known.setdefault(
            name,
            JobState(name=name, cursor=None, last_success_at=None, last_error_at=None, last_error="", duration_s=0.0),
        )
    return tuple(Job(state=known[name], every=every.get(name), failures=failures.get(name, 0)) for name in sorted(known))


def samples(web: Web) -> tuple[Sample, ...]:
    """The newest dead letters that were not replayed."""
    wanted = LetterFilter(replayed=False)
    found = web.cache.get(
        "letter samples", _KEEP_S, lambda: dead_letters.find_dead_letters(web.store, wanted, SAMPLES, payload=True)
    )
    return tuple(
        Sample(
            received_at=one.letter.received_at,
            where=f"{one.letter.topic}/{one.letter.partition} at {one.letter.offset:,}",
            reason=one.letter.reason,
            detail=one.letter.detail,
            size_bytes=one.letter.size_bytes,
            fields=outline(one.letter.payload),
        )
        for one in found
    )


def _recent(web: Web, until: datetime | None) -> float:
    if until is None:
        return float("nan")
    frame = queries.recent_minutes(web, "tps", ALL_CALLS, until, int(RECENT / timedelta(minutes=1)))
    return float(frame["value"].mean())


def _figure(web: Web, calls: pd.DataFrame, window: Window, look: Look) -> tuple[go.Figure | None, tuple[Entry, ...]]:
    if is_empty(calls):
        return None, ()
    span = Span(start=window.start, end=window.end, zone=web.zone.key)
    line = Line(name="calls", frame=calls)
    figure = timeseries([line], span, METRICS["tps"].unit, theme_of(look.mode), revision=f"{window.query}")
    return for_page(figure, "arrivals", look)
