"""Objectives against history: what is left of an error budget, and targets that the past would have kept. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from core.burning import PERIOD, burn_rate, exhausted_in

__all__ = ["BURN_WINDOWS", "PERIOD", "SHARES", "Budget", "budget_of", "suggested_latency", "suggested_share"]

BURN_WINDOWS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=3))
SHARES = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Shares of bad calls that people agree on: 99.99 % good, 99.95 %, and so on."""

_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0)
_SPARE = 1.25
_LEAST_DAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The error budget of a share of bad calls.

    Attributes
    ----------
    left : float
        What is left of the period's budget, as a share; below nought: more than all of it was used.
    burns : tuple of float
        How many times as fast as allowed it was used over each of `BURN_WINDOWS`; NaN: nothing is known.
    exhausted : timedelta or None
        When the rest is used up as in the first of them; None: it is used up, or it lasts longer than the period.
    """

    left: float
    burns: tuple[float, ...]
    exhausted: timedelta | None


def budget_of(at_most: float, whole: float, windows: Sequence[float]) -> Budget:
    """The budget of `at_most` bad calls where `whole` was their share over the period, and `windows` over `BURN_WINDOWS`."""
    left, burns = 1.0 - burn_rate(whole, at_most), tuple(burn_rate(share, at_most) for share in windows)
    lasts = exhausted_in(burns[0], left) if burns[0] > 0 and left > 0 else None
    return Budget(left=left, burns=burns, exhausted=lasts if lasts is not None and lasts < PERIOD else None)


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
