"""Made-up series for the univariate detector."""

import numpy as np

from analytics.univariate import Cadence, Detector, Judged, detect
from analytics.univariate.cadence import Floats, Ints

MONDAY_S = 1_772_409_600
"""2026-03-02T00:00:00Z."""


def seconds_of(points: int, step_s: float) -> Ints:
    return (MONDAY_S + np.arange(points) * step_s).astype(np.int64)


def daily(days: int, step_s: float = 60.0, seed: int = 0, noise: float = 0.05) -> Floats:
    """A rate that doubles by day, with multiplicative noise."""
    rng = np.random.default_rng(seed)
    points = int(days * 86_400 / step_s)
    day = np.arange(points) * step_s / 86_400
    return np.asarray(100.0 * (1.5 + np.sin(2 * np.pi * day)) * np.exp(rng.normal(0.0, noise, points)))


def judged(values: Floats, step_s: float = 60.0) -> Judged:
    """One series from its beginning."""
    detector = Detector(1, Cadence.of(step_s))
    return detect(detector, values[:, None], seconds_of(len(values), step_s)[:, None])
