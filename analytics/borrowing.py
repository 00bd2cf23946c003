"""What is expected of a kind of day that history has not held: borrowed from the other kinds, with an honest error.

A Saturday after four working days is first of all a day: the same hour of the other kinds is where it will be, give or take
what kinds of day usually differ by. If the two other kinds are known and far apart, a first day off may lie anywhere between
them. And what today's first hours showed holds for the hours next to them, less so the further away they are.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from analytics.features import Floats
from analytics.summary import masked_median

KIND_OF_WEEKDAY = np.array([0, 0, 0, 0, 0, 1, 1, 2])
"""Working day, weekend, day off."""
KINDS = 3
SURE_OF_KIND = (0.0, 0.0, 1.5)
"""Days of a kind that must have been seen before it is known: Christmas need not be as Easter was."""

_LENDERS = ((1, 2), (2, 0), (1, 0))
"""For each kind the others, the more alike one first."""
_BETWEEN = 0.4
"""Error, in parts of how far two known kinds lie apart, of a third: with ranges of four errors it may be as either."""
_FADES_H = 6.0
"""Hours after which a third of what today's level showed still holds."""
_SMOOTH_H = 1.5
_SIGMA_OF_MAD = 1.4826


class Borrowed(NamedTuple):
    """Of shape (n_series, KINDS, 24): centres, without gaps where anything is known, and the error that borrowing adds."""

    center: Floats
    error: Floats


def borrow(kinds: Floats, days: Floats, strange: Callable[[Floats], Floats]) -> Borrowed:
    """Fill the hours of kinds of day that were not seen.

    Parameters
    ----------
    kinds, days : ndarray of shape (n_series, KINDS, 24)
        What each hour of each kind was, NaN where it was not seen, and of how many days.
    strange : callable
        The standard error of what is borrowed, around a centre: how far kinds of day usually lie apart.
    """
    center, error = kinds.copy(), np.zeros(kinds.shape)
    for kind, (first, second) in enumerate(_LENDERS):
        own = kinds[:, kind]
        one, other = kinds[:, first], kinds[:, second]
        lent, doubt = _of_series(kinds, np.where(np.isnan(one), other, one))
        apart = np.nan_to_num(np.abs(one - other))
        prior = np.sqrt(strange(lent) ** 2 + (_BETWEEN * apart) ** 2 + doubt**2)
        moved, near = _of_today(own - lent)
        expected, unsure = lent + moved, prior * np.sqrt(1.0 - near**2)
        unseen, few = np.isnan(own), ~np.isnan(own) & (days[:, kind] < SURE_OF_KIND[kind])
        # One day of a kind whose days differ: half as it was, half as the others are.
        center[:, kind] = np.where(unseen, expected, np.where(few, (own + lent) / 2.0, own))
        halves = np.sqrt(prior**2 / 2.0 + (np.nan_to_num(own - lent) / 2.0) ** 2)
        error[:, kind] = np.where(unseen, unsure, np.where(few, halves, 0.0))
    return Borrowed(center=center, error=np.nan_to_num(error))


def _of_series(kinds: Floats, lent: Floats) -> tuple[Floats, Floats]:
    """What is lent, the series' middle where no kind knows the hour; and the spread of its hours there, else 0."""
    flat = kinds.reshape(len(kinds), -1)
    middle = masked_median(flat)[:, None]
    spread = _SIGMA_OF_MAD * masked_median(np.abs(flat - middle))[:, None]
    missing = np.isnan(lent)
    return np.where(missing, middle, lent), np.where(missing, spread, 0.0)


def _of_today(differs: Floats) -> tuple[Floats, Floats]:
    """How far hours that were not seen probably lie from what is lent, and how well the nearest seen hour tells it (0 to 1).

    The correlation of two hours of a day fades with the time between them (an Ornstein-Uhlenbeck process); what is known is
    smoothed over neighbours first, since one hour may have been odd.
    """
    hours = np.arange(24)
    between = np.abs(hours[:, None] - hours[None, :])
    seen = ~np.isnan(differs)
    weights = np.exp(-between / _SMOOTH_H)
    smooth = (np.nan_to_num(differs) @ weights) / np.maximum(seen.astype(float) @ weights, 1e-12)
    faded = np.where(seen[:, None, :], np.exp(-between / _FADES_H)[None], 0.0)
    nearest = faded.argmax(axis=2)
    near = faded.max(axis=2)
    return near * np.take_along_axis(smooth, nearest, axis=1), near
