"""Calls of a small gateway, counted by their dimensions as the store does it, for the tests of causes and diagnoses."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from analytics.leaves import Leaves
from storage.leaves import LEAF_DIMENSIONS, LEAF_SUMS

MINUTES, BEFORE = 6.0, 60.0
CALLS_A_MINUTE = 300

Change = Callable[[pd.DataFrame], pd.DataFrame]


def calls_of(minutes: float, rng: np.random.Generator) -> pd.DataFrame:
    """Single calls: 3 gateways, 4 services of 2 routes, 3 providers of 2 models, 20 tenants; 1 % fail, 30 % are cached."""
    size = rng.poisson(CALLS_A_MINUTE * minutes)
    service, provider = rng.integers(0, 4, size), rng.choice(3, size, p=[0.5, 0.3, 0.2])
    frame = pd.DataFrame(
        {
            "gateway": _names("gw", rng.integers(0, 3, size)),
            "service": _names("service", service),
            "route": _names("/route", service * 2 + rng.integers(0, 2, size)),
            "provider": _names("provider", provider),
            "model": _names("model", provider * 2 + (rng.random(size) < 0.4)),
            "tenant": _names("tenant", rng.integers(0, 20, size)),
        }
    )
    frame["latency"] = 200.0 * (1 + service) * rng.lognormal(0.0, 0.5, size)
    frame["tokens"] = np.round(rng.lognormal(6.0, 0.6, size))
    frame["failed"] = rng.random(size) < 0.01
    frame["limited"] = rng.random(size) < 0.002
    frame["cached"] = rng.random(size) < 0.3
    return frame


def leaves_of(change: Change, seed: int = 1, reference: Change = lambda calls: calls) -> Leaves:
    """An hour as usual (or as `reference` has it), then six minutes with the change."""
    return Leaves.of(frame_of(change, seed, reference), LEAF_DIMENSIONS, LEAF_SUMS, MINUTES, BEFORE)


def frame_of(change: Change, seed: int = 1, reference: Change = lambda calls: calls) -> pd.DataFrame:
    """The same as the store counts it."""
    rng = np.random.default_rng(seed)
    before, inside = reference(calls_of(BEFORE, rng)), change(calls_of(MINUTES, rng))
    return pd.concat([_counted(before).assign(inside=False), _counted(inside).assign(inside=True)], ignore_index=True)


def where(calls: pd.DataFrame, **labels: str) -> "pd.Series[bool]":
    hit = pd.Series(True, index=calls.index)
    for name, value in labels.items():
        hit &= calls[name] == value
    return hit


def _counted(calls: pd.DataFrame) -> pd.DataFrame:
    ones = pd.Series(1.0, index=calls.index)
    logs = {"latency": np.log(calls["latency"]), "tokens": np.log1p(calls["tokens"]), "cost": np.log(calls["tokens"] * 1e-5)}
    sums = {
        "calls": ones, "errors": calls["failed"], "status_known": ones, "rate_limited": calls["limited"],
        "cache_hits": calls["cached"], "cache_known": ones,
        **{f"{name}_known": ones for name in logs},
        **{f"{name}_log": log for name, log in logs.items()},
        **{f"{name}_log2": log**2 for name, log in logs.items()},
    }  # fmt: skip
    wide = calls[list(LEAF_DIMENSIONS)].assign(**{name: value.astype(float) for name, value in sums.items()})
    return wide.groupby(list(LEAF_DIMENSIONS), as_index=False).sum()


def _names(stem: str, numbers: np.ndarray) -> list[str]:
    return [f"{stem}-{number}" for number in numbers]
