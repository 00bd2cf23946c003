"""What is left until a limit, and when it is used up: the first crossing of each of many paths that the forecast allows."""

from dataclasses import dataclass

import numpy as np

from analytics.paths import Persistence, draw_paths
from analytics.usl import Floats
from core.capacity import Estimate

PATHS = 1000
_Z90 = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """When paths cross a limit.

    Attributes
    ----------
    probability : float
        Of a crossing within the horizon.
    hour_10, hour_50, hour_90 : int or None
        Hour of the horizon by which 10, 50 and 90 % of all paths have crossed; None: fewer do.
    by_hour : ndarray of shape (n_hours,)
        Share of paths that have crossed up to and with each hour.
    headroom : float
        What the limit leaves above the 95th percentile of the busiest hour, as a share of the limit; below nought: nothing.
    """

    probability: float
    hour_10: int | None
    hour_50: int | None
    hour_90: int | None
    by_hour: Floats
    headroom: float


def crossing(paths: Floats, limit: Floats) -> Crossing:
    """First hours at which paths reach a limit.

    Parameters
    ----------
    paths : ndarray of shape (n_paths, n_hours)
        What is limited, in the limit's unit.
    limit : ndarray of shape (n_paths,) or (1,)
        One value, or one for each path where the limit itself is uncertain.
    """
    over = paths >= limit[:, None]
    ever = over.any(axis=1)
    first = np.where(ever, over.argmax(axis=1), paths.shape[1])
    share = np.cumsum(np.bincount(first, minlength=paths.shape[1] + 1)[:-1]) / len(paths)
    busiest = float(np.quantile(paths, 0.95, axis=0).max())
    usual = float(np.median(limit))
    return Crossing(
        probability=float(ever.mean()),
        hour_10=_reached(share, 0.1),
        hour_50=_reached(share, 0.5),
        hour_90=_reached(share, 0.9),
        by_hour=share,
        headroom=1.0 - busiest / usual if usual > 0.0 else -np.inf,
    )


def draw_limit(limit: Estimate, count: int, rng: np.random.Generator) -> Floats:
    """A measured limit as it may truly be: log-normal halves that agree with its 90 % interval; one value where it is exact."""
    if not limit.lower < limit.upper:
        return np.array([limit.value])
    z = rng.standard_normal(count)
    up, down = np.log(limit.upper / limit.value) / _Z90, np.log(limit.value / max(limit.lower, 1e-9)) / _Z90
    return np.asarray(limit.value * np.exp(np.where(z > 0.0, z * up, z * down)))


def paths_of(quantiles: Floats, persistence: Persistence, seed: int) -> Floats:
    """The paths that all limits of one series are judged by, shape (PATHS, n_hours)."""
    return draw_paths(quantiles, persistence, PATHS, np.random.default_rng(seed))


def with_peaks(paths: Floats, ratios: Floats, seed: int) -> Floats:
    """Paths of the busiest minute or second of each hour: an hour's mean times a ratio that some past hour of the series had.

    `ratios` are peak over mean of past hours, at least 1; without any the mean itself is all that is known.
    """
    known = ratios[np.isfinite(ratios) & (ratios >= 1.0)]
    if not len(known):
        return paths
    return np.asarray(paths * np.random.default_rng(seed).choice(known, size=paths.shape))


def running_sums(paths: Floats, period: np.ndarray, spent: float) -> Floats:
    """What has been spent of a budget at each hour: sums within each period (day, month), the first with what it has already.

    Parameters
    ----------
    period : ndarray of int, shape (n_hours,)
        Rising number of the period that each hour lies in.
    """
    sums = np.cumsum(paths, axis=1)
    begins = np.flatnonzero(np.diff(period, prepend=period[0] - 1))
    before = np.zeros_like(sums)
    for at, end in zip(begins, [*begins[1:], len(period)], strict=True):
        before[:, at:end] = sums[:, at - 1 : at] if at else -spent
    return np.asarray(sums - before)


def _reached(share: Floats, level: float) -> int | None:
    return int((share >= level).argmax()) if share[-1] >= level else None
