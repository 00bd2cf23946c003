"""Simulated runs for the gate's benchmark: a small gateway whose truth is known. Deliberately not the demo's simulator.

Six API routes and two LLM routes. Latencies are log-normal with a part of slow calls; those of prompts grow with their size.
The level of all latencies drifts from minute to minute (autoregressive), calls arrive in bursts, and errors come partly in
clusters.
"""

from dataclasses import dataclass, replace

import numpy as np

from analytics.gating.counting import CallColumns, mix_of
from core.mixes import CallMix, Floats, Stratum

TUNING_SEED = 1
JUDGEMENT_SEED = 20261128

_ROUTES = tuple(
    Stratum(service="shop", method="GET", route=f"/{name}") for name in ("home", "item", "cart", "search", "pay", "me")
)
_MEDIAN_MS = np.array([20.0, 35.0, 60.0, 140.0, 320.0, 25.0, 700.0, 1600.0])
_SPREAD = np.array([0.4, 0.5, 0.5, 0.7, 0.6, 0.4, 0.5, 0.6])
_MIX = np.array([0.26, 0.20, 0.12, 0.10, 0.06, 0.12, 0.09, 0.05])
_ERRORS = np.array([0.002, 0.003, 0.004, 0.008, 0.012, 0.002, 0.02, 0.02])
_SIZES = 14
_FIRST_LLM = 6
_START_MS = 1_772_409_600_000
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a run really is.

    Attributes
    ----------
    slower : float
        All latencies times this.
    tail_slower : float
        Only the slowest tenth of each route times this.
    errors : float
        Added to each route's share of errors.
    mix_tilt : float
        How much the mix of routes, and of sizes of prompts, is turned towards the slow ones; 0: not at all.
    drift : float
        Standard deviation of the level's logarithm from minute to minute.
    """

    calls: int = 5000
    minutes: float = 60.0
    slower: float = 1.0
    tail_slower: float = 1.0
    errors: float = 0.0
    mix_tilt: float = 0.0
    drift: float = 0.05


def run(truth: Truth, rng: np.random.Generator) -> CallMix:
    """One run, on a day of its own."""
    calls = columns(truth, rng)
    day = int(rng.integers(0, 1000))
    return mix_of(replace(calls, at_ms=calls.at_ms + day * _DAY_MS), strata(), "simulated")


def pair(before: Truth, rng: np.random.Generator, **changes: float) -> tuple[CallMix, CallMix]:
    """A run and another one, changed as said."""
    return run(before, rng), run(replace(before, **changes), rng)  # type: ignore[arg-type]  # counts stay counts


def strata() -> tuple[Stratum, ...]:
    prompts = tuple(
        Stratum(service="llm", method="POST", route=route, size=size, last_size=size)
        for route in ("/chat", "/summary")
        for size in range(_SIZES)
    )
    return _ROUTES + prompts


def columns(truth: Truth, rng: np.random.Generator) -> CallColumns:
    n = truth.calls
    tilt = _MIX * np.exp(truth.mix_tilt * np.linspace(-1.0, 1.0, len(_MIX)))
    route = rng.choice(len(_MIX), size=n, p=tilt / tilt.sum())
    tokens = np.exp(rng.normal(6.0 + 0.4 * truth.mix_tilt, 0.9, n)).clip(1, 2.0**_SIZES - 1)
    prompt = route >= _FIRST_LLM
    size = np.floor(np.log2(tokens) + 1e-9).astype(np.int64)
    minute = _arrivals(n, truth.minutes, rng)
    level = np.exp(_drift(int(truth.minutes) + 1, truth.drift, rng))
    latency = _MEDIAN_MS[route] * np.exp(rng.normal(0.0, 1.0, n) * _SPREAD[route]) * level[minute.astype(np.int64)]
    latency = np.where(prompt, latency * (tokens / 400.0) ** 0.5, latency)
    latency *= np.where(rng.random(n) < 0.02, rng.pareto(2.0, n) + 1.5, 1.0)
    slow = latency > _cut(latency, route)
    latency *= truth.slower * np.where(slow, truth.tail_slower, 1.0)
    bursts = rng.random(int(truth.minutes) + 1) < 0.03
    share = _ERRORS[route] + truth.errors + 0.02 * bursts[minute.astype(np.int64)]
    return CallColumns(
        at_ms=_START_MS + (minute * 60_000).astype(np.int64),
        stratum=np.where(prompt, len(_ROUTES) + (route - _FIRST_LLM) * _SIZES + size, route),
        known=np.ones(n, bool),
        errors=rng.random(n) < share,
        rate_limited=np.zeros(n, bool),
        latency_ms=latency,
        ttft_ms=np.where(prompt, latency * rng.uniform(0.1, 0.3, n), np.nan),
        cost_usd=np.where(prompt, tokens * 2e-6 + rng.gamma(2.0, 5e-4, n), np.nan),
    )


def _arrivals(calls: int, minutes: float, rng: np.random.Generator) -> Floats:
    """Times in minutes: bursts of random weight, spread over the run."""
    weight = rng.gamma(2.0, 1.0, int(minutes * 4) + 1)
    slot = rng.choice(len(weight), size=calls, p=weight / weight.sum())
    return np.minimum((slot + rng.random(calls)) / len(weight) * minutes, minutes - 1e-6)


def _drift(minutes: int, deviation: float, rng: np.random.Generator) -> Floats:
    level = np.zeros(minutes)
    for at in range(1, minutes):
        level[at] = 0.6 * level[at - 1] + rng.normal(0.0, deviation * 0.8)
    return level


def _cut(latency: Floats, route: np.ndarray) -> Floats:
    """The ninetieth percentile of each call's route."""
    cuts = np.array([np.quantile(latency[route == one], 0.9) if (route == one).any() else 0.0 for one in range(len(_MIX))])
    return np.asarray(cuts[route])
