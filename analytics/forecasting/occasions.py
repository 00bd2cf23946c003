"""Holidays and known events: days unlike their weekday, learned from the past ones of the same name or said by the user."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.forecasting.history import LARGEST, fill
from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season

_LEAST_FACTOR, _MOST_FACTOR = 0.05, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A span unlike others, in points of the history (it may lie beyond its end), half open.

    Attributes
    ----------
    name : str
        Occasions of one name are alike: New Year's Day, black friday.
    uplift : float or None
        The factor that is expected, 1.4 for 40 % more; None: as it was before, and without a past one no different.
    """

    name: str
    start: int
    end: int
    uplift: float | None = None


def occasion(name: str, begins: datetime, ends: datetime, uplift: float | None, first: datetime, step_s: int) -> Occasion:
    """An event of these times, for points of `step_s` seconds of which the first is at `first`."""
    start, end = (math.floor((at - first).total_seconds() / step_s) for at in (begins, ends - timedelta(microseconds=1)))
    return Occasion(name=name, start=start, end=end + 1, uplift=uplift)


def masked(count: int, occasions: Sequence[Occasion]) -> npt.NDArray[np.bool_]:
    """Points of the history, of length `count`, that lie in an occasion and so tell nothing of usual days."""
    mask = np.zeros(count, dtype=bool)
    for one in occasions:
        mask[max(one.start, 0) : max(one.end, 0)] = True
    return mask


def factors(values: Floats, horizon: int, occasions: Sequence[Occasion], season: Season) -> Floats:
    """By what the forecast of each point after `values` (NaN where unknown) is multiplied, shape (horizon,)."""
    result = np.ones(horizon)
    if not occasions:
        return result
    learned = _learned(values, occasions, season)
    for one in occasions:
        factor = one.uplift if one.uplift is not None else learned.get(one.name, 1.0)
        start, end = one.start - len(values), one.end - len(values)
        result[max(start, 0) : max(end, 0)] *= factor
    return result


def _learned(values: Floats, occasions: Sequence[Occasion], season: Season) -> dict[str, float]:
    """The median factor of past occasions by name."""
    mask = masked(len(values), occasions)
    values = np.where(np.abs(values) <= LARGEST, values, np.nan)
    if not np.isfinite(values[~mask]).any():
        return {}
    usual = fill(np.where(mask, np.nan, values), season)
    seen: dict[str, list[float]] = {}
    for one in occasions:
        part = slice(max(one.start, 0), max(one.end, 0))
        real, expected = values[part], usual[part]
        known = np.isfinite(real)
        if known.any() and expected[known].sum() > 0:
            seen.setdefault(one.name, []).append(float(real[known].sum() / expected[known].sum()))
    return {name: float(np.clip(np.median(found), _LEAST_FACTOR, _MOST_FACTOR)) for name, found in seen.items()}
