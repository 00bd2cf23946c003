"""The Universal Scalability Law: throughput against concurrency, fitted by least squares to many targets at once.

    X(N) = gamma N / (1 + sigma (N - 1) + kappa N (N - 1))

`gamma` is the throughput of one call in flight, `sigma` the contention (what has to queue), `kappa` the coherency (what has
to be agreed between all in flight). With kappa above zero throughput falls beyond N* = sqrt((1 - sigma) / kappa); with kappa
nought it only flattens towards gamma / sigma (N. J. Gunther, Guerrilla Capacity Planning, 2007, chapter 6, doi
10.1007/978-3-540-31010-5).

The time that a call takes, N / X, is linear in a = 1/gamma, b = sigma/gamma and c = kappa/gamma, so each Gauss-Newton step is a
linear least-squares problem of three unknowns, none of them negative. All bootstrap targets take their steps together.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SUBSETS = ((0, 1, 2), (0, 1), (0, 2), (0,))
"""Which of a, b, c are free; the others are nought. One call in flight always takes some time."""
_STEPS = 30
_ENOUGH = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Usl:
    """Fitted laws, one for each target.

    Attributes
    ----------
    gamma, sigma, kappa : ndarray of shape (n_targets,)
        gamma in calls/s, the others without unit; none is negative.
    """

    gamma: Floats
    sigma: Floats
    kappa: Floats

    def throughput(self, concurrency: Floats) -> Floats:
        """X at each concurrency, shape (n_targets, n_points)."""
        n = concurrency[None, :]
        slowdown = 1.0 + self.sigma[:, None] * (n - 1.0) + self.kappa[:, None] * n * (n - 1.0)
        return np.asarray(self.gamma[:, None] * n / slowdown)

    def peak_concurrency(self) -> Floats:
        """N*, where throughput begins to fall, shape (n_targets,); infinite where it only flattens."""
        return np.sqrt(_over(np.maximum(1.0 - self.sigma, 0.0), self.kappa))

    def peak(self) -> Floats:
        """The highest throughput, shape (n_targets,): X(N*), gamma / sigma without N*, infinite for a straight line."""
        at = self.peak_concurrency()
        finite = np.isfinite(at)
        n = np.where(finite, np.maximum(at, 1.0), 1.0)
        slowdown = 1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0)
        return np.where(finite, self.gamma * n / slowdown, _over(self.gamma, self.sigma))


def fit_usl(concurrency: Floats, targets: Floats, weight: Floats) -> Usl:
    """Weighted least squares of throughput, for every row of `targets`.

    Parameters
    ----------
    concurrency : ndarray of shape (n_points,)
        Calls in flight (or users, or instances), above nought.
    targets : ndarray of shape (n_targets, n_points)
        Throughput at each of them; rows of a bootstrap may touch nought here and there.
    weight : ndarray of shape (n_points,)
        Of each squared error; 0 leaves a point out.
    """
    top = float(concurrency.max())
    scale = np.array([1.0, top, top * top])
    design = np.stack([np.ones_like(concurrency), concurrency - 1.0, concurrency * (concurrency - 1.0)], axis=1) / scale
    theta = _start(design, concurrency, targets, weight)
    error = _squares(design, concurrency, targets, weight, theta)
    for _ in range(_STEPS):
        step = _gauss_newton(design, concurrency, targets, weight, theta)
        theta, error, moved = _descend(design, concurrency, targets, weight, theta, error, step)
        if not moved:
            break
    a, b, c = (theta / scale).T
    return Usl(gamma=1.0 / a, sigma=b / a, kappa=c / a)


def _start(design: Floats, concurrency: Floats, targets: Floats, weight: Floats) -> Floats:
    """Linear fit of the time a call takes; its errors are weighted as those of throughput, but for noise."""
    floor = 0.1 * np.maximum(np.median(targets, axis=1), 1e-12)[:, None]
    x = np.maximum(targets, floor)
    return _solve(design, weight * (x * x / concurrency) ** 2, concurrency / x)


def _gauss_newton(design: Floats, concurrency: Floats, targets: Floats, weight: Floats, theta: Floats) -> Floats:
    time = theta @ design.T
    x = concurrency / time
    slope = x * x / concurrency  # minus dX / dtime
    return _solve(design, weight * slope * slope, time + (x - targets) / slope)


def _descend(
    design: Floats, concurrency: Floats, targets: Floats, weight: Floats, theta: Floats, error: Floats, step: Floats
) -> tuple[Floats, Floats, bool]:
    """The step, or the largest of its halves, quarters, … that makes the error smaller; whether any target moved much."""
    before = error
    for _ in range(6):
        new = _squares(design, concurrency, targets, weight, step)
        better = new < error
        theta, error = np.where(better[:, None], step, theta), np.where(better, new, error)
        if better.all():
            break
        step = np.where(better[:, None], step, (step + theta) / 2.0)
    return theta, error, bool((before - error > _ENOUGH * before).any())


def _squares(design: Floats, concurrency: Floats, targets: Floats, weight: Floats, theta: Floats) -> Floats:
    return np.asarray((weight * (targets - concurrency / (theta @ design.T)) ** 2).sum(axis=1))


def _solve(design: Floats, weight: Floats, response: Floats) -> Floats:
    """Non-negative weighted least squares for every row, shape (n_targets, 3), by trying which unknowns are nought.

    Of the solutions that have no negative unknown the one with the smallest error holds; with three unknowns there are four to
    try (Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23, find it without trying all).
    """
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), 9)
    gram = (weight @ products).reshape(-1, 3, 3)
    right = (weight * response) @ design
    best = np.zeros((len(response), 3))
    least = np.full(len(response), np.inf)
    for free in _SUBSETS:
        part = gram[:, free, :][:, :, free]
        ridge = 1e-12 * np.trace(part, axis1=1, axis2=2)[:, None, None] * np.eye(len(free))
        solved = np.zeros_like(best)
        solved[:, free] = np.linalg.solve(part + ridge, right[:, free, None])[:, :, 0]
        # The error without what all have in common: theta G theta - 2 theta r.
        error = np.einsum("bi,bij,bj->b", solved, gram, solved) - 2.0 * (solved * right).sum(axis=1)
        better = (solved >= 0.0).all(axis=1) & (solved[:, 0] > 0.0) & (error < least)
        best[better], least[better] = solved[better], error[better]
    lost = np.isinf(least)  # a target that is nought and below nearly everywhere
    best[lost, 0] = np.abs(right[lost, 0]) / gram[lost, 0, 0] + 1e-12
    return best


def _over(top: Floats, bottom: Floats) -> Floats:
    """Division whose result is infinite where the bottom is nought (or so small that it means nothing)."""
    return np.asarray(np.divide(top, bottom, out=np.full(len(top), np.inf), where=bottom > 1e-15))
