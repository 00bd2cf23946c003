"""Small mixes for the tests of the gate: one or several routes, calls spread evenly over an hour."""

from collections.abc import Mapping

import numpy as np

from analytics.gating.counting import CallColumns, mix_of
from core.mixes import CallMix, Floats, Stratum

START_MS = 1_772_409_600_000
HOUR_MS = 3_600_000


def route(name: str, size: int = -1) -> Stratum:
    return Stratum(service="shop", method="GET", route=name, size=size, last_size=size)


def mix(
    latencies: Mapping[Stratum, Floats],
    *,
    errors: Mapping[Stratum, int] | None = None,
    cost: float = np.nan,
    start_ms: int = START_MS,
    name: str = "made up",
) -> CallMix:
    """Calls with these latencies by stratum, in random order of time; the first `errors` of each of them failed."""
    rng = np.random.default_rng(5)
    latency = np.concatenate(list(latencies.values()))
    count = len(latency)
    failed = [np.arange(len(values)) < (errors or {}).get(one, 0) for one, values in latencies.items()]
    at_ms = start_ms + np.linspace(0, HOUR_MS - 1, count).astype(np.int64)
    columns = CallColumns(
        at_ms=rng.permutation(at_ms),
        stratum=np.repeat(np.arange(len(latencies)), [len(values) for values in latencies.values()]),
        known=np.ones(count, bool),
        errors=np.concatenate(failed),
        rate_limited=np.zeros(count, bool),
        latency_ms=latency,
        ttft_ms=np.full(count, np.nan),
        cost_usd=np.full(count, cost),
    )
    return mix_of(columns, tuple(latencies), name)


def spread(count: int, median_ms: float, seed: int, sigma: float = 0.5) -> Floats:
    """Log-normal latencies."""
    return np.asarray(median_ms * np.exp(np.random.default_rng(seed).normal(0.0, sigma, count)))
