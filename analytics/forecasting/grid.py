"""Measurements at any times on a regular grid: gaps are unknown, what falls on one point is averaged, order does not matter."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.forecasting.profile import Floats
from analytics.forecasting.season import DAY_S

_USUAL_STEP_S = 3600
"""What is taken for the step of a single measurement."""
_MOST_POINTS = 2_000_000
"""Older points are left out; a year of minutes is a quarter of it."""
_DIVISORS = np.array([step for step in range(1, DAY_S + 1) if DAY_S % step == 0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """`values` of shape (n_points,) at `start` + n x `step_s`, NaN where unknown."""

    start: pd.Timestamp
    step_s: int
    values: Floats

    @property
    def index_of_start(self) -> int:
        """Steps since 1970: tells times of the week apart, whenever the grid begins."""
        return int(self.start.timestamp() // self.step_s)

    def after(self, count: int) -> pd.DatetimeIndex:
        """The times of the `count` points that follow."""
        step = pd.Timedelta(seconds=self.step_s)
        return pd.date_range(self.start + step * len(self.values), periods=count, freq=step)


def regular(at: pd.DatetimeIndex, values: Floats) -> Grid | None:
    """The grid of measurements `values` at the times `at` (NaT where unreadable); None where no time is known.

    The step is the usual distance of two times, as the nearest divisor of a day or whole number of days.
    """
    readable = np.asarray(at.notna(), dtype=bool)
    moments = at[readable].as_unit("us").asi8 / 1e6
    known = values[readable]
    if not len(moments):
        return None
    step = _step_s(np.unique(moments))
    place = np.round((moments - moments.min()) / step).astype(np.int64)
    first = max(int(place.max()) + 1 - _MOST_POINTS, 0)
    inside = (place >= first) & np.isfinite(known)
    size = int(place.max()) + 1 - first
    count = np.bincount(place[inside] - first, minlength=size)
    total = np.bincount(place[inside] - first, known[inside], size)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    start = pd.Timestamp(int(moments.min() * 1e6) + first * step * 1_000_000, unit="us", tz="UTC")
    return Grid(start=start, step_s=step, values=mean)


def _step_s(moments: Floats) -> int:
    if len(moments) < 2:
        return _USUAL_STEP_S
    usual = float(np.quantile(np.diff(moments), 0.5, method="lower"))
    if usual > 0.75 * DAY_S:
        return max(round(usual / DAY_S), 1) * DAY_S
    return int(_DIVISORS[np.abs(np.log(_DIVISORS / max(usual, 1e-3))).argmin()])
