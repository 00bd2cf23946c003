"""What keeps tpscope itself from seeing: late data, jobs that stand still, records that cannot be read. Pure."""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from alerts.judgement import Clear, Firing, Judgement
from core.config import PipelineRule
from core.types import JobState, Watermark
from render.units import format_span

WATCHED_JOBS: Mapping[str, timedelta] = {"detection": timedelta(minutes=5), "hours": timedelta(minutes=30)}
"""Jobs that run by the clock, and how long each may stand still at least."""

LETTERS_SPAN = timedelta(minutes=15)
_GONE = timedelta(hours=1)
"""A partition that has brought nothing for so long is not late, but gone."""

_NOT_STREAMED = ("import:", "generated:")


def judge_pipeline(
    rule: PipelineRule,
    watermarks: Iterable[Watermark],
    jobs: Iterable[JobState],
    letters: int,
    now: datetime,
    open_fingerprints: Collection[str],
) -> Judgement:
    """What the rule says now; `letters` are the dead letters of `LETTERS_SPAN`."""
    found = {**_lag(rule, watermarks, now), **_jobs(rule, jobs, now), **_letters(rule, letters)}
    firings = tuple(_firing(rule, check, *words, now) for check, words in found.items() if words[0])
    checks = [check for check, words in found.items() if not words[0]]
    known = (_fingerprint(rule, check) for check in checks)
    clears = tuple(Clear(fingerprint=name, since=now, recovered=True) for name in known if name in open_fingerprints)
    return Judgement(firings=firings, clears=clears)


def _lag(rule: PipelineRule, watermarks: Iterable[Watermark], now: datetime) -> dict[str, tuple[str, str]]:
    live = [one for one in watermarks if not one.topic.startswith(_NOT_STREAMED) and now - one.arrived_at < _GONE]
    late = [one for one in live if one.delay_s > rule.max_delay.total_seconds()]
    if not live:
        return {}
    if not late:
        return {"lag": ("", "")}
    worst = max(late, key=lambda one: one.delay_s)
    delay = format_span(timedelta(seconds=worst.delay_s))
    summary = (
        f"Calls of topic {worst.topic} arrive {delay} late ({len(late)} of {len(live)} partitions); minutes are judged late."
    )
    return {"lag": (f"Calls arrive late: {delay}", summary)}


def _jobs(rule: PipelineRule, jobs: Iterable[JobState], now: datetime) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for job in jobs:
        if job.name not in WATCHED_JOBS or job.last_success_at is None:
            continue
        still = now - job.last_success_at
        if still <= max(rule.max_delay, WATCHED_JOBS[job.name]):
            found[f"job-{job.name}"] = ("", "")
        else:
            summary = f"The job {job.name} has not succeeded for {format_span(still)}. {job.last_error[:300]}".strip()
            found[f"job-{job.name}"] = (f"Job {job.name} stands still", summary)
    return found


def _letters(rule: PipelineRule, letters: int) -> dict[str, tuple[str, str]]:
    if letters < rule.dead_letters:
        return {"dead-letters": ("", "")}
    summary = (
        f"{letters:,} records of the last {format_span(LETTERS_SPAN)} could not be read; `tpscope dead-letters list` says why."
    )
    return {"dead-letters": ("Records cannot be read", summary)}


def _fingerprint(rule: PipelineRule, check: str) -> str:
    return f'{rule.name}{{check="{check}"}}'


def _firing(rule: PipelineRule, check: str, title: str, summary: str, now: datetime) -> Firing:
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=_fingerprint(rule, check),
        labels={**rule.labels, "check": check},
        severity=rule.severity,
        title=f"tpscope: {title}",
        summary=summary,
        metric="",
        value=math.nan,
        threshold=math.nan,
        unit="",
        since=now,
        until=now,
        held=True,
        runbook=rule.runbook,
    )
