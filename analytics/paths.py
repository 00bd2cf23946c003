"""Futures that a forecast allows: paths drawn from its quantiles, whose hours depend on one another as its errors do.

A forecast that is too low today is too low tomorrow. If hours were drawn one by one, some of the many would cross any limit,
and it would seem to be reached for sure and soon. So each path has a level of its own, kept for its whole length, and a part
that is forgotten over hours: normal scores z(t) = m r(t) + sqrt(v) u + sqrt(w) a(t) / s(t), a(t) = phi a(t-1) + noise. The
quantiles of each hour turn them into values (a Gaussian copula; Nelsen, An Introduction to Copulas, 2006).

Intervals widen with the weeks ahead because the level is less and less known; the hours scatter around it as they always did.
So the second part is divided by s(t), by how much wider than in the first week the interval has become: without that the
busiest of hundreds of hours lies far too high. Growth is missed the more the further ahead it is: m counts with r(t), the root
of the time. m, v, w and phi are of past forecasts of the same series: the normal scores of what then came, within the quantiles
that had been forecast.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analytics.usl import Floats
from core.types import QUANTILE_LEVELS

WEEK_H = 168
_KNOTS = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])
_BEYOND = 2.5
"""Scores of what lay outside of all quantiles are no further out than this."""
_USUAL_LEVEL, _USUAL_REST, _USUAL_MEMORY = 0.3, 0.65, 0.6
_MOST_VARIANCE, _LEAST_REST, _MOST_MISS = 1.5, 0.05, 1.5
_TRUST_AFTER, _SURE_AFTER = 3.0, 0.5
"""So many past forecasts weigh as much as what is usual: for their level, of which each shows one, and for its hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """How errors of a forecast hang together.

    Attributes
    ----------
    miss : float
        What errors two weeks ahead have in common from one forecast to the next: above nought where more came than expected.
    level, rest : float
        Variance that one error has in common over the whole horizon, and variance around that from hour to hour in the first
        week. Together 1 where intervals are as wide as they need be, less where wider.
    hourly : float
        What remains of the rest from one hour to the next, in [0, 1).
    """

    miss: float = 0.0
    level: float = _USUAL_LEVEL
    rest: float = _USUAL_REST
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
    """From scores of past forecasts of whose first week a day or more is known; what few say is drawn towards what is usual."""
    known = [one for one in past if np.isfinite(one[:WEEK_H]).sum() >= 24]
    if not known:
        return Persistence()
    trust, sure = (len(known) / (len(known) + after) for after in (_TRUST_AFTER, _SURE_AFTER))
    miss = float(np.clip(trust * _missed(known), -_MOST_MISS, _MOST_MISS))
    between = float(np.mean([np.nanmean(one - miss * _further(len(one))) ** 2 for one in known]))
    weeks = [one[:WEEK_H] - np.nanmean(one[:WEEK_H]) for one in known]
    spread = float(np.mean([np.nanvar(one) for one in weeks]))
    memory = float(np.mean([_lag_one(one) for one in weeks]))
    usual = Persistence()
    return Persistence(
        miss=miss,
        level=float(np.clip(usual.level + trust * (between - usual.level), 0.0, _MOST_VARIANCE)),
        rest=float(np.clip(usual.rest + sure * (spread - usual.rest), _LEAST_REST, _MOST_VARIANCE)),
        hourly=float(np.clip(usual.hourly + sure * (memory - usual.hourly), 0.0, 0.98)),
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
    level = persistence.miss * _further(hours) + np.sqrt(persistence.level) * rng.standard_normal((count, 1))
    z = level + np.sqrt(persistence.rest) / widening(quantiles) * z
    return np.maximum(_values(quantiles, z), 0.0)


def widening(quantiles: Floats) -> Floats:
    """By how much wider the 90 % interval is, week by week, than in the first week at the same hours, shape (n_hours,); >= 1.

    The first day is left out, whose interval is smaller for reasons of its own. A begun week is as wide as the one before.
    """
    width = quantiles[:, -1] - quantiles[:, 0]
    weeks = len(width) // WEEK_H
    wider = np.ones(len(width))
    if weeks < 2:
        return wider
    first, later = width[24:WEEK_H], width[: weeks * WEEK_H].reshape(weeks, WEEK_H)[:, 24:]
    open_hours = first > 0.0
    if open_hours.any():
        each = np.maximum(np.median(later[:, open_hours] / first[open_hours], axis=1), 1.0)
        wider = each[np.minimum(np.arange(len(width)) // WEEK_H, weeks - 1)]
    return np.asarray(wider)


def _further(hours: int) -> Floats:
    """How a miss grows with the hours ahead, 1 after two weeks: growth is missed more the longer it goes on."""
    return np.asarray(np.sqrt((np.arange(hours) + 0.5) / (2.0 * WEEK_H)))


def _missed(past: list[Floats]) -> float:
    """What all of them have in common, by least squares: those that reach far ahead say most."""
    ahead = [np.where(np.isfinite(one), _further(len(one)), 0.0) for one in past]
    both = sum(float(np.nansum(one * far)) for one, far in zip(past, ahead, strict=True))
    return both / sum(float((far**2).sum()) for far in ahead)


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
