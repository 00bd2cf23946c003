"""Made-up traffic for the tests of forecasts."""

import numpy as np

from analytics.features import Floats

WEEK = 168


def weekly(weeks: int, seed: int = 1, noise: float = 0.1, growth: float = 0.0, wander: float = 0.05) -> Floats:
    """A day and week shape with noise of whole weeks and of hours."""
    rng = np.random.default_rng(seed)
    hour = np.arange(weeks * WEEK)
    shape = (1.2 + np.sin(2 * np.pi * hour / 24)) * np.where(hour // 24 % 7 >= 5, 0.5, 1.0)
    level = np.repeat(rng.lognormal(0.0, wander, weeks), WEEK) * (1.0 + growth) ** (hour / WEEK)
    return np.asarray(100.0 * shape * level * rng.lognormal(0.0, noise, len(hour)))
