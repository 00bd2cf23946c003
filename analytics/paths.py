"""Futures that a forecast allows: paths drawn from its quantiles, whose hours depend on one another as its errors do.

A forecast that is too low today is too low tomorrow. If hours were drawn one by one, some of the many would cross any limit,
and it would seem to be reached for sure and soon. So each path has a level of its own, kept for its whole length, and a part
that is forgotten over hours: normal scores z(t) = sqrt(v) u + sqrt(w) a(t), a(t) = phi a(t-1) + noise, which are turned
into values by the quantiles of each hour (a Gaussian copula; Nelsen, An Introduction to Copulas, 2006). v, w and phi are of
past forecasts of the same series: the normal scores of what then came, within the quantiles that had been forecast.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analytics.usl import Floats
from core.types import QUANTILE_LEVELS

WEEK_H = 168
_KNOTS = stats.norm.ppf(QUANTILE_LEVELS)
_BEYOND = 2.5
"""Scores of what lay outside of all quantiles are no further out than this."""
_USUAL_LEVEL, _USUAL_MEMORY = 0.3, 0.7
_MOST_VARIANCE, _LEAST_REST = 1.5, 0.05
_TRUST_AFTER, _SURE_AFTER = 3.0, 0.5
"""So many past forecasts weigh as much as what is usual: for their level, of which each shows one, and for its hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """How errors of a forecast hang together.

    Attributes
    ----------
    level, rest : float
        Variance that one error has in common over the whole horizon, and variance around that from hour to hour. Together 1
        where intervals are as wide as they need be, less where wider.
    hourly : float
        What remains of the rest from one hour to the next, in [0, 1).
    """

    level: float = _USUAL_LEVEL
    rest: float = 1.0 - _USUAL_LEVEL
    hourly: float = _USUAL_MEMORY


def scores(quantiles: Floats, came: Floats) -> Floats:
    """Normal scores of what came within what had been forecast, shape (n_hours,); NaN where it is not known.

    Parameters
    ----------
    quantiles : ndarray of shape (n_hours, 7)
        As they were forecast, at `QUANTILE_LEVELS`.
    came : ndarray of shape (n_hours,)
        NaN where unknown.
    """
    place = np.clip((quantiles <= came[:, None]).sum(axis=1) - 1, 0, len(_KNOTS) - 2)
    hour = np.arange(len(came))
    low, high = quantiles[hour, place], quantiles[hour, place + 1]
    share = np.divide(came - low, high - low, out=np.full(len(came), 0.5), where=high > low)
    z = _KNOTS[place] + share * (_KNOTS[place + 1] - _KNOTS[place])
    return np.where(np.isfinite(came), np.clip(z, -_BEYOND, _BEYOND), np.nan)


def persistence_of(past: list[Floats]) -> Persistence:
    """From the scores of past forecasts, each of a day or more; what few of them say is drawn towards what is usual.

    By how much they missed on average is left out: quantiles lean to that side by themselves (`forecasting.spread`).
    """
    known = [one for one in past if np.isfinite(one).sum() >= 24]
    if not known:
        return Persistence()
    trust, sure = (len(known) / (len(known) + after) for after in (_TRUST_AFTER, _SURE_AFTER))
    levels = np.array([np.nanmean(one) for one in known])
    spread = float(np.mean([np.nanvar(one) for one in known]))
    memory = float(np.clip(np.mean([_lag_one(one - level) for one, level in zip(known, levels, strict=True)]), 0.0, 0.98))
    between = float(levels.var(ddof=1)) if len(known) > 1 else _USUAL_LEVEL
    usual = Persistence()
    return Persistence(
        level=float(np.clip(usual.level + trust * (between - usual.level), 0.0, _MOST_VARIANCE)),
        rest=float(np.clip(usual.rest + sure * (spread - usual.rest), _LEAST_REST, _MOST_VARIANCE)),
        hourly=usual.hourly + sure * (memory - usual.hourly),
    )


def draw_paths(quantiles: Floats, persistence: Persistence, count: int, rng: np.random.Generator) -> Floats:
    """Paths of shape (count, n_hours), never below nought.

    Parameters
    ----------
    quantiles : ndarray of shape (n_hours, 7)
        At `QUANTILE_LEVELS`, rising; what lies beyond the outer ones goes on as between them and their neighbours.
    """
    hours = len(quantiles)
    z = np.empty((count, hours))
    state = rng.standard_normal(count)
    shocks = rng.standard_normal((hours, count)) * np.sqrt(1.0 - persistence.hourly**2)
    for hour in range(hours):
        state = persistence.hourly * state + shocks[hour]
        z[:, hour] = state
    level = np.sqrt(persistence.level) * rng.standard_normal((count, 1))
    z = level + np.sqrt(persistence.rest) * z
    return np.maximum(_values(quantiles, z), 0.0)


def _values(quantiles: Floats, z: Floats) -> Floats:
    """The quantile function of each hour, linear in the normal score between the known quantiles and beyond them."""
    place = np.clip(np.searchsorted(_KNOTS, z, side="right") - 1, 0, len(_KNOTS) - 2)
    hour = np.arange(z.shape[1])[None, :]
    low, high = quantiles[hour, place], quantiles[hour, place + 1]
    share = (z - _KNOTS[place]) / (_KNOTS[place + 1] - _KNOTS[place])
    return np.asarray(low + share * (high - low))


def _lag_one(centred: Floats) -> float:
    """Correlation of neighbours; 0 where nothing varies."""
    square = float(np.nanmean(centred * centred))
    return float(np.nanmean(centred[1:] * centred[:-1])) / square if square > 0.0 else 0.0
