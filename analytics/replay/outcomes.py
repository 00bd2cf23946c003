"""What became of calls, logged or replayed, and the figures that are made of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.replay.calls import Floats, Ints, LoggedCalls, Mask

PERCENTILES = {"latency_p50": 0.50, "latency_p90": 0.90, "latency_p95": 0.95, "latency_p99": 0.99}
FIGURES: dict[str, tuple[str, str, bool]] = {
    "effective_tps": ("Effective throughput", "calls/s", True),
    "latency_p50": ("Latency P50", "ms", False),
    "latency_p90": ("Latency P90", "ms", False),
    "latency_p95": ("Latency P95", "ms", False),
    "latency_p99": ("Latency P99", "ms", False),
    "concurrency": ("Calls in flight", "calls", False),
    "rejected_rate": ("Rejected share", "1", False),
    "error_rate": ("Error rate", "1", False),
    "cost_per_h": ("Cost per hour", "USD/h", False),
    "cache_hit_rate": ("Cache hit rate", "1", True),
}
"""Name → title, unit, and whether more is better."""

_FEW_IN_TAIL = 5
"""Calls beyond a percentile that must have been seen for it to be told."""
_WIDTH = 1e-3
_LEAST_MS = 0.01
_BINS = 20_800
"""Bins of a thousandth each, from 0.01 ms to three hours: percentiles of weighted calls without sorting them each time."""


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """Arrays of shape (n_calls,); `cost_usd` is 0 where nothing is known to have been paid."""

    latency_ms: Floats
    cost_usd: Floats
    good: Mask
    failed: Mask
    rejected: Mask
    cached: Mask

    @classmethod
    def logged(cls, calls: LoggedCalls) -> "Outcomes":
        return cls(
            latency_ms=calls.latency_ms.copy(),
            cost_usd=np.nan_to_num(calls.cost_usd),
            good=calls.good.copy(),
            failed=calls.failed.copy(),
            rejected=calls.rejected.copy(),
            cached=calls.cached.copy(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """Blocks of time of equal length, of which resamples are drawn whole: calls of one time are alike.

    Attributes
    ----------
    place : ndarray of shape (n_calls,)
        The block of each call; `count` is for calls that are not counted (the warm-up).
    """

    place: Ints
    count: int
    seconds: float

    @classmethod
    def of(cls, ts_s: Floats, start_s: float, end_s: float, count: int) -> "Blocks":
        place = np.floor((ts_s - start_s) / (end_s - start_s) * count).astype(np.int64)
        return cls(place=np.where((place < 0) | (place >= count), count, place), count=count, seconds=end_s - start_s)

    def weights(self, drawn: Floats) -> Floats:
        return np.append(drawn, 0.0)[self.place]


def figures(found: Outcomes, weights: Floats, seconds: float, share: float) -> dict[str, float]:
    """Every figure of `FIGURES` over weighted calls; percentiles are of calls that were not rejected.

    Parameters
    ----------
    share : float
        Which part of all calls these are, for the figures that are amounts.
    """
    calls = float(weights.sum())
    if calls == 0.0:
        return dict.fromkeys(FIGURES, float("nan"))
    waited_ms = np.where(found.rejected, 0.0, np.nan_to_num(found.latency_ms))
    out = {
        "effective_tps": float(weights[found.good].sum()) / seconds / share,
        "concurrency": float(weights @ waited_ms) / 1000.0 / seconds / share,
        "rejected_rate": float(weights[found.rejected].sum()) / calls,
        "error_rate": float(weights[found.failed].sum()) / calls,
        "cost_per_h": float(weights @ found.cost_usd) / seconds / share * 3600.0,
        "cache_hit_rate": float(weights[found.cached].sum()) / calls,
    }
    return {**out, **_percentiles(found.latency_ms, np.where(found.rejected, 0.0, weights))}


def _percentiles(latency_ms: Floats, weights: Floats) -> dict[str, float]:
    known = np.isfinite(latency_ms) & (weights > 0)
    place = np.log(np.maximum(latency_ms[known], _LEAST_MS) / _LEAST_MS) / _WIDTH
    cumulative = np.cumsum(np.bincount(place.astype(np.int64).clip(0, _BINS - 1), weights[known], minlength=_BINS))
    total = cumulative[-1]
    return {
        name: _value(int(np.searchsorted(cumulative, level * total))) if total * (1.0 - level) >= _FEW_IN_TAIL else float("nan")
        for name, level in PERCENTILES.items()
    }


def _value(place: int) -> float:
    return float(_LEAST_MS * np.exp((place + 0.5) * _WIDTH))


def resample_weights(count: int, resamples: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How often each block is drawn in each resample, (resamples, count)."""
    return rng.multinomial(count, np.full(count, 1.0 / count), size=resamples).astype(np.float64)
