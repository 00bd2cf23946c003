"""Growth by the week, how it goes on, and how little is known of that."""

import numpy as np

from analytics.forecasting.medians import median, row_medians
from analytics.forecasting.profile import MOST_WEEKS, Floats, decompose
from analytics.forecasting.season import Season

_WEEKS, _DAMPING = 8, 0.9
"""Growth is damped as by Gardner and McKenzie (1985)."""
_USUAL = 0.1
"""Growth a week, as a logarithm, up to which it is not doubted; from twice as much on it is doubted whole."""
_SMALL = 0.1
"""Added, as a share of the median, so that zeros have a logarithm."""


def growth_per_week(days: Floats, season: Season) -> float:
    """Theil-Sen slope of the last weeks' levels (Sen, 1968), from levels of days; nought for less than three weeks."""
    a_week = season.week // season.day
    count = min(len(days) // a_week, _WEEKS)
    if count < 3:
        return 0.0
    level = row_medians(days[len(days) - count * a_week :].reshape(count, a_week))
    first, second = np.triu_indices(count, 1)
    return median((level[second] - level[first]) / (second - first))


def damped(weeks: Floats) -> Floats:
    """By how many weeks' growth a level rises in so many weeks."""
    return np.asarray(_DAMPING * (1.0 - _DAMPING**weeks) / (1.0 - _DAMPING))


def doubt(values: Floats, horizon: int, season: Season) -> Floats:
    """Standard deviation of the logarithms of the `horizon` points after `values` that comes of growth, shape (horizon,).

    An unusual growth may as well stop or double: it is known to no more than itself. Of usual growth the replays show how it is
    missed. Nought where growth cannot be told (gaps must have been filled, negative values have no
    logarithm).
    """
    middle = median(values)
    if len(values) < 3 * season.week or values.min() < 0 or middle <= 0:
        return np.zeros(horizon)
    days = decompose(np.log(values[-MOST_WEEKS * season.week :] + _SMALL * middle), season).days
    growth = abs(growth_per_week(days, season))
    share = min(max(growth / _USUAL - 1.0, 0.0), 1.0)
    return share * growth * damped((np.arange(horizon) + 0.5) / season.week)
