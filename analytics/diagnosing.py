"""The shell of `analytics.diagnosis`: reads the calls of an anomaly's window, and of the hour before it, from the store."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.detect import MinuteVerdict
from analytics.diagnosis import Diagnosis, diagnose
from analytics.features import Floats, Panel, align
from analytics.leaves import Leaves
from analytics.related import related_series, residuals
from analytics.run_state import Run
from analytics.runs import Diagnose
from analytics.trained import Trained
from core.series import ALL_CALLS, Direction, Selector
from storage.contract import Store
from storage.leaves import LEAF_DIMENSIONS, LEAF_SUMS, read_leaves

_WINDOW = timedelta(minutes=15)
"""Of an anomaly that lasts longer, the last minutes are explained."""
_BEFORE = timedelta(minutes=60)
_APART = timedelta(minutes=3)
"""Between the time before and the anomaly: it may have begun before it was noticed."""
_RELATED_MINUTES = 60
_MINUTE = timedelta(minutes=1)


def diagnosing(store: Store, trained: Trained, panel: Panel, read: Callable[..., pd.DataFrame] = read_leaves) -> Diagnose:
    """What the state machine asks when an anomaly opens and while it lasts; looks at nothing after the minute.

    `panel` has the minutes that are judged and those before them.
    """

    moved_by = dict[datetime, Mapping[str, Floats]]()

    def moved(end: datetime) -> Mapping[str, Floats]:
        """Deviations in the hour before `end`; all anomalies of a minute are asked about one after the other."""
        if end not in moved_by:
            moved_by.clear()
            last = (end - panel.start) // _MINUTE
            hour = align(panel.slice(max(last - _RELATED_MINUTES, 0), last), trained.baselines.selectors)
            moved_by[end] = residuals(trained.baselines, hour)
        return moved_by[end]

    def ask(run: Run, minute: MinuteVerdict) -> Diagnosis | None:
        started, end = datetime.fromisoformat(run.started_at), minute.at + _MINUTE
        first = max(started, end - _WINDOW)
        before_end = started - _APART
        before = before_end - _BEFORE
        frame = read(store, before, before_end, first, end)
        if not len(frame):
            return None
        leaves = Leaves.of(frame, LEAF_DIMENSIONS, LEAF_SUMS, (end - first) / _MINUTE, _BEFORE / _MINUTE)
        growth = _growth(trained, before, before_end, first, end)
        lead = run.lead
        found = diagnose(leaves, lead.metric, Direction(lead.direction), trained.baselines.selectors, growth)
        related = related_series(moved(end), trained.baselines.selectors, lead.metric, Selector.parse(lead.selector))
        return replace(found, related=related)

    return ask


def _growth(trained: Trained, before: datetime, before_end: datetime, first: datetime, end: datetime) -> float:
    """All calls expected a minute in the window over those expected in the time before it."""
    if ALL_CALLS not in trained.baselines.selectors:
        return 1.0
    row = np.array([trained.baselines.selectors.index(ALL_CALLS)])

    def expected(start: datetime, until: datetime) -> float:
        times = pd.date_range(start, until, freq="min", inclusive="left")
        return float(trained.baselines.at(times, row).calls.mean())

    was, now = expected(before, before_end), expected(first, end)
    return now / was if was > 0 and now > 0 else 1.0
