"""The shell of recommendations: a window of calls read, judged by the catalogue, and what was accepted measured again."""

from dataclasses import replace
from datetime import datetime, timedelta

from analytics.recommending.catalogue import recommend
from analytics.recommending.course import merged, outcome, to_check
from analytics.recommending.totals import Estate
from analytics.replay.calls import REPLAYED_COLUMNS, LoggedCalls, logged_calls
from analytics.reporting import JobReport, run_job
from core.clock import Clock
from core.config import Settings
from core.recommendations import Finding, Recommendation
from storage.calls import count_calls
from storage.contract import Store
from storage.logged_calls import read_logged
from storage.prices import read_prices
from storage.recommendations import read_recommendations, write_recommendations
from storage.series import latest_minute

JOB = "recommendations"
MOST_CALLS = 400_000
_LEAST_WINDOW = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_LEAST_CALLS = 2000


def run_recommendations(store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
    """Judge the latest calls and measure what was accepted; `items` counts the findings."""

    def body(cursor: datetime | None) -> JobReport:
        now = clock.now()
        newest = latest_minute(store)
        if newest is None:
            return JobReport(name=JOB, cursor=cursor, items=0, note="no calls yet")
        end = min(newest + _MINUTE, now)
        span, calls = latest_calls(store, end, settings.recommendations.window)
        known = read_recommendations(store)
        if len(calls) < _LEAST_CALLS:
            return JobReport(name=JOB, cursor=end, items=0, note=f"too few calls to recommend anything: {len(calls):,}")
        findings = judge(calls, settings)
        write_recommendations(store, [*merged(known, findings, span, now), *measured_again(store, known, end, now)])
        return JobReport(name=JOB, cursor=end, items=len(findings))

    return run_job(JOB, store, clock, epoch, body)


def judge(calls: LoggedCalls, settings: Settings) -> list[Finding]:
    """What the catalogue says of some calls."""
    return recommend(Estate.of(calls, settings.limits, settings.objectives))


def latest_calls(store: Store, end: datetime, window: timedelta) -> tuple[tuple[datetime, datetime], LoggedCalls]:
    """All calls of a window that ends at `end`, halved until they are few enough: caches and bursts are of all calls."""
    while count_calls(store, end - window, end) > MOST_CALLS and window > _LEAST_WINDOW:
        window = window / 2
    return (end - window, end), _read(store, end - window, end)


def measured_again(store: Store, known: list[Recommendation], end: datetime, now: datetime) -> list[Recommendation]:
    """What was accepted, with what the calls of the last day at most, and only since then, show."""
    changed = []
    for one in to_check(known, now):
        start = max(one.decided_at or end, end - timedelta(days=1))
        if start < end:
            (start, _), calls = latest_calls(store, end, end - start)
            found = outcome(one, calls, now)
            changed += [replace(one, outcome=found)] if found is not None else []
    return changed


def _read(store: Store, start: datetime, end: datetime) -> LoggedCalls:
    return logged_calls(read_logged(store, start, end, REPLAYED_COLUMNS).table, start, end, read_prices(store))
