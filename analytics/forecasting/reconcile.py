"""Totals that equal the sum of their parts: forecasts of a whole and its parts, made to agree by trusting the surer ones more.

The minimum-trace reconciliation of Wickramasuriya, Athanasopoulos and Hyndman (2019) with a diagonal covariance: what a total
and its parts disagree by is shared out in proportion to their variances.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analytics.forecasting.profile import Floats
from core.types import QUANTILE_COLUMNS

_MOST_FACTOR = 3.0


def reconcile(total: pd.DataFrame, groups: Sequence[Sequence[pd.DataFrame]]) -> tuple[pd.DataFrame, list[list[pd.DataFrame]]]:
    """Forecasts of a total and, for each way of dividing it, of its parts, in the same order; each has `mean` and quantiles.

    Afterwards the mean of the total is the sum of the means of every group, point by point, and nothing is negative. Quantiles
    go along in proportion. Groups without parts are left as they are.
    """
    divided = [list(parts) for parts in groups if parts]
    if not divided:
        return total, [list(parts) for parts in groups]
    mean = _agreed_total(total, divided)
    made = [_parts(parts, mean) for parts in divided]
    rest = iter(made)
    return _moved(total, mean), [next(rest) if parts else [] for parts in groups]


def _agreed_total(total: pd.DataFrame, groups: Sequence[Sequence[pd.DataFrame]]) -> Floats:
    """The total's mean that costs least, with each group's sum as one more forecast of it."""
    own = np.maximum(total["mean"].to_numpy(), 0.0)
    sums = [np.sum([np.maximum(part["mean"], 0.0) for part in parts], axis=0) for parts in groups]
    precision = [1.0 / max(_variance(total), 1e-30)]
    precision += [1.0 / max(sum(_variance(part) for part in parts), 1e-30) for parts in groups]
    return np.asarray(np.average([own, *sums], axis=0, weights=precision))


def _parts(parts: Sequence[pd.DataFrame], total: Floats) -> list[pd.DataFrame]:
    """Parts whose means sum to `total`."""
    means = np.array([np.maximum(part["mean"].to_numpy(), 0.0) for part in parts])
    variance = np.array([_variance(part) for part in parts])
    share = variance / variance.sum() if variance.sum() > 0 else np.full(len(parts), 1.0 / len(parts))
    moved = np.maximum(means + share[:, None] * (total - means.sum(axis=0)), 0.0)
    sums = moved.sum(axis=0)
    moved = np.where(sums > 0, moved * (total / np.where(sums > 0, sums, 1.0)), share[:, None] * total)
    return [_moved(part, mean) for part, mean in zip(parts, moved, strict=True)]


def _moved(points: pd.DataFrame, mean: Floats) -> pd.DataFrame:
    """The forecast with another mean; quantiles in proportion."""
    before = points["mean"].to_numpy()
    factor = np.clip(np.where(before > 0, mean / np.where(before > 0, before, 1.0), 1.0), 1.0 / _MOST_FACTOR, _MOST_FACTOR)
    changed = {name: points[name].to_numpy() * factor for name in QUANTILE_COLUMNS}
    return points.assign(mean=mean, **changed)


def _variance(points: pd.DataFrame) -> float:
    return float(((points["q75"] - points["q25"]).to_numpy() ** 2).mean())
