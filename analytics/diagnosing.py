"""The shell of `analytics.diagnosis`: reads the calls of an anomaly's window, and of the hour before it, from the store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from analytics.detect import MinuteVerdict
from analytics.diagnosis import Diagnosis, diagnose
from analytics.features import Floats, Panel, align
from analytics.leading import sample_rows, with_leading
from analytics.leaves import Leaves
from analytics.related import related_series, residuals
from analytics.run_state import Run
from analytics.runs import Diagnose
from analytics.trained import Trained
from analytics.wording import clock_time
from core.changes import Change
from core.series import ALL_CALLS, Direction, Selector
from core.transactions import Transaction
from storage.changes import read_changes
from storage.contract import Store
from storage.leaves import LEAF_DIMENSIONS, LEAF_SUMS, LeafRows, read_leaves

_WINDOW = timedelta(minutes=15)
"""Of an anomaly that lasts longer, the last minutes are explained."""
_BEFORE = timedelta(minutes=60)
_APART = timedelta(minutes=3)
"""Between the time before and the anomaly: it may have begun before it was noticed."""
_RELATED_MINUTES = 60
_MINUTE = timedelta(minutes=1)
_CHANGED_WITHIN = timedelta(minutes=30)


def diagnosing(
    store: Store,
    trained: Trained,
    panel: Panel,
    read: Callable[..., LeafRows] = read_leaves,
    samples: Callable[[Store, datetime, datetime], Mapping[str, Floats]] = sample_rows,
    changes: Callable[[Store, datetime, datetime], Sequence[Change]] = read_changes,
    transactions: Sequence[Transaction] = (),
) -> Diagnose:
    """What the state machine asks when an anomaly opens and while it lasts; looks at nothing after the minute.

    `panel` has the minutes that are judged and those before them. An anomaly of one of `transactions` is explained by the calls
    of that transaction alone.
    """
    known_transactions = {one.selection: one for one in transactions}
    held = dict[datetime, _Hour]()

    def hour(end: datetime) -> _Hour:
        """All anomalies of a minute are asked about one after the other: what it needs is made once."""
        if end not in held:
            held.clear()
            held[end] = _hour(trained, panel, end, samples(store, end - _RELATED_MINUTES * _MINUTE, end))
        return held[end]

    def ask(run: Run, minute: MinuteVerdict) -> Diagnosis | None:
        started, end = datetime.fromisoformat(run.started_at), minute.at + _MINUTE
        first = max(started, end - _WINDOW)
        before_end = started - _APART
        before = before_end - _BEFORE
        of = known_transactions.get(Selector.parse(run.lead.selector))
        rows = read(store, before, before_end, first, end, *([] if of is None else [of]))
        if not len(rows.frame):
            return None
        # A tenth of the calls of an hour are as many as come in six minutes.
        lasted = ((end - first) / _MINUTE * rows.inside_share, _BEFORE / _MINUTE * rows.before_share)
        leaves = Leaves.of(rows.frame, LEAF_DIMENSIONS, LEAF_SUMS, *lasted)
        growth = _growth(trained, before, before_end, first, end)
        lead, known, now = run.lead, trained.baselines.selectors, hour(end)
        found = diagnose(leaves, lead.metric, Direction(lead.direction), known, growth)
        ours = Selector.parse(lead.selector)
        related = related_series(now.moved, known, lead.metric, ours, now.samples)
        moved = now.moved[lead.metric][known.index(ours)] if ours in known and lead.metric in now.moved else None
        near = changes(store, started - _CHANGED_WITHIN, started + _MINUTE)
        return replace(with_leading(found, related, now.samples, moved), change=_change(near, run, started))

    return ask


def _change(changes: Sequence[Change], run: Run, started: datetime) -> str:
    """The last change before an anomaly that its calls may have met, in words; else empty."""
    moved = Selector.parse(run.lead.selector)
    near = [one for one in changes if one.at < started + _MINUTE and _may_touch(one.selector, moved)]
    found = max(near, key=lambda one: one.at, default=None)
    if found is None:
        return ""
    return f"{found.words} at {clock_time(found.at)} UTC"


def _may_touch(changed: Selector, moved: Selector) -> bool:
    """Whether calls may belong to both: no dimension has two values."""
    labels = moved.labels
    return all(labels.get(name, value) == value for name, value in changed.pairs)


class _Hour(NamedTuple):
    """Deviations of every series in the hour before an instant, and samples as far as they fill it."""

    moved: Mapping[str, Floats]
    samples: Mapping[str, Floats]


def _hour(trained: Trained, panel: Panel, end: datetime, samples: Mapping[str, Floats]) -> _Hour:
    last = (end - panel.start) // _MINUTE
    minutes = align(panel.slice(max(last - _RELATED_MINUTES, 0), last), trained.baselines.selectors)
    rows = {name: row[-minutes.minutes :] for name, row in samples.items()}
    return _Hour(moved=residuals(trained.baselines, minutes), samples=rows)


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
