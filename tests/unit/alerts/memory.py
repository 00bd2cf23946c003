"""Alerting's repository in memory, which can be made to fail or to be killed at any write; and a receiver in memory.

A contract (`tests/contract/test_alerts_repository_contract.py`) holds what it keeps to what the store does.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from alerts.post import Envelope, Receipt, ReceiverUnavailable
from alerts.repository import WindowQuery
from core.capacity import LimitOutlook
from core.changes import Change, ChangeVerdict
from core.config import ObjectiveSettings, ReceiverSettings
from core.errors import DeliveryRefused, StoreError
from core.masks import Mask
from core.series import Selector
from core.transactions import Transaction
from core.types import Anomaly, DeliveryState, Incident, IncidentAction, JobState, Notification, Silence, Watermark
from storage.spent import Spending

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """The process ended here; nothing catches it."""


class MemoryRepository:
    """What is written survives, as in a store; `kill_before` names the write before which the process ends, once."""

    def __init__(self) -> None:
        self.incident_events: list[Incident] = []
        self.notification_events: list[Notification] = []
        self.jobs: dict[str, JobState] = {}
        self.stored_anomalies: dict[str, Anomaly] = {}
        self.values: dict[tuple[str, str], dict[datetime, float]] = {}
        self.marks: list[Watermark] = []
        self.stored_silences: list[Silence] = []
        self.said: list[IncidentAction] = []
        self.in_spans: pd.DataFrame | None = None
        self.in_shares: pd.DataFrame | None = None
        self.live: pd.DataFrame | None = None
        self.unread = 0
        self.masks: dict[str, Mask] = {}
        self.spending: dict[str, float] = {}
        self.spent_reads = 0
        self.limit_outlooks: list[LimitOutlook] = []
        self.judged: list[tuple[Change, ChangeVerdict]] = []
        self.moved: dict[str, pd.DataFrame] = {}
        self.reads: list[WindowQuery] = []
        self.kill_before = ""
        self.broken_metrics: set[str] = set()

    def put(self, metric: str, group: str, end: datetime, value: float) -> None:
        """The value of a group in the window that ends at `end`; what is never put is unknown."""
        self.values.setdefault((metric, group), {})[end] = value

    def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> list[Notification]:
        found = [
            one
            for one in self.latest_notifications()
            if one.state is DeliveryState.PENDING
            and (one.next_attempt_at or one.created_at) <= now
            and one.receiver not in without
        ]
        return sorted(found, key=lambda one: (one.created_at, one.id))[:limit]

    def latest_notifications(self) -> list[Notification]:
        return list({one.id: one for one in self.notification_events}.values())

    def notifications_of(self, incident_ids: Collection[str]) -> list[Notification]:
        return [one for one in self.latest_notifications() if one.incident_id in incident_ids]

    def write_notifications(self, notifications: Sequence[Notification]) -> None:
        if notifications:
            self._maybe_die("notifications")
            self.notification_events += notifications

    def latest_incidents(self) -> list[Incident]:
        return list({one.id: one for one in self.incident_events}.values())

    def incidents(self, since: datetime) -> list[Incident]:
        return [one for one in self.latest_incidents() if one.resolved_at is None or one.resolved_at > since]

    def write_incidents(self, incidents: Sequence[Incident]) -> None:
        if incidents:
            self._maybe_die("incidents")
            self.incident_events += incidents

    def anomalies(self, since: datetime, until: datetime) -> list[Anomaly]:
        return [
            one
            for one in self.stored_anomalies.values()
            if one.started_at < until and (one.ended_at is None or one.ended_at > since)
        ]

    def windows(self, query: WindowQuery) -> pd.DataFrame:
        self.reads.append(query)
        if query.metric in self.broken_metrics:
            raise StoreError(f"{query.metric} cannot be read")
        ends = [query.first_end + step * MINUTE for step in range((query.last_end - query.first_end) // MINUTE + 1)]
        rows = [
            (end, group, known.get(end, np.nan), 100)
            for (metric, group), known in self.values.items()
            if metric == query.metric
            for end in ends
        ]
        frame = pd.DataFrame(rows, columns=["end", "group", "value", "calls"])
        frame["end"] = pd.to_datetime(frame["end"], utc=True)
        return frame.rename(columns={"group": query.by[0]}) if query.by else frame.drop(columns="group")

    def newest_minute(self) -> datetime | None:
        ends = [end for known in self.values.values() for end in known]
        return max(ends) - MINUTE if ends else None

    def verdicts(self, since: datetime) -> list[tuple[Change, ChangeVerdict]]:
        return [(change, verdict) for change, verdict in self.judged if change.at >= since]

    def parts(self, dimension: str, start: datetime, end: datetime, selector: Selector) -> pd.DataFrame:
        return self.moved.get(dimension, pd.DataFrame(columns=["value", "after", "calls", "errors", "latency_ms_sum"]))

    def spans(
        self,
        metric: str,
        spans: Sequence[tuple[datetime, datetime]],
        selector: Selector,
        by: tuple[str, ...],
        unit_s: int = 60,
    ) -> pd.DataFrame:
        if unit_s == 1:
            return self.live if self.live is not None else pd.DataFrame(columns=["span", *by, "calls", "value"])
        return self.in_spans if self.in_spans is not None else pd.DataFrame(columns=["span", *by, "calls", "value"])

    def shares(
        self, objective: ObjectiveSettings, transaction: Transaction, spans: Sequence[tuple[datetime, datetime]]
    ) -> pd.DataFrame:
        return self.in_shares if self.in_shares is not None else pd.DataFrame(columns=["span", "calls", "bad", "value"])

    def spent(self, of: Spending, start: datetime, end: datetime, selector: Selector, by: tuple[str, ...]) -> pd.DataFrame:
        """What each group spends in an hour, from `START` on."""
        self.spent_reads += 1
        hours = max((end - max(start, START)).total_seconds() / 3600, 0.0)
        rows = [(group, 1.0, rate * hours) for group, rate in self.spending.items()]
        frame = pd.DataFrame(rows, columns=["group", "calls", "spent"])
        return frame.rename(columns={"group": by[0]}) if by else frame.drop(columns="group")

    def outlooks(self) -> list[LimitOutlook]:
        return self.limit_outlooks

    def letters(self, since: datetime) -> int:
        return self.unread

    def first_minute(self) -> datetime | None:
        return START - timedelta(days=60)

    def silences(self, after: datetime) -> list[Silence]:
        return [one for one in self.stored_silences if one.ends_at > after]

    def actions(self, since: datetime) -> list[IncidentAction]:
        return [one for one in self.said if one.at > since]

    def write_masks(self, masks: Sequence[Mask]) -> None:
        self.masks.update({one.id: one for one in masks})

    def watermarks(self) -> list[Watermark]:
        return self.marks

    def job(self, name: str) -> JobState | None:
        return self.jobs.get(name)

    def write_job(self, state: JobState) -> None:
        self._maybe_die("job")
        self.jobs[state.name] = state

    def _maybe_die(self, before: str) -> None:
        if self.kill_before == before:
            self.kill_before = ""
            raise Killed(before)


class MemoryPost:
    """Takes messages; `script` says what becomes of the next attempts (None: taken, else raised), `down` who takes none."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []
        self.tried: list[tuple[str, str]] = []
        self.threads: list[str] = []
        self.down: set[str] = set()
        self.script: list[Exception | None] = []

    def __call__(self, receiver: ReceiverSettings, envelope: Envelope) -> Receipt:
        self.tried.append((receiver.name, envelope.key))
        self.threads.append(envelope.thread)
        if receiver.name in self.down:
            raise unavailable()
        if self.script and (error := self.script.pop(0)) is not None:
            raise error
        self.taken.append((receiver.name, envelope.key, envelope.payload))
        return Receipt(status=200, reference=f"ref-{envelope.key}")


def unavailable(retry_after: timedelta | None = None) -> ReceiverUnavailable:
    return ReceiverUnavailable("HTTP 503", retry_after)


def refused() -> DeliveryRefused:
    return DeliveryRefused("HTTP 404")
