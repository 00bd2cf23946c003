"""Many comparisons at once: Holm's correction. Pure.

Holm, Scand. J. Stat. 6 (1979): the chance that any true "no change" is called a change stays below the level, however the tests
depend on one another, as percentiles of the same calls do. (Benjamini and Hochberg bound the share of false findings instead; a
gate that fails on one false finding needs the former.)
"""

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted values in the same order; NaN stays NaN and is not counted."""
    order = sorted((value, at) for at, value in enumerate(p_values) if not math.isnan(value))
    adjusted = [math.nan] * len(p_values)
    most = 0.0
    for rank, (value, at) in enumerate(order):
        most = max(most, min(1.0, value * (len(order) - rank)))
        adjusted[at] = most
    return adjusted
