"""Slow change under constant load: how fast, and whether it is more than chance."""

from dataclasses import dataclass

import numpy as np
import scipy

from analytics.usl import Floats
from core.capacity import Estimate

_MINUTES_A_DAY = 1440.0
_RECENT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A monotone trend.

    Attributes
    ----------
    slope : Estimate
        Change from one value to the next (Theil-Sen), with its 90 % interval (Sen, 1968).
    p_value : float
        Of the Mann-Kendall test that there is no trend, two-sided; corrected for neighbours that are alike.
    """

    slope: Estimate
    p_value: float

    @property
    def real(self) -> bool:
        return self.p_value < 0.05


def drift_of(values: Floats) -> Drift:
    """Trend of equally spaced values, oldest first; NaN are left out. Needs 8 of them, else nothing is called a trend.

    Kendall's S over its standard deviation (Mann, 1945; Kendall, 1975), whose variance is multiplied by (1 + r) / (1 - r) for
    residuals of lag-one correlation r (Hamed and Rao, 1998, for the first lag): latency of one minute resembles the next.
    """
    at = np.flatnonzero(np.isfinite(values))
    known = values[at]
    if len(known) < 8:
        return Drift(slope=Estimate(value=0.0, lower=np.nan, upper=np.nan), p_value=1.0)
    slope, _, lower, upper = scipy.stats.theilslopes(known, at, alpha=0.9)
    n = len(known)
    s = float(np.sign(known[None, :] - known[:, None])[np.triu_indices(n, 1)].sum())
    _, ties = np.unique(known, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18.0
    rest = known - slope * at
    rest = rest - rest.mean()
    square = float((rest * rest).sum())
    alike = float(np.clip((rest[1:] * rest[:-1]).sum() / square, 0.0, 0.95)) if square > 0.0 else 0.0
    z = (s - np.sign(s)) / np.sqrt(max(variance * (1.0 + alike) / (1.0 - alike), 1e-12))
    return Drift(
        slope=Estimate(value=float(slope), lower=float(lower), upper=float(upper)),
        p_value=float(2.0 * scipy.stats.norm.sf(abs(z))),
    )


def minutes_to_quota(by_minute: Floats, quota: float) -> Estimate:
    """Minutes until a quota of a minute is used up as things move now; infinite beyond a day, nought where it is already.

    Parameters
    ----------
    by_minute : ndarray of shape (n_minutes,)
        What was used in each of the last minutes, NaN where unknown.
    """
    known = by_minute[np.isfinite(by_minute)]
    if not len(known):
        return Estimate(value=np.nan, lower=np.nan, upper=np.nan)
    left = quota - float(np.median(known[-_RECENT:]))
    if left <= 0.0:
        return Estimate(value=0.0, lower=0.0, upper=0.0)
    drift = drift_of(by_minute)
    if not drift.real:
        return Estimate(value=np.inf, lower=np.inf, upper=np.inf)
    slope = drift.slope
    return Estimate(value=_until(left, slope.value), lower=_until(left, slope.upper), upper=_until(left, slope.lower))


def _until(left: float, slope: float) -> float:
    minutes = left / slope if slope > 0.0 else np.inf
    return float(minutes) if minutes <= _MINUTES_A_DAY else float("inf")
