"""Figures by which a recommendation's effect is predicted, and measured again later: per call, so that traffic may grow."""

from collections.abc import Callable

import numpy as np

from analytics.replay.calls import Floats, LoggedCalls, Mask
from core.series import Selector

BLOCKS = 48


def rows_of(calls: LoggedCalls, measure: str, scope: Selector) -> Mask:
    """The calls that a measure is of: those of the scope; of refusals of others, the same without the tenant."""
    if measure == "rejected_rate_of_others":
        labels = scope.labels
        tenant = labels.pop("tenant")
        return calls.matching(Selector.of(labels)) & ~calls.labels["tenant"].equal(tenant)
    return calls.matching(scope)


def measure(calls: LoggedCalls, name: str, scope: Selector) -> float:
    """A measure over the calls of a scope; NaN where none knows it."""
    values = VALUES[name](calls)[rows_of(calls, name, scope)]
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def overhead_ms(calls: LoggedCalls) -> Floats:
    """What the gateway takes for itself; NaN for cached calls and where one of the two times is unknown."""
    own = np.maximum(calls.latency_ms - calls.upstream_ms, 0.0)
    return np.where(calls.cached | calls.rejected, np.nan, own)


def waited_ms(calls: LoggedCalls) -> Floats:
    """Latency of what was not refused."""
    return np.where(calls.rejected, np.nan, calls.latency_ms)


VALUES: dict[str, Callable[[LoggedCalls], Floats]] = {
    "cost_per_call": lambda calls: np.nan_to_num(calls.cost_usd),
    "mean_latency": waited_ms,
    "overhead": overhead_ms,
    "rejected_rate": lambda calls: calls.rejected.astype(np.float64),
    "rejected_rate_of_others": lambda calls: calls.rejected.astype(np.float64),
    "retries_per_call": lambda calls: calls.retries,
}
"""Name → a value for each call."""

UNITS = {
    "cost_per_call": "USD",
    "mean_latency": "ms",
    "overhead": "ms",
    "rejected_rate": "1",
    "rejected_rate_of_others": "1",
    "retries_per_call": "retries",
    "limit": "",
    "objective": "ms",
}


def blocks(calls: LoggedCalls) -> np.ndarray:
    """The block of time (of 48) that each call lies in."""
    span = (calls.end - calls.start).total_seconds()
    place = (calls.ts_s - calls.start.timestamp()) / span * BLOCKS
    return np.clip(place.astype(np.int64), 0, BLOCKS - 1)


def block_sums(place: np.ndarray, values: Floats) -> Floats:
    """Sums of values over blocks, (n_blocks,)."""
    return np.bincount(place, values, minlength=BLOCKS).astype(np.float64)


def resampled(sums: list[Floats], value: Callable[..., Floats], seed: int, resamples: int = 200) -> tuple[float, float]:
    """90 % interval of a function of sums over blocks, each of shape (n_blocks,), by resampling blocks."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(BLOCKS, np.full(BLOCKS, 1.0 / BLOCKS), size=resamples).astype(np.float64)
    found = value(*(drawn @ one for one in sums))
    known = found[np.isfinite(found)]
    if len(known) < resamples / 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.05, 0.95])
    return float(low), float(high)
