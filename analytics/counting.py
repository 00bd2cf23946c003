"""The job that counts transactions by the minute: what has arrived, what came late, and the past of a new definition.

A minute is counted when it is complete, and again whenever the rollups know another number of calls than it was counted from:
late data, an import and a deletion are all told so, and a repeat changes nothing. The past is walked backwards a day at a time,
at every start and once an hour, so that a new definition has its latest days first.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.reporting import JobReport, run_job
from core.clock import Clock, floor_to
from core.config import Settings
from core.transactions import Transaction
from storage.calls import span_of_calls
from storage.contract import Store
from storage.series import data_span
from storage.transactions import count_transactions, read_definitions, stale_minutes, write_definitions
from storage.watermarks import arrived_until

JOB = "transactions"

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_RECENT = timedelta(hours=6)
"""How far back late data is looked for at every run; older late data waits for the hourly walk."""
_MOST_CALLS = 5_000_000
"""Calls that one statement counts at most: about two seconds of work, where a statement is cut after half a minute."""
_MOST_WORK_S = 5.0
"""How long one run walks back: other jobs wait for it."""


class TransactionCounter:
    """Counts, and remembers between runs how far back it has walked. Not for several threads."""

    def __init__(self, most_work_s: float = _MOST_WORK_S, elapsed: Callable[[], float] = time.perf_counter) -> None:
        self._most_work_s, self._elapsed = most_work_s, elapsed
        self._walked_to: datetime | None = None
        self._walk_began: datetime | None = None
        self._known: dict[str, str] = {}

    def run(self, store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
        """Count what is due; `items` counts rows (minutes x transactions). The cursor is the end of what has arrived."""
        transactions = list(settings.definitions)

        def body(cursor: datetime | None) -> JobReport:
            now = clock.now()
            end = arrived_until(store, now, settings.detection.delay, settings.detection.max_delay)
            if not transactions:
                return JobReport(name=JOB, cursor=end, items=0, note="no transactions are configured")
            self._note_definitions(store, transactions, now, epoch)
            kept = now - settings.retention.calls
            recent = floor_to(end, _HOUR) - _RECENT
            since = recent if cursor is None or cursor >= recent else max(floor_to(cursor, _HOUR), end - _DAY)
            rows = _count(store, transactions, since, end, kept, epoch)
            rows += self._walk_back(store, transactions, since, end, kept, epoch)
            note = "" if self._walked_to is None else f"counting the past, back to {self._walked_to:%Y-%m-%d %H:%M} UTC so far"
            return JobReport(name=JOB, cursor=end, items=rows, note=note)

        return run_job(JOB, store, clock, epoch, body)

    def _note_definitions(self, store: Store, transactions: Sequence[Transaction], now: datetime, epoch: int) -> None:
        """Write definitions that are new or in force again; a new one starts the walk anew."""
        if self._known == {one.name: one.to_json() for one in transactions}:
            return
        latest: dict[str, str] = {}
        for stored in read_definitions(store):
            latest.setdefault(stored.name, stored.definition.to_json())
        write_definitions(store, [one for one in transactions if latest.get(one.name) != one.to_json()], now, epoch)
        self._known = {one.name: one.to_json() for one in transactions}
        self._walk_began = None

    def _walk_back(
        self, store: Store, transactions: Sequence[Transaction], before: datetime, end: datetime, kept: datetime, epoch: int
    ) -> int:
        """Count days before `before`, latest first, as far as the time allows."""
        hour = floor_to(end, _HOUR)
        if self._walk_began != hour and self._walked_to is None:
            self._walk_began, self._walked_to = hour, before
        bottom = _bottom(store)
        rows, began = 0, self._elapsed()
        while self._walked_to is not None and (not rows or self._elapsed() - began < self._most_work_s):
            if bottom is None or self._walked_to <= bottom:
                self._walked_to = None
                break
            start = max(self._walked_to - _DAY, bottom)
            rows += _count(store, transactions, start, self._walked_to, kept, epoch)
            self._walked_to = start
        return rows


def count_minutes(store: Store, settings: Settings, start: datetime, end: datetime, now: datetime, epoch: int) -> int:
    """Count what is due of [start, end) at once, for whoever is about to read it; returns how many rows were written."""
    transactions = settings.definitions
    return _count(store, transactions, start, end, now - settings.retention.calls, epoch) if transactions and end > start else 0


@dataclass(slots=True, kw_only=True)
class _Due:
    """A span to count in one pass, for the transactions that need it."""

    start: datetime
    end: datetime
    calls: int
    wanting: list[Transaction]


def _count(
    store: Store, transactions: Sequence[Transaction], start: datetime, end: datetime, kept: datetime, epoch: int
) -> int:
    """Count the minutes of [start, end) that are due, latest first; all that need a minute share one pass over its calls."""
    due: dict[datetime, _Due] = {}
    by_name = {one.name: one for one in transactions}
    for minute, name, calls in stale_minutes(store, transactions, start, end, kept):
        held = due.setdefault(minute, _Due(start=minute, end=minute + _MINUTE, calls=calls, wanting=[]))
        held.wanting.append(by_name[name])
    spans = _merged([due[minute] for minute in sorted(due)])
    return sum(count_transactions(store, span.wanting, span.start, span.end, epoch) for span in reversed(spans))


def _merged(due: Sequence[_Due]) -> list[_Due]:
    """Neighbours that the same transactions need as one span, as long as it is no long work."""
    spans: list[_Due] = []
    for one in due:
        last = spans[-1] if spans else None
        near = last is not None and one.start - last.end <= _HOUR and one.wanting == last.wanting
        if last is not None and near and last.calls + one.calls <= _MOST_CALLS:
            last.end, last.calls = one.end, last.calls + one.calls
        else:
            spans.append(one)
    return spans


def _bottom(store: Store) -> datetime | None:
    """The first hour that may have both a rollup and single calls; None without a call."""
    calls, rolled = span_of_calls(store), data_span(store)
    return floor_to(max(calls[0], rolled[0]), _HOUR) if calls and rolled else None
