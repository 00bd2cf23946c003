"""Weighted shares and means of a side, and how sure they are while calls of one time are alike. Pure and seeded.

An estimate is linearised: it is its value plus a sum of influences, one a block of time (Wolter: Introduction to Variance
Estimation, 6.5). Blocks are resampled with replacement (Künsch, Ann. Stat. 17, 1989), which for a sum of influences has a
standard error in closed form. How long calls stay alike is not known beforehand: blocks are joined to ever longer ones and the
largest standard error holds (Flyvbjerg, Petersen, J. Chem. Phys. 91, 1989).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

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
    size : ndarray of shape (n_blocks,)
        How much each block counts.
    error : Error
        How sure it is by itself.
    parts : ndarray of shape (n_strata,)
        What each stratum adds to the value.
    """

    value: float
    influence: Floats
    size: Floats
    error: "Error"
    parts: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """A standard error, its degrees of freedom, and how many blocks in a row were joined for it."""

    se: float
    freedom: float
    joined: int


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
        return float(scipy.stats.t.isf(tail, self.freedom)) if self.freedom > 0 else float("inf")


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
    parts = np.zeros(len(used))
    parts[used] = weights * ratio
    error = _error(influence, size)
    return Estimate(value=float((weights * ratio).sum()), influence=influence, size=size, error=error, parts=parts)


def contrast(before: Estimate, after: Estimate, *, at_once: bool = False) -> Contrast:
    """The difference of two sides.

    Sides that were observed `at_once`, block by block, share what befell both: the difference of each block counts. Others are
    independent, with degrees of freedom by Welch (Biometrika 34, 1947).
    """
    value = after.value - before.value
    if at_once:
        error = _error(after.influence - before.influence, before.size + after.size)
        return Contrast(value=value, se=error.se, freedom=error.freedom)
    variances = np.array([before.error.se, after.error.se]) ** 2
    freedoms = np.array([before.error.freedom, after.error.freedom])
    total = float(variances.sum())
    if total > 0 and (freedoms > 0).all():
        freedom = total**2 / float((variances**2 / freedoms).sum())
    else:
        freedom = float(freedoms.min())
    return Contrast(value=value, se=float(np.sqrt(total)), freedom=freedom)


def drawn(one: Estimate, resamples: int, rng: np.random.Generator) -> Floats:
    """Deviations of `resamples` values of the block bootstrap from the estimate, as wide as its degrees of freedom ask."""
    return _drawn((one.influence,), one.size, one.error, resamples, rng)[0]


def drawn_at_once(before: Estimate, after: Estimate, resamples: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The same for two sides whose blocks are of the same times: a block is drawn for both."""
    size = before.size + after.size
    error = _error(after.influence - before.influence, size)
    first, second = _drawn((before.influence, after.influence), size, error, resamples, rng)
    return first, second


def _drawn(influences: Sequence[Floats], size: Floats, error: Error, resamples: int, rng: np.random.Generator) -> list[Floats]:
    joined = [_joined(one, size, error.joined)[0] for one in influences]
    blocks = len(joined[0])
    if blocks < 2 or error.freedom <= 0:
        return [np.full(resamples, np.nan) for _ in influences]
    weights = rng.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=resamples)
    wider = scipy.stats.t.isf(0.025, error.freedom) / scipy.stats.norm.isf(0.025) * np.sqrt(blocks / (blocks - 1.0))
    return [np.asarray(weights @ one * wider) for one in joined]


def _error(influence: Floats, size: Floats) -> Error:
    """Of the block length that has the largest standard error."""
    found = []
    factor = 1
    while factor == 1 or len(influence) // factor >= _LEAST_BLOCKS:
        joined, held = _joined(influence, size, factor)
        blocks = len(joined)
        if blocks >= 2:
            # Blocks of very different size are worth fewer (Kish: Survey Sampling, 11.7).
            freedom = float(held.sum() ** 2 / (held**2).sum()) - 1.0
            se = float(np.sqrt(blocks / (blocks - 1.0) * (joined**2).sum()))
            found.append(Error(se=se, freedom=freedom, joined=factor))
        factor *= 2
    return max(found, key=lambda one: one.se, default=Error(se=float("nan"), freedom=0.0, joined=1))


def _joined(influence: Floats, size: Floats, factor: int) -> tuple[Floats, Floats]:
    """Blocks joined, `factor` in a row; those without any call are left out."""
    if not len(influence):
        return influence, size
    starts = np.arange(0, len(influence), factor)
    joined, held = np.add.reduceat(influence, starts), np.add.reduceat(size, starts)
    return joined[held > 0], held[held > 0]


def _tail(value: float, se: float, freedom: float) -> float:
    if not np.isfinite(se) or freedom <= 0 or (se == 0 and value == 0):
        return float("nan") if not np.isfinite(se) or freedom <= 0 else 1.0
    return float(scipy.stats.t.sf(value / se, freedom)) if se > 0 else float(value < 0)
