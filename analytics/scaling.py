"""What more instances bring: throughput fitted against how many of them served, where samples count them."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd

from analytics.ceiling import fit_ceiling
from analytics.ceilings import HISTORY
from analytics.usl import Floats
from core.capacity import Against, Ceiling, CeilingState, Fit
from core.config import InstanceCountSettings, Settings
from core.series import Selector
from storage.contract import Store
from storage.samples import read_samples
from storage.series import read_panel

_STEP_S = 60
_LEAST_MINUTES = 15
"""Minutes with so many instances; fewer do not show what these can carry."""
_CARRIED = 0.95
_ADVICE = (
    "run the same load test with 1, 2, 3, 4, 6 and 8 instances, 15 minutes or more each, up to where throughput no longer grows"
)


def measure_scaling(store: Store, settings: Settings, end: datetime, made_at: datetime) -> list[Fit]:
    """One fit for each entry of `forecast.instance_counts` whose samples and calls meet."""
    found = [_measure(store, one, end, made_at) for one in settings.forecast.instance_counts]
    return [fit for fit in found if fit is not None]


def most_carried(instances: Floats, throughput: Floats) -> tuple[Floats, Floats]:
    """The numbers of instances that were there long enough, rising, and the throughput that each carried at its busiest.

    Traffic asks for less than instances can carry most of the time; the 95th percentile of the minutes with so many of them is
    what they carried at least.
    """
    counts = np.rint(instances)
    known = np.isfinite(counts) & np.isfinite(throughput) & (counts > 0)
    by_count = pd.DataFrame({"count": counts[known], "tps": throughput[known]}).groupby("count")["tps"]
    carried = by_count.quantile(_CARRIED)[by_count.size() >= _LEAST_MINUTES]
    return carried.index.to_numpy("float64"), carried.to_numpy("float64")


def _ceiling(n: Floats, x: Floats) -> Ceiling:
    found = fit_ceiling(n, x, measured=False, counted="instances")
    return found if found.state is not CeilingState.UNIDENTIFIED else replace(found, advice=_ADVICE)


def _measure(store: Store, one: InstanceCountSettings, end: datetime, made_at: datetime) -> Fit | None:
    selector = Selector.of(one.selector)
    counted = read_samples(store, one.sample, end - HISTORY, end, _STEP_S, labels=one.labels, within="last", across="sum")
    carried = read_panel(store, end - HISTORY, end, _STEP_S, (), ("tps",), selector=selector)
    if counted.empty or carried.empty:
        return None
    # Counts are sampled every few minutes at best; each holds until the next, for as long as an hour.
    both = pd.merge_asof(carried, counted[["ts", "value"]], on="ts", tolerance=pd.Timedelta(hours=1))
    n, x = most_carried(both["value"].to_numpy("float64"), both["tps"].to_numpy("float64"))
    return Fit(
        selector=selector,
        made_at=made_at,
        ceiling=_ceiling(n, x),
        points=tuple(zip(n.tolist(), x.tolist(), strict=True)),
        against=Against.INSTANCES,
    )
