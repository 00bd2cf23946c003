"""Trends of daily values: Mann and Kendall's test with ties, and Sen's slope. Pure.

Mann 1945, Kendall 1975; the variance with ties and the continuity correction as in Gilbert: Statistical Methods for
Environmental Pollution Monitoring (1987), 16.4; the slope is Sen's (1968), the median of all pairs.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_DAYS = 8


def mann_kendall(values: Floats) -> tuple[float, float]:
    """p-value (two-sided) and Sen's slope a step of a series, NaN left out; (NaN, NaN) with fewer than eight values."""
    place = np.flatnonzero(np.isfinite(values))
    known = values[place]
    size = len(known)
    if size < LEAST_DAYS:
        return float("nan"), float("nan")
    first, second = np.triu_indices(size, 1)
    differences = known[second] - known[first]
    score = float(np.sign(differences).sum())
    _, ties = np.unique(known, return_counts=True)
    variance = (size * (size - 1) * (2 * size + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18.0
    slope = float(np.median(differences / (place[second] - place[first])))
    if variance <= 0.0:
        return 1.0, slope
    z = (score - math.copysign(1.0, score)) / math.sqrt(variance) if score else 0.0
    return math.erfc(abs(z) / math.sqrt(2.0)), slope
