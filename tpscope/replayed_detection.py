"""Detection over stored history, minute by minute as if live, but read by the hour and first judged a quarter of it at once.

Where nothing strays in the quarter, nothing happened in any of its minutes; else these are judged one after the other.
"""

from datetime import datetime, timedelta

from analytics.detector import Detector, DetectorState, judge_span
from analytics.diagnosing import diagnosing
from analytics.features import Panel
from analytics.jobs import run_baselines
from analytics.sustained import LEAD
from analytics.trained import Trained
from core.clock import FakeClock, floor_to
from core.config import Settings
from core.types import Anomaly
from storage.anomalies import write_anomalies
from storage.contract import Store

_MINUTE = timedelta(minutes=1)
_BLOCK = timedelta(hours=1)
_AT_ONCE = 15
_REBUILD = timedelta(days=1)
_FIRST_LOOK = timedelta(minutes=15)
"""What is judged before the start, as the job does that knows nothing yet."""


class ReplayedDetection:
    """Baselines are built at the start and after every day, from what lies before. Anomalies are written to the store."""

    def __init__(self, store: Store, settings: Settings, start: datetime, end: datetime) -> None:
        self._store, self._settings, self._end = store, settings, floor_to(end, _MINUTE)
        self._detector, self._state = Detector(), DetectorState()
        self._learn_at, self._done = start, start - _FIRST_LOOK
        self._changes: dict[datetime, list[Anomaly]] = {}

    def changed(self, until: datetime) -> list[Anomaly]:
        """Anomalies as they are after the minute that ends at `until`, those that changed in it; minutes in order."""
        found: list[Anomaly] = []
        if self._learn_at < until:
            run_baselines(self._store, FakeClock(self._learn_at), self._settings, 0)
            self._learn_at += _REBUILD
        while self._done < until:
            self._judge(self._done, min(self._done + _BLOCK, self._learn_at, self._end))
        for at in sorted(at for at in self._changes if at <= until):
            found += self._changes.pop(at)
        return found

    def _judge(self, start: datetime, end: datetime) -> None:
        self._done = end
        trained = self._detector.trained(self._store, self._settings)
        if trained is None:
            return
        panel = self._detector.look_back.read(self._store, start, end, self._settings.definitions)
        for first in range(0, panel.minutes - LEAD, _AT_ONCE):
            part = panel.slice(first, min(first + LEAD + _AT_ONCE, panel.minutes))
            state, changed = judge_span(trained, part, self._state, self._settings.detection, None, LEAD)
            if changed or self._state.runs.open:
                self._one_by_one(trained, part)
            else:
                self._state = state

    def _one_by_one(self, trained: Trained, panel: Panel) -> None:
        for minute in range(panel.minutes - LEAD):
            part = panel.slice(minute, minute + LEAD + 1)
            ask = diagnosing(self._store, trained, part, transactions=self._settings.definitions)
            self._state, changed = judge_span(trained, part, self._state, self._settings.detection, ask, LEAD)
            write_anomalies(self._store, changed, 0)
            if changed:
                self._changes[part.start + (LEAD + 1) * _MINUTE] = changed
