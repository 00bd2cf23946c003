"""The exact test of a share in strata: are failures as frequent on both sides? Pure.

Given how many calls of a stratum fail in all, the candidate's failures are hypergeometric where its calls fail like the
others; their sum over strata is the convolution (Gart, Biometrika 57, 1970, for an odds ratio of 1). With one stratum it is
Fisher's test.
"""

import math

import numpy as np
import scipy

from core.mixes import Floats

_REACH = 12.0
"""Standard deviations around the mean beyond which nothing is added up: 1e-30 lies there."""


def exact_tails(failed_before: Floats, known_before: Floats, failed_after: Floats, known_after: Floats) -> tuple[float, float]:
    """Chance of as many failures of the candidate or more, and of as many or fewer, where nothing changed.

    Integers of shape (n_strata,). (1, 1) where no call failed, or all did.
    """
    mass, first = np.ones(1), 0
    for failed, known, bad, calls in zip(
        failed_before + failed_after, known_before + known_after, failed_after, known_after, strict=True
    ):
        if failed > 0 and 0 < calls < known and failed < known:
            low, pmf = _hypergeometric(int(known), int(failed), int(calls))
            convolve = scipy.signal.fftconvolve if len(mass) * len(pmf) > 10_000 else np.convolve
            mass, first = convolve(mass, pmf), first + low
        else:
            first += int(bad)
    mass = np.maximum(mass, 0.0)
    seen = int(failed_after.sum()) - first
    return _sum(mass[max(seen, 0) :]), _sum(mass[: max(seen + 1, 0)])


def _hypergeometric(known: int, failed: int, calls: int) -> tuple[int, Floats]:
    """First value and chances of the candidate's failures in a stratum."""
    share = failed / known
    # By their formulas: the library's moments divide by zero where three calls or fewer are known.
    mean, deviation = calls * share, math.sqrt(calls * share * (1 - share) * (known - calls) / (known - 1))
    low = max(int(mean - _REACH * deviation) - 1, 0, calls + failed - known)
    high = min(int(mean + _REACH * deviation) + 2, failed, calls)
    return low, np.asarray(scipy.stats.hypergeom.pmf(np.arange(low, high + 1), known, failed, calls))


def _sum(mass: Floats) -> float:
    return float(min(mass.sum(), 1.0))
