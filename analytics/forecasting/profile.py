"""What a series is made of: a profile of the week and a level of each day, fitted robustly by turns.

The profile is half the weighted median over the weeks, which no incident moves, and half the weighted mean, which uses every
week; recent weeks count more, over several memories whose profiles are averaged. A part of it is replaced by its approximation
of rank three over (weekday x time of day), which takes noise out of days that are alike. Both shares were chosen on 45 series
of real traffic together (see docs/benchmarks.md), not for any of them.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analytics.forecasting.medians import column_medians, row_medians
from analytics.forecasting.season import Season

Floats = npt.NDArray[np.float64]

MOST_WEEKS = 16
RECENT = (2.0, 4.0, 8.0)
"""Half-lives, in weeks, of the memories of the profile."""
SLOW = (8.0, 16.0)
_LOW_RANK, _LOW_RANK_SHARE = 3, 0.35
_SMOOTH_PER_DAY = 96
"""Profiles of finer steps are smoothed over a quarter of an hour: single minutes of the week are noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """Profiles of shape (week,), beginning where the history ends, and `days` of shape (n_days,), oldest first.

    `profile` (or `slow`, of the longer memories) plus the level of the day is what is usual.
    """

    profile: Floats
    slow: Floats
    days: Floats


def weeks_of(values: Floats, season: Season, most: int = MOST_WEEKS) -> Floats:
    """The last whole weeks, shape (n_weeks, week); at least one week must be there."""
    count = min(len(values) // season.week, most)
    return values[len(values) - count * season.week :].reshape(count, season.week)


def decompose(values: Floats, season: Season) -> Decomposition:
    """Profiles and daily levels of the last weeks of `values` (shape (n_points,), a week or more, no gaps)."""
    table = weeks_of(values, season)
    level = row_medians(table)
    first = column_medians(table - level[:, None])
    level = row_medians(table - first)
    profiles = _toward_low_rank(_profiles(table - level[:, None], (RECENT, SLOW)), season)
    profile, slow = (_smooth(each, season) for each in profiles)
    days = row_medians((table - profile).reshape(-1, season.day))
    return Decomposition(profile=profile, slow=slow, days=days)


def weighted_medians(table: Floats, weights: Floats) -> Floats:
    """Along the first axis, for several weightings: (n_rows, n_columns), (n_weights, n_rows) in; (n_weights, n_columns) out."""
    order = np.argsort(table, axis=0)
    ordered = np.take_along_axis(table, order, axis=0)
    columns = np.arange(table.shape[1])
    return np.array([ordered[(np.cumsum(weight[order], axis=0) >= 0.5).argmax(axis=0), columns] for weight in weights])


@lru_cache(maxsize=512)
def decaying(count: int, half_life: float) -> Floats:
    """Weights of `count` values, oldest first, that sum to one; the array is shared and cannot be written to."""
    weight = 0.5 ** (np.arange(count)[::-1] / half_life)
    weight /= weight.sum()
    weight.flags.writeable = False
    return np.asarray(weight)


def _profiles(relative: Floats, memories: tuple[tuple[float, ...], ...]) -> Floats:
    """A row for each set of half-lives; the table's rows are ordered once for all."""
    weights = np.array([decaying(len(relative), half_life) for some in memories for half_life in some])
    each = (weighted_medians(relative, weights) + weights @ relative) / 2.0
    ends = np.cumsum([len(some) for some in memories])
    return np.array([part.sum(axis=0) / len(part) for part in np.split(each, ends[:-1])])


def _toward_low_rank(profiles: Floats, season: Season) -> Floats:
    """Each row drawn towards its approximation: its days projected on their three main directions."""
    if season.day <= _LOW_RANK:
        return profiles
    middle = profiles.sum(axis=1)[:, None, None] / season.week
    days = profiles.reshape(len(profiles), -1, season.day) - middle
    # Eigenvectors of the days' products (A A', 7 x 7) span the same space as a decomposition of the table, for less.
    _, directions = np.linalg.eigh(days @ days.transpose(0, 2, 1))
    main = directions[:, :, -_LOW_RANK:]
    simple = main @ (main.transpose(0, 2, 1) @ days) + middle
    return np.asarray((1.0 - _LOW_RANK_SHARE) * profiles + _LOW_RANK_SHARE * simple.reshape(len(profiles), -1))


def _smooth(profile: Floats, season: Season) -> Floats:
    width = season.day // _SMOOTH_PER_DAY
    if width <= 1:
        return profile
    around = np.concatenate([profile[-width:], profile, profile[:width]])
    return np.convolve(around, np.full(width, 1.0 / width), mode="same")[width:-width]
