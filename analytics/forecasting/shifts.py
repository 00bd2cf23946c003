"""Level shifts: a step to another level that stayed, so that what was before must be seen at the level of now.

Only clear steps count: a tenant that came or went, a route that moved. Every day since lies well on the new side, every day of
the weeks before lay well on the old one; whatever is less clear is left to the candidates, whose levels follow in days anyway.
"""

import numpy as np

from analytics.forecasting.medians import median
from analytics.forecasting.profile import Floats, decompose
from analytics.forecasting.season import Season

_LEAST_STEP = np.log(1.4)
_LEAST_DAYS_AFTER, _MOST_DAYS_AFTER, _DAYS_BEFORE = 3, 21, 14
_SCATTER = 0.35
"""Days may lie this share of the step away from the middle of their side."""


def level_shift(values: Floats, season: Season) -> tuple[int, float]:
    """The points since the last clear step, and the factor by which the level changed; (0, 1.0) without one.

    `values` of shape (n_points,) without gaps, none negative.
    """
    if season.week == season.day or len(values) < 3 * season.week or values.min() < 0 or median(values) <= 0:
        return 0, 1.0
    logs = np.log(values + 0.02 * median(values))
    days = decompose(logs, season).days
    best, factor = 0, 0.0
    for after in range(_LEAST_DAYS_AFTER, min(_MOST_DAYS_AFTER, len(days) - _DAYS_BEFORE) + 1):
        new, old = days[-after:], days[-after - _DAYS_BEFORE : -after]
        now, then = median(new), median(old)
        step, allowed = now - then, _SCATTER * abs(now - then)
        clear = np.abs(new - now).max() <= allowed and np.abs(old - then).max() <= allowed
        if clear and abs(step) >= _LEAST_STEP and abs(step) > abs(factor):
            best, factor = after, step
    return best * season.day, float(np.exp(factor))
