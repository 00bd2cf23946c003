"""Stored history once more, as if it were live: the jobs' own code, minute by minute, on a clock that does not wait.

What lies after the clock is in the store already, but nothing that is decided depends on it: detection and rules ask for spans
that end now, though several minutes' questions are read at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.held import HeldRepository
from alerts.jobs import AlertMemory
from alerts.live import STEP, is_live
from alerts.pipeline import AlertReport, evaluate
from alerts.threshold_rules import ThresholdRules
from core.clock import FakeClock, floor_to
from core.config import Settings, ThresholdRule
from core.types import Incident, NotifyReason
from storage.contract import Store
from tpscope.replayed_detection import ReplayedDetection

MINUTE = timedelta(minutes=1)
AFTER = timedelta(seconds=5)
"""How long after a minute could be judged it is: half of what lies between two runs of detection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An incident of which somebody was told, as it was at last, and when."""

    incident: Incident
    at: datetime


def replay(
    store: Store, settings: Settings, start: datetime, end: datetime, progress: Callable[[datetime], None] | None = None
) -> list[Told]:
    """Judge every minute of [start, end) by detection and rules; returns what was told, in order.

    Baselines are built at the start and after every day, from what lies before. The settings' receivers only say who would be
    told. Baselines and anomalies are written to the store, nothing else is.
    """
    rules = _Rules(HeldRepository(store), settings, start)
    first = floor_to(start, MINUTE)
    detection = ReplayedDetection(store, settings, first, end) if settings.detection.enabled else None
    for number in range((end - start) // MINUTE):
        minute = first + (number + 1) * MINUTE
        if detection is not None:
            rules.repository.put(detection.changed(minute))
        rules.judge(minute + settings.detection.delay + AFTER)
        if progress is not None and number % 60 == 0:
            progress(minute)
    return told(rules.repository)


class _Rules:
    """The rules over what is held, every minute and, where they are rules of seconds, as often as the job runs."""

    def __init__(self, repository: HeldRepository, settings: Settings, start: datetime) -> None:
        self.repository = repository
        self._settings, self._clock, self._memory = settings, FakeClock(start), AlertMemory()
        self._seconds = any(isinstance(rule, ThresholdRule) and is_live(rule) for rule in settings.rules)

    def judge(self, at: datetime) -> None:
        """All runs of the job from `at` to a minute later that can bring anything."""
        report = self._run(at)
        if self._seconds:
            for number in range(1, MINUTE // STEP):
                now = at + number * STEP
                if report.again_in is not None or self._breached(now):
                    report = self._run(now)
        elif report.again_in is not None and report.again_in < MINUTE:
            self._run(at + report.again_in)

    def _run(self, now: datetime) -> AlertReport:
        self._clock.set(now)
        self.repository.now = now
        return evaluate(self.repository, self._clock, self._settings, self._memory)

    def _breached(self, now: datetime) -> bool:
        return bool(ThresholdRules(self.repository, self._settings, now, lambda rules, error: None).live())


def told(repository: HeldRepository) -> list[Told]:
    """Incidents whose opening was put into the outbox, in order."""
    first: dict[str, datetime] = {}
    for row in repository.all_notifications:
        if row.reason is NotifyReason.OPENED:
            first[row.incident_id] = min(row.created_at, first.get(row.incident_id, row.created_at))
    known = {incident.id: incident for incident in repository.all_incidents}
    found = [Told(incident=known[incident_id], at=at) for incident_id, at in first.items()]
    return sorted(found, key=lambda one: (one.at, one.incident.id))
