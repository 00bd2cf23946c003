"""Minute panels as matrices, and the scale on which each kind of metric is judged.

Three kinds of numbers arrive, and each has its own noise:

- *counts* (`tps`): Poisson arrivals on top of a rate that itself wanders. Judged as calls a minute.
- *ratios* (`error_rate` …): successes of `calls` trials. The arcsine of the root makes the spread depend on the volume alone.
- *levels* (latencies, tokens, cost): positive and skewed. Their logarithm is close to symmetric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.series import JUDGED_METRICS, METRICS, Selector

Floats = npt.NDArray[np.float64]

DETECTION_METRICS = JUDGED_METRICS
"""What every selection is judged by, in the order of the forest's features."""

BASELINE_METRICS: tuple[str, ...] = (*DETECTION_METRICS, "latency_p99")
"""What baselines are built for; `latency_p99` is shown with its range but too noisy by the minute to be judged."""


class Kind(StrEnum):
    """How a metric is made of calls; decides its scale and its noise."""

    COUNT = "count"
    RATIO = "ratio"
    LEVEL = "level"


_KINDS: dict[str, Kind] = {
    "tps": Kind.COUNT,
    "error_rate": Kind.RATIO,
    "rate_limited_rate": Kind.RATIO,
    "cache_hit_rate": Kind.RATIO,
    "fallback_rate": Kind.RATIO,
}

# Where log1p turns from linear to logarithmic, in the metric's unit: far below what a gateway shows.
_QUANTUM: dict[str, float] = {"tokens_per_s": 1.0 / 60.0, "cost_per_h": 1e-4, "concurrency": 1e-3, "retry_rate": 1e-2}

# Spread of the logarithm of a minute's value times the root of its calls, at the least. Percentiles: sqrt(p(1-p)) over the
# density of a log-normal with sigma 0.3 (a very even latency) at that quantile; sums of n positive terms: 1, as of the count.
_LEAST_NOISE: dict[str, float] = {
    "latency_p50": 0.38,
    "latency_p90": 0.51,
    "latency_p95": 0.63,
    "latency_p99": 1.12,
    "upstream_p95": 0.63,
    "gateway_overhead_p95": 0.63,
    "ttft_p95": 0.63,
}


def kind_of(metric: str) -> Kind:
    return _KINDS.get(metric, Kind.LEVEL)


def transform(metric: str, value: Floats) -> Floats:
    """The metric on the scale it is judged on; NaN stays NaN, values below zero count as zero."""
    match kind_of(metric):
        case Kind.COUNT:
            return np.log1p(60.0 * np.maximum(value, 0.0))
        case Kind.RATIO:
            return 2.0 * np.arcsin(np.sqrt(np.clip(value, 0.0, 1.0)))
        case Kind.LEVEL:
            return np.log1p(np.maximum(value, 0.0) / _QUANTUM.get(metric, 1.0))


def inverse(metric: str, scaled: Floats) -> Floats:
    """Back to the metric's own unit; the inverse of `transform` on its range, never negative."""
    match kind_of(metric):
        case Kind.COUNT:
            return np.maximum(np.expm1(scaled), 0.0) / 60.0
        case Kind.RATIO:
            return np.sin(np.clip(scaled, 0.0, np.pi) / 2.0) ** 2
        case Kind.LEVEL:
            return np.maximum(np.expm1(scaled), 0.0) * _QUANTUM.get(metric, 1.0)


def counting_variance(metric: str, calls: Floats) -> Floats:
    """Variance of one minute's transformed value that comes from counting alone, given the calls expected in it (above 0)."""
    match kind_of(metric):
        case Kind.COUNT:
            return calls / (calls + 1.0) ** 2
        case Kind.RATIO:
            return 1.0 / np.maximum(calls, 0.25)
        case Kind.LEVEL:
            return _LEAST_NOISE.get(metric, 1.0) ** 2 / np.maximum(calls, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Consecutive minutes of many selections.

    Attributes
    ----------
    start : datetime
        The first minute, aware UTC.
    calls : ndarray of shape (n_selectors, n_minutes)
        Calls of each minute, 0 where there was none.
    values : mapping of metric to ndarray of shape (n_selectors, n_minutes)
        In the metric's unit. Where a selection had no call: 0 for rates, NaN for percentiles and ratios.
    """

    selectors: tuple[Selector, ...]
    start: datetime
    calls: Floats
    values: Mapping[str, Floats]

    @property
    def minutes(self) -> int:
        return int(self.calls.shape[1])

    def times(self) -> pd.DatetimeIndex:
        return pd.date_range(self.start, periods=self.minutes, freq="min")

    def slice(self, first: int, last: int) -> "Panel":
        """Minutes first ≤ m < last, as views."""
        values = {name: matrix[:, first:last] for name, matrix in self.values.items()}
        return Panel(
            selectors=self.selectors,
            start=self.start + timedelta(minutes=first),
            calls=self.calls[:, first:last],
            values=values,
        )

    def copied(self) -> "Panel":
        """The same without what it is a part of."""
        values = {name: matrix.copy() for name, matrix in self.values.items()}
        return Panel(selectors=self.selectors, start=self.start, calls=self.calls.copy(), values=values)


def to_panel(
    frame: pd.DataFrame, by: tuple[str, ...], start: datetime, end: datetime, metrics: Sequence[str] = BASELINE_METRICS
) -> Panel:
    """Spread a sparse frame[ts, *by, calls, metrics…] (`storage.series.read_panel`, step 60 s) over its minutes.

    Rows outside [start, end) are left out, and so are selections with an empty dimension value: unknown is no group.
    """
    minutes = max(int((end - start).total_seconds() // 60), 0)
    column = _minute_numbers(frame["ts"]) - int(start.timestamp()) // 60
    keep = (column >= 0) & (column < minutes)
    for name in by:
        keep &= (frame[name] != "").to_numpy(dtype=bool)
    rows = frame.loc[keep, list(by)].astype(str)
    codes, selectors = _selectors(rows, by)
    if not by:
        selectors = (Selector(),)
    shape = (len(selectors), minutes)
    where = (codes, column[keep])
    calls = np.zeros(shape)
    calls[where] = frame.loc[keep, "calls"].to_numpy(dtype=float)
    values: dict[str, Floats] = {}
    for metric in metrics:
        matrix = np.zeros(shape) if METRICS[metric].zero_when_idle else np.full(shape, np.nan)
        matrix[where] = frame.loc[keep, metric].to_numpy(dtype=float)
        values[metric] = matrix
    return Panel(selectors=selectors, start=start, calls=calls, values=values)


def align(panel: Panel, selectors: tuple[Selector, ...]) -> Panel:
    """The panel with exactly the given rows, in this order; a selection that it lacks had no call."""
    row = {selector: index for index, selector in enumerate(panel.selectors)}
    found = np.array([row.get(selector, -1) for selector in selectors], dtype=np.int64)
    here = np.flatnonzero(found >= 0)

    def pick(matrix: Floats, fill: float) -> Floats:
        out = np.full((len(selectors), panel.minutes), fill)
        out[here] = matrix[found[here]]
        return out

    return Panel(
        selectors=selectors,
        start=panel.start,
        calls=pick(panel.calls, 0.0),
        values={name: pick(m, 0.0 if METRICS[name].zero_when_idle else np.nan) for name, m in panel.values.items()},
    )


def stack(panels: Sequence[Panel]) -> Panel:
    """Panels of the same minutes, one below the other. Raises ValueError for none or for different minutes."""
    if not panels or any(panel.start != panels[0].start or panel.minutes != panels[0].minutes for panel in panels):
        raise ValueError("panels of the same minutes are needed")
    return Panel(
        selectors=tuple(selector for panel in panels for selector in panel.selectors),
        start=panels[0].start,
        calls=np.concatenate([panel.calls for panel in panels]),
        values={name: np.concatenate([panel.values[name] for panel in panels]) for name in panels[0].values},
    )


def _minute_numbers(ts: pd.Series) -> npt.NDArray[np.int64]:
    """Whole minutes since the epoch, whatever unit the times have."""
    stamps = pd.DatetimeIndex(ts).as_unit("s").asi8
    return np.asarray(stamps // 60, dtype=np.int64)


def _selectors(rows: pd.DataFrame, by: tuple[str, ...]) -> tuple[npt.NDArray[np.int64], tuple[Selector, ...]]:
    if not by:
        return np.zeros(len(rows), dtype=np.int64), ()
    if len(by) == 1:
        codes, names = pd.factorize(rows[by[0]], sort=True)
        return np.asarray(codes, dtype=np.int64), tuple(Selector.of({by[0]: str(name)}) for name in names)
    keys = list(zip(*(rows[name] for name in by), strict=True))
    order = {key: index for index, key in enumerate(sorted(set(keys)))}
    selectors = tuple(Selector.of(dict(zip(by, key, strict=True))) for key in order)
    return np.array([order[key] for key in keys], dtype=np.int64), selectors
