"""Objectives against history: what is left of an error budget, and targets that the past would have kept. Pure."""

import math
from collections.abc import Sequence

import numpy as np

from core.burning import BURN_WINDOWS, PERIOD, Budget, budget_of

__all__ = ["BURN_WINDOWS", "PERIOD", "SHARES", "Budget", "budget_of", "suggested_latency", "suggested_share", "suggested_tps"]

SHARES = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Shares of bad calls that people agree on: 99.99 % good, 99.95 %, and so on."""

_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0)
_SPARE = 1.25
_LEAST_DAYS = 3
_REACHED = 0.8
_LEAST_MINUTES = 3 * 24 * 60
_LEAST_TPS = 0.05
"""Three calls a minute: at less, one that comes a little later makes a minute bad."""


def suggested_share(share: float) -> float | None:
    """The strictest of `SHARES` that was kept with a quarter to spare; None: not one of them was, or nothing is known."""
    return next((one for one in SHARES if share * _SPARE <= one), None)


def suggested_latency(by_day: Sequence[float]) -> float | None:
    """A round limit (ms) above nine tenths of the days' percentiles; None with too few days."""
    known = np.asarray([one for one in by_day if math.isfinite(one)], dtype=np.float64)
    if len(known) < _LEAST_DAYS:
        return None
    wanted = float(np.quantile(known, 0.9)) * _SPARE
    size = 10.0 ** math.floor(math.log10(max(wanted, 1e-3)))
    return next(step * size for step in _STEPS if step * size >= wanted)


def suggested_tps(by_minute: Sequence[float]) -> float | None:
    """A round rate (calls/s) that 99 of 100 minutes reached with a fifth to spare; None where so many had next to none."""
    known = np.asarray([one for one in by_minute if math.isfinite(one)], dtype=np.float64)
    reached = float(np.quantile(known, 0.01)) * _REACHED if len(known) >= _LEAST_MINUTES else 0.0
    if reached < _LEAST_TPS:
        return None
    size = 10.0 ** math.floor(math.log10(reached))
    return max(step * size for step in _STEPS if step * size <= reached)
