"""How long calls take, on the explore page: their distribution over time, and percentile curves by dimension."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.clock import floor_to
from dashboards import queries
from dashboards.context import Web
from dashboards.explore.asked import Asked
from dashboards.explore.reading import Combination, checked, read_table
from dashboards.window import Window, step_for
from storage.breakdowns import breakdown
from storage.distributions import STATE_OF, Quantiles, read_quantiles

LEVELS: tuple[float, ...] = tuple((place + 0.5) / 100 for place in range(100))
"""Middles of a hundred equal shares of the calls."""

CURVE: tuple[float, ...] = (0.01, *(round(0.05 * place, 2) for place in range(1, 19)), 0.95, 0.98, 0.99, 0.995, 0.999)
_COLUMNS = 120
_BINS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How many calls took how long, over time.

    Attributes
    ----------
    starts : DatetimeIndex
        Begins of the steps, every one of them.
    edges : ndarray of shape (n_bins + 1,), ms
        Ends of the bins, evenly spaced in the logarithm.
    shares : ndarray of shape (n_bins, n_steps)
        Share of the step's calls; NaN in a step without any.
    middle, slow : ndarray of shape (n_steps,), ms
        P50 and P99.
    """

    step: timedelta
    starts: pd.DatetimeIndex
    edges: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    middle: npt.NDArray[np.float64]
    slow: npt.NDArray[np.float64]

    @property
    def frame(self) -> pd.DataFrame:
        """A row a step and bin that has calls."""
        bins, steps = np.nonzero(self.shares > 0)
        return pd.DataFrame({
            "timestamp_utc": self.starts[steps], "from_ms": self.edges[bins], "to_ms": self.edges[bins + 1],
            "share": self.shares[bins, steps],
        }).sort_values(["timestamp_utc", "from_ms"], ignore_index=True)  # fmt: skip


def read_distribution(web: Web, asked: Asked) -> Distribution | None:
    """None where no call says how long it took."""
    window = _coarser(asked.window, _COLUMNS)
    found = _quantiles(web, asked, window, (), (*LEVELS, 0.5, 0.99), over_time=True)
    if found.rows.empty:
        return None
    starts = pd.date_range(window.start, window.end, freq=window.step, inclusive="left").as_unit("ms")
    place = starts.get_indexer(pd.DatetimeIndex(found.rows["ts"]))
    edges = _edges(found.values)
    shares = np.full((_BINS, len(starts)), np.nan)
    for row, step in enumerate(place):
        shares[:, step] = np.histogram(np.clip(found.values[row, : len(LEVELS)], edges[0], edges[-1]), edges)[0] / len(LEVELS)
    lines = np.full((2, len(starts)), np.nan)
    lines[:, place] = found.values[:, len(LEVELS) :].T
    return Distribution(step=window.step, starts=starts, edges=edges, shares=shares, middle=lines[0], slow=lines[1])


def read_curves(web: Web, asked: Asked) -> pd.DataFrame:
    """`*by`, `calls` and a column a level of `CURVE` (ms): the combinations of the table, in its order."""
    best = [tuple(values) for values in read_table(web, asked)[list(asked.by)].to_numpy().tolist()] if asked.by else []
    found = _quantiles(web, asked, asked.window, best, CURVE, over_time=False)
    levels = pd.DataFrame(found.values, columns=[level_name(level) for level in CURVE])
    frame = pd.concat([found.rows.rename(columns={"known": "calls"}), levels], axis=1)
    if not best:
        return frame
    order = {values: place for place, values in enumerate(best)}
    place = [order[tuple(values)] for values in frame[list(asked.by)].to_numpy().tolist()]
    return frame.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def level_name(level: float) -> str:
    """`p50`, `p99.9`."""
    return f"p{100 * level:.6g}"


def timed(asked: Asked) -> str:
    """The metric whose distribution stands for the asked one: its own, or the whole call's."""
    return asked.metric if asked.metric in STATE_OF else "latency_p95"


def _quantiles(
    web: Web, asked: Asked, window: Window, among: Sequence[Combination], levels: Sequence[float], *, over_time: bool
) -> Quantiles:
    by = asked.by if among else ()
    end, metric = queries.known_until(web, window), timed(asked)

    def ask() -> Quantiles:
        question = breakdown(
            web.store,
            window.start,
            end,
            window.step_s,
            (metric,),
            by=by,
            selector=asked.selector,
            among=among,
            from_hours=False,
        )
        return read_quantiles(web.store, checked(web, question), metric, levels, over_time=over_time)

    key = ("quantiles", window.start, end, window.step_s, metric, by, asked.selector, tuple(among), tuple(levels), over_time)
    return web.cache.get(key, queries.keep_s(window), ask)


def _coarser(window: Window, columns: int) -> Window:
    """The window in at most so many steps of whole minutes."""
    step_s = step_for(window.end - window.start, columns)
    start = floor_to(window.start, timedelta(seconds=step_s))
    steps = -(-int((window.end - start).total_seconds()) // step_s)
    return Window(start=start, end=start + steps * timedelta(seconds=step_s), step_s=step_s)


def _edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bins that hold all but the last thousandth of the values."""
    low, high = np.nanquantile(values[values > 0] if (values > 0).any() else [1.0], [0.0, 0.999])
    edges: npt.NDArray[np.float64] = np.geomspace(max(low, 0.01) * 0.99, max(high, low * 2, 0.02) * 1.01, _BINS + 1)
    return edges
