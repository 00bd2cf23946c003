"""Samples of the hour before an anomaly as rows that can be related to it: queue depth, instances, quotas.

They have no baseline. What counts is how they moved within the hour, so each is centred on its median. Two series that wander
or climb slowly correlate at some lag by chance (Yule, 1926: nonsense correlations), so that a sample is only said to have moved
first if its changes from one five minutes to the next, and not only its level, went ahead of those of the leading series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.diagnosis import Diagnosis
from analytics.features import Floats
from core.types import Related
from storage.contract import Store
from storage.samples import read_samples, sample_names

_MOST_NAMES = 20
_MINUTE = timedelta(minutes=1)
_LEAST_LEAD = 2
"""Minutes: what was a minute earlier may as well have been at the same time."""
_STEP = 5
_LEAST_ALIKE = 0.7


def sample_rows(store: Store, start: datetime, end: datetime) -> dict[str, Floats]:
    """By name, the mean of each minute of [start, end) (added up over labels) less its median; NaN where there is no sample."""
    times = pd.date_range(start, end, freq="min", inclusive="left").as_unit("ms")
    rows = {}
    for name in sample_names(store, start, end, _MOST_NAMES):
        found = read_samples(store, name, start, end, int(_MINUTE.total_seconds()))
        value = found.set_index("ts")["value"].reindex(times).to_numpy(dtype=float)
        if np.isfinite(value).any():
            rows[name] = value - np.nanmedian(value)
    return rows


def with_leading(
    diagnosis: Diagnosis, related: Sequence[Related], rows: Mapping[str, Floats], ours: Floats | None
) -> Diagnosis:
    """The diagnosis with its related series, and in the evidence the samples among them that moved first.

    `ours` is the leading series over the minutes of the rows; None where it is not known.
    """
    first = [one for one in related if ours is not None and one.metric in rows and went_ahead(rows[one.metric], ours, one)]
    said = [f"{one.metric} {'rose' if one.correlation > 0 else 'fell'} {one.lag_minutes} min before" for one in first]
    evidence = "; ".join(part for part in (diagnosis.evidence, *said) if part)
    return replace(diagnosis, related=tuple(related), evidence=evidence)


def went_ahead(row: Floats, ours: Floats, related: Related) -> bool:
    """Whether the changes of `row`, not only its level, came `lag_minutes` before those of `ours`; both (n_minutes,)."""
    if related.lag_minutes < _LEAST_LEAD:
        return False
    early, late = _changes(row)[: -related.lag_minutes], _changes(ours)[related.lag_minutes :]
    if len(early) < _STEP or not early.std() or not late.std():
        return False
    alike = float(np.corrcoef(early, late)[0, 1])
    return bool(alike * np.sign(related.correlation) >= _LEAST_ALIKE)


def _changes(row: Floats) -> Floats:
    """Mean of each `_STEP` minutes less that of those before them."""
    total = np.cumsum(np.pad(np.nan_to_num(row), (1, 0)))
    means = (total[_STEP:] - total[:-_STEP]) / _STEP
    return np.asarray(means[_STEP:] - means[:-_STEP])
