"""How good forecasts were: errors relative to repeating the last week, quantile losses, coverage."""

from collections.abc import Sequence

import numpy as np

from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season
from core.types import QUANTILE_LEVELS


def pinball(truth: Floats, quantile: Floats, level: float) -> float:
    """Mean pinball loss of one quantile; twice of it over the mean of what came is the weighted quantile loss (WQL)."""
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


def judge(truth: Floats, quantiles: Floats, reference: Floats) -> tuple[float, float, float, float]:
    """Error of the median relative to that of `reference`, WQL, WQL at 95 %, coverage of the 90 % interval.

    `quantiles` has shape (n_points, n_quantiles) at `QUANTILE_LEVELS`. The relative error is NaN where the reference is never
    wrong, losses where nothing came.
    """
    size = float(np.abs(truth).mean())
    losses = [2.0 * pinball(truth, quantiles[:, at], level) for at, level in enumerate(QUANTILE_LEVELS)]
    usual = float(np.abs(truth - reference).mean())
    own = float(np.abs(truth - quantiles[:, QUANTILE_LEVELS.index(0.5)]).mean())
    inside = (truth >= quantiles[:, 0]) & (truth <= quantiles[:, -1])
    return (
        own / usual if usual > 0 else float("nan"),
        float(np.mean(losses)) / size if size > 0 else float("nan"),
        losses[-1] / size if size > 0 else float("nan"),
        float(inside.mean()),
    )
