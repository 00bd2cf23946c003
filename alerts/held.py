"""Alerting's repository of a replay: what is decided is kept in memory, and calls are read from the store a stretch ahead."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import pandas as pd

from alerts.read_ahead import ReadAhead
from alerts.repository import StoredRepository, WindowQuery
from core.capacity import LimitOutlook
from core.series import Selector
from core.types import Anomaly, Incident, IncidentAction, JobState, Notification, Silence, Watermark
from storage.contract import Store

_TOPIC = "replay"


class HeldRepository(StoredRepository):
    """`Repository` over stored calls; no incident, message or job's state gets into the store.

    Calls have arrived up to `now`: what history does not know of its own lateness is not made up. Nobody said anything, no
    record is unreadable and no limit known.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store, 0)
        self.now: datetime | None = None
        self._incidents: dict[str, Incident] = {}
        self._notifications: dict[str, Notification] = {}
        self._jobs: dict[str, JobState] = {}
        self._anomalies: dict[str, Anomaly] = {}
        self._ahead = ReadAhead(super().spans, super().windows)
        self._first, self._newest = super().first_minute(), super().newest_minute()

    @property
    def all_incidents(self) -> Collection[Incident]:
        """Latest states of all incidents that there ever were."""
        return self._incidents.values()

    @property
    def all_notifications(self) -> Collection[Notification]:
        """Everything in the outbox."""
        return self._notifications.values()

    def put(self, anomalies: Iterable[Anomaly]) -> None:
        """Keep the new states of anomalies."""
        self._anomalies.update((one.id, one) for one in anomalies)

    def due(self, now: datetime, limit: int, without: Collection[str] = ()) -> list[Notification]:
        return []

    def notifications_of(self, incident_ids: Collection[str]) -> list[Notification]:
        return [one for one in self._notifications.values() if one.incident_id in incident_ids] if incident_ids else []

    def write_notifications(self, notifications: Sequence[Notification]) -> None:
        self._notifications.update((one.id, one) for one in notifications)

    def job(self, name: str) -> JobState | None:
        return self._jobs.get(name)

    def write_job(self, state: JobState) -> None:
        self._jobs[state.name] = state

    def incidents(self, since: datetime) -> list[Incident]:
        return [one for one in self._incidents.values() if one.resolved_at is None or one.resolved_at > since]

    def write_incidents(self, incidents: Sequence[Incident]) -> None:
        self._incidents.update((one.id, one) for one in incidents)

    def anomalies(self, since: datetime, until: datetime) -> list[Anomaly]:
        known = self._anomalies.values()
        return [one for one in known if one.started_at < until and (one.ended_at is None or one.ended_at > since)]

    def windows(self, query: WindowQuery) -> pd.DataFrame:
        return self._ahead.windows(query)

    def spans(
        self,
        metric: str,
        spans: Sequence[tuple[datetime, datetime]],
        selector: Selector,
        by: tuple[str, ...],
        unit_s: int = 60,
    ) -> pd.DataFrame:
        return self._ahead.spans(metric, spans, selector, by, unit_s)

    def outlooks(self) -> list[LimitOutlook]:
        return []

    def letters(self, since: datetime) -> int:
        return 0

    def first_minute(self) -> datetime | None:
        return self._first

    def newest_minute(self) -> datetime | None:
        return self._newest

    def silences(self, after: datetime) -> list[Silence]:
        return []

    def actions(self, since: datetime) -> list[IncidentAction]:
        return []

    def watermarks(self) -> list[Watermark]:
        if self.now is None:
            return []
        return [Watermark(topic=_TOPIC, partition=0, event_at=self.now, arrived_at=self.now, next_offset=0, delay_s=0.0)]
