"""The status line at the top and the footer at the bottom of every page."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.types import JobState
from dashboards.overview import since
from dashboards.pages.words import when
from dashboards.status import PERIODIC, Status

_CALLED = {"hours": "hourly numbers"}
"""What jobs are called whose name alone says little."""


def status_line(status: Status, zone: ZoneInfo) -> list[Any]:
    """How new the data are, and how many incidents fire."""
    if status.freshness.newest is None or status.age is None:
        data = html.Span("○ no calls yet", className="muted")
    elif status.fresh:
        data = html.Span("● live", className="verdict verdict-good", title="Calls of the last minutes have arrived")
    else:
        data = html.Span(
            ["▲ newest calls ", when(status.freshness.newest, zone)],
            className="verdict verdict-bad",
            title="Nothing newer has arrived",
        )
    count = len(status.firing)
    firing = [dcc.Link(f"◆ {count} firing", href="/incidents", className="badge badge-firing")] if count else []
    return [data, *firing]


def status_foot(status: Status, zone: ZoneInfo) -> list[Any]:
    """Freshness, dead letters and the jobs' last success."""
    letters = sum(status.dead_letters.values())
    reasons = ", ".join(
        f"{reason} {count}" for reason, count in sorted(status.dead_letters.items(), key=lambda item: -item[1])[:4]
    )
    newest = status.freshness.newest
    return [
        html.Span(["newest minute ", when(newest, zone)] if newest else "no calls yet"),
        html.Span(
            f"{letters:,} dead letter{'' if letters == 1 else 's'}", title=reasons or "Every record could be read", tabIndex=0
        ),
        *[_job(job, status.now) for job in status.jobs if job.name in PERIODIC or _failed(job)],
    ]


def _job(job: JobState, now: datetime) -> Any:
    done = since(job.last_success_at, now) if job.last_success_at is not None else "never"
    if _failed(job):
        return html.Span(
            f"▲ {job.name}: failed, last success {done}", className="verdict verdict-bad", title=job.last_error[:300]
        )
    return html.Span(f"{_CALLED.get(job.name, job.name)} {done}")


def _failed(job: JobState) -> bool:
    return job.last_error_at is not None and (job.last_success_at is None or job.last_error_at > job.last_success_at)
