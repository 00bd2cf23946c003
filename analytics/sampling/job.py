"""The job that judges samples each minute: new points in, anomalies out, and what is known carried from run to run.

The state is kept every few hours, and after a restart the minutes since then are judged once more: what is known of a series
is large, judging is quick, and it comes to the same. So it does for minutes to which samples came late.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analytics.reporting import JobReport, run_job
from analytics.sampling.again import judged_again
from analytics.sampling.judging import CHUNK, judge_until, minute_of
from analytics.sampling.series import SampleModels
from analytics.sampling.state import SampleState, keep, latest_of, read_known
from core.clock import Clock, floor_to
from core.config import Settings
from core.masks import labelled
from core.series import is_sample
from core.types import Anomaly
from storage.anomalies import read_anomalies, write_anomalies
from storage.contract import Store
from storage.masks import read_masks
from storage.sample_series import first_sample

JOB = "samples"

_MINUTE = timedelta(minutes=1)
_LEARNED = timedelta(days=14)
"""Without a state this much of the past is learned first, a part of it in each run."""
_MOST_CHUNKS = 2
_MOST_CATCH_UP = timedelta(hours=6)
"""Older minutes are learned and not told of: an alarm about this morning helps nobody."""
_KEEP_EVERY = timedelta(hours=6)
_LOOK_EVERY = timedelta(minutes=5)
"""How often it is asked what came late."""
_FORGOTTEN = timedelta(days=7)


@dataclass(slots=True)
class SampleDetector:
    """What one process holds between runs: the minute of the state in the store, and when it asked for late samples last."""

    state: SampleState | None = None
    kept: datetime | None = None
    looked: datetime | None = None


def run_samples(
    store: Store, clock: Clock, settings: Settings, epoch: int, detector: SampleDetector | None = None
) -> JobReport:
    """Judge the minutes of samples since the last run; `items` counts anomalies that were told, went on or ended."""
    held = detector or SampleDetector()

    def body(cursor: datetime | None) -> JobReport:
        now = clock.now()
        end = floor_to(now - settings.detection.max_delay, _MINUTE)
        state, told = held.state, list[Anomaly]()
        held.state = None  # a run that fails has learned half of its minutes
        again = state is None or state.until != cursor
        if state is None or again:
            state = read_known(store, cursor or end, settings.time_zone) or _unlearned(store, settings, end)
            held.kept, held.looked = (state.until, now) if state else (None, None)
        elif held.looked is not None and now - held.looked >= _LOOK_EVERY:
            state, told = judged_again(store, settings, state, held.looked, now)
            held.looked = now
        if state is None:
            return JobReport(name=JOB, cursor=None, items=0, note="no samples yet")
        until = min(max(end, state.until), state.until + _MOST_CHUNKS * CHUNK)
        told += judge_until(store, settings, state, until, _quiet(cursor, state.until, end))
        if again:
            told += _orphans(store, state, end, told)
        write_anomalies(store, _labelled(store, told), epoch)
        if held.kept is None or again or until - held.kept >= _KEEP_EVERY:
            state.forget(minute_of(until - _FORGOTTEN))
            keep(store, state, epoch)
            held.kept = until
        held.state, held.looked = state, held.looked or now
        left = (end - until) / timedelta(days=1)
        note = f"learning: {left:.1f} days of samples are left" if until < end else ""
        return JobReport(name=JOB, cursor=until, items=len(latest_of(told)), note=note)

    return run_job(JOB, store, clock, epoch, body)


def analyze_samples(store: Store, start: datetime, end: datetime, settings: Settings) -> list[Anomaly]:
    """What is said of the stored samples of a span, as if it were live; what lies before it is learned."""
    state = _unlearned(store, settings, start) or SampleState(until=start, models=SampleModels(zone=settings.time_zone))
    found = latest_of(judge_until(store, settings, state, end, (state.until, start)))
    return [replace(one, ended_at=one.ended_at or end) for one in found.values()]


def _unlearned(store: Store, settings: Settings, end: datetime) -> SampleState | None:
    """A state that knows nothing, before the first samples of the last weeks; None where there are none."""
    first = first_sample(store, end - _LEARNED)
    if first is None or first >= end:
        return None
    return SampleState(until=floor_to(first, _MINUTE), models=SampleModels(zone=settings.time_zone))


def _quiet(cursor: datetime | None, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The minutes of a long downtime, or of what is learned first; those before the cursor were told and are only repeated."""
    return cursor or start, end - _MOST_CATCH_UP


def _orphans(store: Store, state: SampleState, end: datetime, told: list[Anomaly]) -> list[Anomaly]:
    """Open anomalies of samples that no state follows any more, ended."""
    known = {*(run.id for run in state.runs), *(one.id for one in told)}
    found = read_anomalies(store, end - _MINUTE, end, open_only=True)
    return [replace(one, ended_at=one.last_at + _MINUTE) for one in found if is_sample(one.metric) and one.id not in known]


def _labelled(store: Store, told: list[Anomaly]) -> list[Anomaly]:
    if not told:
        return []
    first, last = min(one.started_at for one in told), max(one.last_at for one in told)
    return labelled(list(latest_of(told).values()), read_masks(store, first, last + _MINUTE))
