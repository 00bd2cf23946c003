"""From the mean of an hour to its busiest second.

Of many seconds with a mean of m calls the busiest has about m + a x sqrt(m) + b x m: the first term is chance (for Poisson
arrivals a is near sqrt(2 ln 3600) = 4), the second is bursts, which grow with the traffic. Both are fitted to the hours of the
series, robustly; what the hours scatter around that widens the quantiles.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.forecasting.profile import Floats
from core.types import QUANTILE_COLUMNS, QUANTILE_LEVELS

LEAST_HOURS = 72
_ROUNDS = 8
_MEDIAN = QUANTILE_LEVELS.index(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakModel:
    """`chance` and `bursts` are a and b; `scatter` (shape (n_quantiles,)) quantiles of log(real peak / fitted peak)."""

    chance: float
    bursts: float
    scatter: Floats

    def peak(self, mean: Floats) -> Floats:
        """The usual peak of hours with these means."""
        m = np.maximum(mean, 0.0)
        return np.asarray(m + self.chance * np.sqrt(m) + self.bursts * m)


def fit_peaks(mean: Floats, peak: Floats) -> PeakModel | None:
    """Fit to hours (shape (n_hours,), NaN where unknown); None where fewer than `LEAST_HOURS` hours had traffic.

    Least absolute deviations relative to the peak, by reweighted least squares; neither term is negative.
    """
    known = np.isfinite(mean) & np.isfinite(peak) & (mean > 0) & (peak > 0)
    if known.sum() < LEAST_HOURS:
        return None
    m, y = mean[known], peak[known]
    X, target = np.column_stack([np.sqrt(m), m]) / y[:, None], (y - m) / y
    weight, chosen = np.ones(len(y)), np.zeros(2)
    for _ in range(_ROUNDS):
        chosen = _non_negative(X * weight[:, None], target * weight)
        weight = 1.0 / np.sqrt(np.maximum(np.abs(target - X @ chosen), 1e-3))
    model = PeakModel(chance=float(chosen[0]), bursts=float(chosen[1]), scatter=np.zeros(len(QUANTILE_LEVELS)))
    scatter = np.quantile(np.log(y / np.maximum(model.peak(m), 1e-12)), QUANTILE_LEVELS)
    return PeakModel(chance=model.chance, bursts=model.bursts, scatter=scatter)


def peaks_of(points: pd.DataFrame, model: PeakModel) -> pd.DataFrame:
    """The peak of each hour of a forecast of means: `mean` and quantiles. Independent logarithmic spreads add as squares do."""
    peaks = model.peak(points[list(QUANTILE_COLUMNS)].to_numpy())
    middle = np.maximum(peaks[:, [_MEDIAN]], 1e-12)
    of_mean = np.log(np.maximum(peaks, 1e-12) / middle)
    of_scatter = model.scatter - model.scatter[_MEDIAN]
    side = np.sign(np.array(QUANTILE_LEVELS) - 0.5)
    quantiles = middle * np.exp(model.scatter[_MEDIAN] + side * np.sqrt(of_mean**2 + of_scatter**2))
    idle = points["q95"].to_numpy() <= 0.0
    quantiles[idle] = 0.0
    mean = np.where(idle, 0.0, model.peak(points["mean"].to_numpy()) * np.exp(model.scatter[_MEDIAN]))
    frame = pd.DataFrame(np.maximum.accumulate(quantiles, axis=1), columns=list(QUANTILE_COLUMNS), index=points.index)
    frame.insert(0, "mean", mean)
    return frame


def _non_negative(X: Floats, y: Floats) -> Floats:
    """Least squares of two terms, none below nought."""
    both = np.linalg.lstsq(X, y, rcond=None)[0]
    if (both >= 0).all():
        return np.asarray(both)
    alone = np.maximum((X * y[:, None]).sum(axis=0) / np.maximum((X**2).sum(axis=0), 1e-12), 0.0)
    loss = [((y - X[:, term] * alone[term]) ** 2).sum() for term in (0, 1)]
    better = int(np.argmin(loss))
    return np.where(np.arange(2) == better, alone, 0.0)
