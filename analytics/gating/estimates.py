"""Weighted shares and means of a side, and how sure they are while calls of one time are alike. Pure and seeded.

An estimate is linearised: it is its value plus a sum of influences, one a block of time (Wolter: Introduction to Variance
Estimation, 6.5). Blocks are resampled with replacement (Künsch, Ann. Stat. 17, 1989), which for a sum of influences has a
standard error in closed form. How long calls stay alike is not known beforehand: blocks are joined to ever longer ones and the
largest standard error holds (Flyvbjerg, Petersen, J. Chem. Phys. 91, 1989).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from core.mixes import Floats

_LEAST_BLOCKS = 12
"""Blocks that joining leaves: a standard error from fewer says little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A weighted share or mean.

    Attributes
    ----------
    influence : ndarray of shape (n_blocks,)
        What each block adds to the value; their sum is nought.
    se, freedom : float
        Standard error, and the degrees of freedom that it has.
    parts : ndarray of shape (n_strata,)
        What each stratum adds to the value.
    """

    value: float
    influence: Floats
    se: float
    freedom: float
    parts: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Candidate less baseline."""

    value: float
    se: float
    freedom: float

    @property
    def p_more(self) -> float:
        """One-sided, of no rise."""
        return _tail(self.value, self.se, self.freedom)

    @property
    def p_less(self) -> float:
        """One-sided, of no fall."""
        return _tail(-self.value, self.se, self.freedom)

    def critical(self, tail: float) -> float:
        """How many standard errors `tail` is cut off by; infinite where nothing is known of the error."""
        return float(student.isf(tail, self.freedom)) if self.freedom > 0 else float("inf")


def ratio_estimate(top: Floats, bottom: Floats, weights: Floats, *, counted: bool = True) -> Estimate:
    """The weighted sum over strata of Σ top / Σ bottom, where `weights` is above nought. Shapes (n_blocks, n_strata).

    `counted`: `bottom` counts calls, so that few of them in a stratum are known to scatter more than they show.
    """
    used = weights > 0
    top, bottom, weights = top[:, used], bottom[:, used], weights[used]
    total = bottom.sum(axis=0)
    ratio = np.divide(top.sum(axis=0), total, out=np.zeros(len(total)), where=total > 0)
    each = np.divide(weights, total, out=np.zeros(len(total)), where=total > 0)
    if counted:
        each = each * np.sqrt(total / np.maximum(total - 1.0, 1.0))
    influence = (top - ratio * bottom) @ each
    size = bottom @ each
    longest = _longest(influence, size)
    parts = np.zeros(len(used))
    parts[used] = weights * ratio
    return Estimate(value=float((weights * ratio).sum()), influence=longest[2], se=longest[0], freedom=longest[1], parts=parts)


def contrast(before: Estimate, after: Estimate) -> Contrast:
    """The difference of two sides that are independent, its degrees of freedom by Welch (Biometrika 34, 1947)."""
    variances = np.array([before.se, after.se]) ** 2
    freedoms = np.array([before.freedom, after.freedom])
    total = float(variances.sum())
    if total > 0 and (freedoms > 0).all():
        freedom = total**2 / float((variances**2 / freedoms).sum())
    else:
        freedom = float(freedoms.min())
    return Contrast(value=after.value - before.value, se=float(np.sqrt(total)), freedom=freedom)


def drawn(one: Estimate, resamples: int, rng: np.random.Generator) -> Floats:
    """Deviations of `resamples` values of the block bootstrap from the estimate, as wide as its degrees of freedom ask."""
    blocks = len(one.influence)
    if blocks < 2 or one.freedom <= 0:
        return np.full(resamples, np.nan)
    weights = rng.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=resamples)
    wider = student.isf(0.025, one.freedom) / norm.isf(0.025)
    return np.asarray(weights @ one.influence * np.sqrt(blocks / (blocks - 1.0)) * wider)


def _longest(influence: Floats, size: Floats) -> tuple[float, float, Floats]:
    """Standard error, degrees of freedom and influences of the block length that has the largest error."""
    found = []
    factor = 1
    while factor == 1 or len(influence) // factor >= _LEAST_BLOCKS:
        starts = np.arange(0, len(influence), factor)
        joined, held = np.add.reduceat(influence, starts), np.add.reduceat(size, starts)
        joined, held = joined[held > 0], held[held > 0]
        blocks = len(joined)
        if blocks >= 2:
            # Blocks of very different size are worth fewer (Kish: Survey Sampling, 11.7).
            freedom = float(held.sum() ** 2 / (held**2).sum()) - 1.0
            found.append((float(np.sqrt(blocks / (blocks - 1.0) * (joined**2).sum())), freedom, joined))
        factor *= 2
    return max(found, key=lambda one: one[0], default=(float("nan"), 0.0, influence))


def _tail(value: float, se: float, freedom: float) -> float:
    if not np.isfinite(se) or freedom <= 0 or (se == 0 and value == 0):
        return float("nan") if not np.isfinite(se) or freedom <= 0 else 1.0
    return float(student.sf(value / se, freedom)) if se > 0 else float(value < 0)
