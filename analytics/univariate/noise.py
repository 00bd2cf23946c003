"""Do several points together deviate beyond the noise of their time of day?

Deviations in standard deviations are averaged over several horizons (a bank of moving averages, as in multi-scale control
charts); each average is compared with the edge of its own earlier peaks, upwards and downwards apart, since noise is skewed.
"""

from dataclasses import dataclass

import numpy as np

from analytics.univariate.answer import Answer
from analytics.univariate.cadence import Bools, Floats
from analytics.univariate.edges import Edges
from analytics.univariate.structure import Expectation

_HORIZONS = np.array([1, 2, 5, 15, 30])
"""Points: a spike shows in one, a slight shift of noisy minutes in thirty."""
_RANK, _WIDEN = 5, 1.5
_EDGE = 2.1
"""Multiple of the fifth highest peak that is the edge of the expected range."""
_LEAST_REACH = 2.0 / _HORIZONS**0.4
"""Standard deviations: two thirds of what averages of nearly independent noise reach, so that a quiet week is not the limit."""
_LEAST_EFFECT = 0.1
"""Smallest mean deviation that is an alarm, on the logarithmic scale about a share of the value."""
_FARTHEST = 100.0
_MOST = 1e3


@dataclass(slots=True, kw_only=True)
class Noise:
    """The state: edges of (horizons x n_series) averages, and the last deviations (longest horizon, n_series),
    the newest first."""

    edges: Edges
    recent: Floats

    @classmethod
    def unseen(cls, n_series: int) -> "Noise":
        return cls(edges=Edges.unseen(len(_HORIZONS) * n_series), recent=np.zeros((int(_HORIZONS[-1]), n_series)))

    def take(self, values: Floats, known: Bools, learned: Bools, expected: Expectation) -> Answer:
        """Judge one point, then learn it; `learned` says which series' seasons are known well enough to learn noise from."""
        deviation = np.where(known, (values - expected.center) / np.maximum(expected.sigma, 1e-9), 0.0)
        bounded = np.minimum(np.maximum(deviation, -_FARTHEST), _FARTHEST)
        self.recent = np.concatenate([bounded[None], self.recent[:-1]])
        averages = (self.recent.cumsum(0)[_HORIZONS - 1] / _HORIZONS[:, None]).ravel()
        both = np.array([averages, -averages])
        reach = self.edges.reach()
        found = np.isfinite(reach)
        least = np.maximum(_LEAST_REACH[:, None], _LEAST_EFFECT / _EDGE / np.maximum(expected.sigma, 1e-9)).ravel()
        reach = np.where(found, np.maximum(reach, least), -np.inf)
        ratio = np.where(found, both / reach, 0.0).reshape(2, len(_HORIZONS), -1)
        self.edges.learn(both, reach, np.tile(known & learned, len(_HORIZONS)), _RANK, _WIDEN, early_high=True)
        up, down = _EDGE * np.maximum(reach.reshape(2, len(_HORIZONS), -1)[:, 0], 0.0) * expected.sigma
        return Answer(
            score=np.minimum(np.maximum(ratio.max((0, 1)), 0.0), _MOST) / _EDGE,
            lower=expected.center - down,
            upper=expected.center + up,
            ready=np.asarray(found.reshape(2, len(_HORIZONS), -1).all((0, 1))),
        )
