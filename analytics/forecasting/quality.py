"""How good forecasts were: errors relative to repeating the last week, quantile losses, coverage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Of forecasts against what came, averaged over origins.

    Attributes
    ----------
    mase : float
        Mean absolute error of the median, relative to repeating the last week over the same points.
    wql : float
        Weighted quantile loss over all quantiles: twice the pinball loss over the mean of what came (Gneiting, Raftery, 2007).
    wql95 : float
        The same at the 95 % quantile alone.
    coverage90 : float
        Share of points between the 5 % and the 95 % quantile.
    """

    mase: float
    wql: float
    wql95: float
    coverage90: float
    origins: int


def pinball(truth: Floats, quantile: Floats, level: float) -> float:
    """Mean pinball loss of one quantile."""
    over = truth - quantile
    return float(np.maximum(level * over, (level - 1.0) * over).mean())


def relative_error(replayed: Sequence[tuple[int, Floats]], values: Floats, season: Season) -> float:
    """Mean absolute error of the first week of each replay over that of repeating the week before.

    `replayed` holds origins and errors; those without a week before them are left out. NaN where none is left.
    """
    own, naive = [], []
    for origin, errors in replayed:
        size = min(len(errors), season.week)
        if origin < season.week:
            continue
        own.append(np.abs(errors[:size]))
        naive.append(np.abs(values[origin : origin + size] - values[origin - season.week : origin - season.week + size]))
    if not own:
        return float("nan")
    usual = float(np.concatenate(naive).mean())
    return float(np.concatenate(own).mean() / usual) if usual > 0 else float("nan")
