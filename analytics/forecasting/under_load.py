"""Latency under load: how much of it moves with the traffic, and what the traffic's forecast adds to it."""

import numpy as np
import pandas as pd

from analytics.forecasting.history import fill
from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season

_LEAST_WEEKS = 2
_LEAST_CORRELATION = 0.2
_MOST_ELASTICITY = 3.0
_MOST_FACTOR = 5.0


def elasticity(latency: Floats, traffic: Floats, season: Season) -> float:
    """By how many per cent latency rises with one per cent more traffic than usual at that time of the week; at least 0.

    Both of shape (n_points,), NaN where unknown. The slope of ranks that hold: 0 for less than two weeks, and where the two
    hardly move together (rank correlation, Spearman).
    """
    known = np.isfinite(latency) & np.isfinite(traffic) & (latency > 0) & (traffic > 0)
    if known.sum() < _LEAST_WEEKS * season.week:
        return 0.0
    moved = [_unusual(np.where(known, values, np.nan), season)[known] for values in (latency, traffic)]
    ranks = [pd.Series(values).rank().to_numpy() for values in moved]
    if min(np.std(values) for values in ranks) == 0.0 or np.corrcoef(ranks[0], ranks[1])[0, 1] < _LEAST_CORRELATION:
        return 0.0
    low, high = np.quantile(moved[1], [0.25, 0.75])
    above, below = moved[0][moved[1] >= high], moved[0][moved[1] <= low]
    apart = np.median(moved[1][moved[1] >= high]) - np.median(moved[1][moved[1] <= low])
    slope = (np.median(above) - np.median(below)) / max(apart, 1e-9)  # the resistant line of the outer quarters (Tukey, 1977)
    return float(np.clip(slope, 0.0, _MOST_ELASTICITY))


def load_factor(expected: Floats, traffic: Floats, slope: float, season: Season) -> Floats:
    """What latency is multiplied by when traffic of `expected` follows a history of `traffic`."""
    recent = fill(traffic[-4 * season.week :], season)
    if slope == 0.0 or len(recent) < season.week:
        return np.ones(len(expected))
    weeks = recent[len(recent) % season.week :].reshape(-1, season.week)
    usual = np.resize(np.median(weeks, axis=0), len(expected))
    ratio = np.where((usual > 0) & (expected > 0), expected / np.maximum(usual, 1e-12), 1.0)
    return np.clip(ratio**slope, 1.0 / _MOST_FACTOR, _MOST_FACTOR)


def _unusual(values: Floats, season: Season) -> Floats:
    """The logarithm of values over what is usual at that time of the week."""
    logs = np.log(values)
    weeks = np.concatenate([logs, np.full(-len(logs) % season.week, np.nan)]).reshape(-1, season.week)
    seen = np.isfinite(weeks).any(axis=0)
    usual = np.zeros(season.week)
    usual[seen] = np.nanmedian(weeks[:, seen], axis=0)
    return np.asarray(logs - np.resize(usual, len(logs)))
