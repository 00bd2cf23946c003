"""Which candidates a series gets, by how they did in its own replays: weights apart for the first day, the week, and beyond.

A candidate's weight is what it deserves on traffic in general (chosen over many series at once) times exp(-sharpness x how much
worse than the best it was x the root of the number of replays): few replays change little, many decide.
"""

import numpy as np

from analytics.forecasting.candidates import NAMES
from analytics.forecasting.profile import Floats
from analytics.forecasting.replay import Replays
from analytics.forecasting.season import Season

_SHARPNESS = 5.0
_FEW_WEEKS, _SOME_WEEKS = 3, 5
_PRIOR = {
    #                              first day, week, beyond
    "weekly profile": (2.0, 2.5, 4.0),
    "weekly profile (last day)": (4.0, 2.5, 1.0),
    "weekly profile (last days)": (1.0, 1.0, 5.0),
    "slow weekly profile": (1.0, 1.0, 4.0),
    "growing weekly profile": (0.3, 0.2, 0.2),
    "weekly profile (plain scale)": (1.0, 1.5, 2.0),
    "daily profile": (0.05, 0.05, 0.05),
    "median of 4 weeks": (1.0, 2.5, 0.5),
    "mean of 4 weeks": (0.5, 0.5, 0.5),
    "last week again": (0.1, 0.1, 0.1),
    "last year's change": (0.5, 1.0, 2.5),
    "level": (0.02, 0.02, 0.02),
}
_PRIOR_OF_FEW_WEEKS = {"daily profile": 4.0, "last week again": 2.0, "growing weekly profile": 0.1}
_PRIOR_OF_SOME_WEEKS = {"daily profile": 1.0, "last week again": 0.5}
"""What two weeks say of the weekdays is doubtful; where there is more, a daily season alone is worse than the naive."""


def weights(replays: Replays, available: Floats, count: int, season: Season) -> Floats:
    """Shares of the candidates, shape (3, n_candidates): for the first day, the rest of the week, and beyond; each sums to one.

    `available` is a path of each candidate (NaN: it cannot say anything), `count` the length of the history.
    """
    usable = np.isfinite(available[:, 0])
    result = np.zeros((3, len(NAMES)))
    for band, end in enumerate((season.day, season.week, None)):
        prior = np.where(usable, _prior(band, count / season.week), 0.0)
        worse = _excess(replays, end)
        sureness = np.sqrt(len(replays.replays) if band == 0 else replays.independent)
        share = prior * np.exp(-_SHARPNESS * sureness * worse)
        result[band] = share / share.sum()
    return result


def blend(paths: Floats, shares: Floats, season: Season) -> Floats:
    """The candidates' paths, shape (n_candidates, horizon), in those shares; from band to band in the course of a day."""
    horizon = paths.shape[1]
    ahead = np.arange(horizon)
    known = np.nan_to_num(paths)
    first, week, beyond = shares @ known
    into_week = np.clip((ahead - season.day) / season.day, 0.0, 1.0)
    into_beyond = np.clip((ahead - season.week) / season.day, 0.0, 1.0)
    return np.asarray((1.0 - into_week) * first + into_week * ((1.0 - into_beyond) * week + into_beyond * beyond))


def words(shares: Floats) -> str:
    """The candidates that make up most of the forecast, for people."""
    mean = shares.mean(axis=0)
    leading = [index for index in np.argsort(-mean, kind="stable") if mean[index] >= 0.15][:3]
    return " + ".join(NAMES[index] for index in leading or [int(mean.argmax())])


def _prior(band: int, weeks: float) -> Floats:
    few = _PRIOR_OF_FEW_WEEKS if weeks < _FEW_WEEKS else _PRIOR_OF_SOME_WEEKS if weeks < _SOME_WEEKS else {}
    return np.array([few.get(name, _PRIOR[name][band]) for name in NAMES])


def _excess(replays: Replays, end: int | None) -> Floats:
    """How much worse than the best each candidate was over the points before `end`, in the replays that it took part in.

    One that took part in none is taken to be as the middle one.
    """
    if not replays.replays:
        return np.zeros(len(NAMES))
    totals = np.array([np.abs(one.truth - one.paths)[:, :end].sum(axis=1) for one in replays.replays])
    there = np.isfinite(totals)
    always = there.all(axis=0)
    best = totals[:, np.where(always, totals.sum(axis=0), np.inf).argmin()]
    own, other = np.where(there, totals, 0.0).sum(axis=0), (there * best[:, None]).sum(axis=0)
    if best.sum() <= 0.0:  # some were never wrong: those that were count little
        return np.asarray(own > 0.0, dtype=np.float64)
    excess = own / np.maximum(other, 1e-300) - 1.0
    return np.asarray(np.where(there.any(axis=0), np.maximum(excess, 0.0), np.median(excess[always])))
