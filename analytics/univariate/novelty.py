"""Was such a value ever there?

The distance outside of the range that was reached before, over the width of that range, of three quantities: the value, its
mean over half an hour, and its deviation from what was expected. Nothing is drawn in: what happens again and again is habit.
"""

from dataclasses import dataclass

import numpy as np

from analytics.univariate.answer import Answer
from analytics.univariate.cadence import Bools, Cadence, Floats
from analytics.univariate.edges import Edges
from analytics.univariate.structure import Expectation

_RANK = 3
_GAIN = 4.0
_EDGE = 1.0
"""Sum of log(1 + 4 · distance) that is the edge of the expected range."""
_MEAN_S = 1_800.0
_ALONE = (np.exp(_EDGE / 2) - 1.0) / _GAIN
"""Distance at which a value and its deviation make an alarm without the mean's help."""
_FARTHEST = 1e3


@dataclass(slots=True, kw_only=True)
class Novelty:
    """The state: edges of (3 quantities x n_series), and the values of the last half hour, NaN where there were none."""

    edges: Edges
    recent: Floats

    @classmethod
    def unseen(cls, n_series: int, cadence: Cadence) -> "Novelty":
        points = int(np.clip(round(_MEAN_S / cadence.step_s), 1, 60))
        return cls(edges=Edges.unseen(3 * n_series), recent=np.full((points, n_series), np.nan))

    def take(self, values: Floats, known: Bools, expected: Expectation) -> Answer:
        """Judge one point, then learn it."""
        self.recent = np.concatenate([self.recent[1:], np.where(known, values, np.nan)[None]])
        there = np.isfinite(self.recent)
        mean = np.where(there, self.recent, 0.0).sum(0) / np.maximum(there.sum(0), 1)
        quantities = np.concatenate([values, mean, values - expected.center])
        both = np.array([quantities, -quantities])
        reach = self.edges.reach()
        found = np.isfinite(reach).all(0)
        high, low = np.where(found, reach[0], 0.0), np.where(found, -reach[1], 0.0)
        width = np.maximum(high - low, 1e-9 * (1.0 + np.abs(high)))
        distance = np.where(found, np.maximum(quantities - high, low - quantities) / width, 0.0)
        gained = np.log1p(_GAIN * np.minimum(np.maximum(distance, 0.0), _FARTHEST)).reshape(3, -1)
        self.edges.learn(both, reach, np.tile(known, 3), _RANK)
        high, low, width = (edge.reshape(3, -1)[0] for edge in (high, low, width))
        return Answer(
            score=gained.sum(0) / _EDGE,
            lower=low - _ALONE * width,
            upper=high + _ALONE * width,
            ready=np.asarray(found.reshape(3, -1).all(0)),
        )
