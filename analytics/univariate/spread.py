"""How many spreads is a value away? Mean and standard deviation of the past, plain and with outliers drawn in."""

from dataclasses import dataclass

import numpy as np

from analytics.univariate.answer import Answer
from analytics.univariate.cadence import Bools, Floats

_MEMORY_POINTS = 6_400
_LEAST_POINTS = 20
_EDGE = 3.4
"""Standard deviations that are the edge of the expected range."""
_LEAST_SHARE = 0.5
"""Of the plain standard deviation: where a series mostly stands still, its rare movements are not all alarms."""
_DRAW_IN = 4.0
"""Plain standard deviations beyond which a point counts as one that lies there (winsorising)."""


@dataclass(slots=True, kw_only=True)
class Spread:
    """The state, of any shape; `points` counts what was taken over."""

    mean: Floats
    variance: Floats
    drawn_mean: Floats
    drawn_variance: Floats
    points: Floats

    @classmethod
    def unseen(cls, shape: tuple[int, ...]) -> "Spread":
        mean, variance, drawn_mean, drawn_variance, points = np.zeros((5, *shape))
        return cls(mean=mean, variance=variance, drawn_mean=drawn_mean, drawn_variance=drawn_variance, points=points)

    def distance(self, values: Floats) -> Floats:
        """In plain standard deviations from the mean; 0 before there are 20 points."""
        return self._known(np.abs(values - self.mean) / np.maximum(np.sqrt(self.variance), _least(self.mean)))

    def answer(self, values: Floats) -> Answer:
        """How many standard deviations away, by the mean and standard deviation that outliers hardly move."""
        least = np.maximum(_LEAST_SHARE * np.sqrt(self.variance), _least(self.drawn_mean))
        sigma = np.maximum(np.sqrt(self.drawn_variance), least)
        return Answer(
            score=self._known(np.abs(values - self.drawn_mean) / sigma) / _EDGE,
            lower=self.drawn_mean - _EDGE * sigma,
            upper=self.drawn_mean + _EDGE * sigma,
            ready=self.points >= _LEAST_POINTS,
        )

    def learn(self, values: Floats, known: Bools) -> None:
        rate = np.where(known, np.maximum(1.0 / (self.points + 1), 1.0 / _MEMORY_POINTS), 0.0)
        reach = np.where(self.points >= _LEAST_POINTS, _DRAW_IN * np.sqrt(self.variance), np.inf)
        drawn = np.minimum(np.maximum(values, self.mean - reach), self.mean + reach)
        self.mean, self.variance = _moved(self.mean, self.variance, values, rate)
        self.drawn_mean, self.drawn_variance = _moved(self.drawn_mean, self.drawn_variance, drawn, rate)
        self.points += known

    def _known(self, distance: Floats) -> Floats:
        return np.where(self.points >= _LEAST_POINTS, distance, 0.0)


def _moved(mean: Floats, variance: Floats, values: Floats, rate: Floats) -> tuple[Floats, Floats]:
    """Exponentially weighted moments, West (1979)."""
    off = values - mean
    moved = mean + rate * off
    return moved, (1.0 - rate) * (variance + rate * off * off)


def _least(mean: Floats) -> Floats:
    return 1e-9 * (1.0 + np.abs(mean))
