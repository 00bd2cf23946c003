"""What alerting reads and writes, as one seam: the store's typed functions behind it, memory in tests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pandas as pd

from core.capacity import LimitOutlook
from core.changes import Change, ChangeVerdict
from core.config import ObjectiveSettings
from core.masks import Mask
from core.series import Selector
from core.transactions import Transaction
from core.types import Anomaly, Incident, IncidentAction, JobState, Notification, Silence, Watermark
from storage.anomalies import read_anomalies
from storage.capacity import read_limits
from storage.causes import read_parts
from storage.changes import read_changes, read_verdicts
from storage.contract import Store
from storage.dead_letters import count_dead_letters
from storage.incidents import read_incidents, write_incidents
from storage.jobs import read_job, write_job
from storage.masks import add_mask
from storage.notifications import due_notifications, notifications_of, write_notifications
from storage.objectives import read_shares
from storage.series import data_span, latest_minute
from storage.silences import read_actions, read_silences
from storage.spans import read_spans
from storage.spent import Spending, read_spent
from storage.watermarks import read_watermarks
from storage.windows import read_windows

_MOST = 100_000
"""Rows that one read may bring: far above what a day of alerts makes, so that nothing is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowQuery:
    """One read of sliding windows; rules that ask the same share it."""

    metric: str
    selector: Selector
    by: tuple[str, ...]
    window: timedelta
    first_end: datetime
    last_end: datetime


class Outbox(Protocol):
    """What delivery needs. Methods may block for a query and raise the store's errors."""

    def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> list[Notification]:
        """Pending notifications whose time has come, oldest first; none of the receivers named in `without`."""

    def notifications_of(self, incident_ids: Collection[str]) -> list[Notification]:
        """Latest states of the notifications of these incidents."""

    def write_notifications(self, notifications: Sequence[Notification]) -> None:
        """Append the new states; none is fine."""

    def job(self, name: str) -> JobState | None: ...

    def write_job(self, state: JobState) -> None: ...


class Repository(Outbox, Protocol):
    """What the evaluation needs besides."""

    def incidents(self, since: datetime) -> list[Incident]:
        """Latest states of all incidents that have not ended, and of the others that ended after `since`."""

    def write_incidents(self, incidents: Sequence[Incident]) -> None: ...

    def anomalies(self, since: datetime, until: datetime) -> list[Anomaly]:
        """Latest states of all open anomalies, and of the others that lie at least partly in the span."""

    def windows(self, query: WindowQuery) -> pd.DataFrame:
        """As `storage.windows.read_windows`."""

    def parts(self, dimension: str, start: datetime, end: datetime, selector: Selector) -> pd.DataFrame:
        """As `storage.causes.read_parts`, with as much time before the span as it lasts."""

    def spans(
        self,
        metric: str,
        spans: Sequence[tuple[datetime, datetime]],
        selector: Selector,
        by: tuple[str, ...],
        unit_s: int = 60,
    ) -> pd.DataFrame:
        """As `storage.spans.read_spans`."""

    def shares(
        self, objective: ObjectiveSettings, transaction: Transaction, spans: Sequence[tuple[datetime, datetime]]
    ) -> pd.DataFrame:
        """As `storage.objectives.read_shares`."""

    def spent(self, of: Spending, start: datetime, end: datetime, selector: Selector, by: tuple[str, ...]) -> pd.DataFrame:
        """As `storage.spent.read_spent`."""

    def outlooks(self) -> list[LimitOutlook]:
        """How far each limit is away, as of the last time that this was judged."""

    def verdicts(self, since: datetime) -> list[tuple[Change, ChangeVerdict]]:
        """Changes since then, each with what the service says of it so far."""

    def letters(self, since: datetime) -> int:
        """Records that could not be read since then, and were not replayed."""

    def first_minute(self) -> datetime | None: ...

    def newest_minute(self) -> datetime | None: ...

    def silences(self, after: datetime) -> list[Silence]:
        """Those that end after `after`."""

    def actions(self, since: datetime) -> list[IncidentAction]:
        """What people said of incidents after `since`."""

    def write_masks(self, masks: Sequence[Mask]) -> None:
        """Write them in their new form, and label the anomalies that they speak of; none is fine."""

    def watermarks(self) -> list[Watermark]: ...


class StoredRepository:
    """`Repository` over the store; `epoch` is the fencing epoch of everything it writes."""

    def __init__(self, store: Store, epoch: int) -> None:
        self._store, self._epoch = store, epoch

    def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> list[Notification]:
        return due_notifications(self._store, now, limit, without)

    def notifications_of(self, incident_ids: Collection[str]) -> list[Notification]:
        return notifications_of(self._store, incident_ids)

    def write_notifications(self, notifications: Sequence[Notification]) -> None:
        if notifications:
            write_notifications(self._store, list(notifications), self._epoch)

    def job(self, name: str) -> JobState | None:
        return read_job(self._store, name)

    def write_job(self, state: JobState) -> None:
        write_job(self._store, state, self._epoch)

    def incidents(self, since: datetime) -> list[Incident]:
        return read_incidents(self._store, start=since, limit=_MOST, pending=True)

    def write_incidents(self, incidents: Sequence[Incident]) -> None:
        if incidents:
            write_incidents(self._store, list(incidents), self._epoch)

    def anomalies(self, since: datetime, until: datetime) -> list[Anomaly]:
        return read_anomalies(self._store, since, until)

    def windows(self, query: WindowQuery) -> pd.DataFrame:
        return read_windows(self._store, query.metric, query.first_end, query.last_end, query.window, query.selector, query.by)

    def parts(self, dimension: str, start: datetime, end: datetime, selector: Selector) -> pd.DataFrame:
        return read_parts(self._store, dimension, start, end, end - start, selector)

    def spans(
        self,
        metric: str,
        spans: Sequence[tuple[datetime, datetime]],
        selector: Selector,
        by: tuple[str, ...],
        unit_s: int = 60,
    ) -> pd.DataFrame:
        return read_spans(self._store, metric, spans, selector, by, unit_s=unit_s)

    def shares(
        self, objective: ObjectiveSettings, transaction: Transaction, spans: Sequence[tuple[datetime, datetime]]
    ) -> pd.DataFrame:
        return read_shares(self._store, objective, transaction, spans)

    def spent(self, of: Spending, start: datetime, end: datetime, selector: Selector, by: tuple[str, ...]) -> pd.DataFrame:
        return read_spent(self._store, of, start, end, selector, by)

    def outlooks(self) -> list[LimitOutlook]:
        return read_limits(self._store)

    def verdicts(self, since: datetime) -> list[tuple[Change, ChangeVerdict]]:
        changes = {one.id: one for one in read_changes(self._store, since)}
        return [(changes[one.change_id], one) for one in read_verdicts(self._store, list(changes))]

    def letters(self, since: datetime) -> int:
        return int(count_dead_letters(self._store, since)["letters"].sum())

    def first_minute(self) -> datetime | None:
        span = data_span(self._store)
        return span[0] if span else None

    def newest_minute(self) -> datetime | None:
        return latest_minute(self._store)

    def silences(self, after: datetime) -> list[Silence]:
        return read_silences(self._store, after)

    def actions(self, since: datetime) -> list[IncidentAction]:
        return read_actions(self._store, since)

    def write_masks(self, masks: Sequence[Mask]) -> None:
        for mask in masks:
            add_mask(self._store, mask)

    def watermarks(self) -> list[Watermark]:
        return read_watermarks(self._store)
