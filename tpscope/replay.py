"""Stored history once more, as if it were live: the jobs' own code, minute by minute, on a clock that does not wait.

What lies after the clock is in the store already, but nothing reads it: detection and rules ask for spans that end now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.jobs import UsageMemory, run_alerts
from analytics.detector import Detector
from analytics.jobs import run_baselines, run_detection
from core.clock import FakeClock, floor_to
from core.config import Settings
from core.types import Incident, NotifyReason, Watermark
from storage.contract import Store
from storage.incidents import read_incidents
from storage.notifications import read_notifications
from storage.watermarks import write_watermarks

MINUTE = timedelta(minutes=1)
AFTER = timedelta(seconds=5)
"""How long after a minute could be judged it is: half of what lies between two runs of detection."""

_REBUILD = timedelta(days=1)
_MOST = 100_000
_TOPIC = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An incident of which somebody was told, as it was at last, and when."""

    incident: Incident
    at: datetime


def replay(
    store: Store, settings: Settings, start: datetime, end: datetime, progress: Callable[[datetime], None] | None = None
) -> list[Told]:
    """Judge every minute of [start, end) by detection and rules; returns what was told, in order.

    Baselines are built at the start and after every day, from what lies before. The outbox is filled and not delivered: the
    settings' receivers only say who would be told. Rules of seconds are asked once a minute, not every five seconds.
    """
    clock, detector, usage = FakeClock(start), Detector(), UsageMemory()
    judged_after = settings.detection.delay + AFTER
    wait = max(settings.routing.group_wait, settings.routing.group_wait_critical)
    for number in range((end - start) // MINUTE):
        minute = floor_to(start, MINUTE) + (number + 1) * MINUTE
        if settings.detection.enabled and number % (_REBUILD // MINUTE) == 0:
            clock.set(minute - MINUTE)
            run_baselines(store, clock, settings, 0)
        clock.set(minute + judged_after)
        now = clock.now()
        # Calls have arrived up to now: what history does not know of its own lateness is not made up.
        write_watermarks(
            store, [Watermark(topic=_TOPIC, partition=0, event_at=now, arrived_at=now, next_offset=0, delay_s=0.0)]
        )
        if settings.detection.enabled:
            run_detection(store, clock, settings, 0, detector)
        report = run_alerts(store, clock, settings, 0, usage)
        if report.firing and wait < MINUTE - judged_after:
            clock.advance(wait)
            run_alerts(store, clock, settings, 0, usage)
        if progress is not None and number % 60 == 0:
            progress(minute)
    return told(store, start, clock.now())


def told(store: Store, start: datetime, end: datetime) -> list[Told]:
    """Incidents whose opening was put into the outbox in a span, in order."""
    rows = read_notifications(store, limit=_MOST)
    first: dict[str, datetime] = {}
    for row in rows:
        if row.reason is NotifyReason.OPENED and start <= row.created_at <= end:
            first[row.incident_id] = min(row.created_at, first.get(row.incident_id, row.created_at))
    known = {incident.id: incident for incident in read_incidents(store, limit=_MOST)}
    found = [Told(incident=known[incident_id], at=at) for incident_id, at in first.items()]
    return sorted(found, key=lambda one: (one.at, one.incident.id))
