"""Samples of the hour before an anomaly as rows that can be related to it: queue depth, instances, quotas.

They have no baseline. What counts is how they moved within the hour, so each is centred on its median.
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


def with_leading(diagnosis: Diagnosis, related: Sequence[Related], rows: Mapping[str, Floats]) -> Diagnosis:
    """The diagnosis with its related series, and in the evidence the samples among them that moved first."""
    first = [one for one in related if one.metric in rows and one.lag_minutes > 0]
    said = [f"{one.metric} {'rose' if one.correlation > 0 else 'fell'} {one.lag_minutes} min before" for one in first]
    evidence = "; ".join(part for part in (diagnosis.evidence, *said) if part)
    return replace(diagnosis, related=tuple(related), evidence=evidence)
