"""How occasions change a forecast: by what factor, and how little of that is known.

A normal model of logarithms in three storeys (the hierarchy of Gelman and others, Bayesian Data Analysis, chapter 5, with the
variances taken as known): what is expected in general, what days of its kind were like in this series, what those of its own
name were like. Each is drawn towards the one before as far as it was seen little. By how much the occasions of a kind differ,
and the points within an occasion, is measured where the past holds enough of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from analytics.forecasting.occasions import General, Occasion, Seen, masked, seen
from analytics.forecasting.profile import Floats
from analytics.forecasting.season import Season

_BETWEEN, _BETWEEN_COUNT = 0.3, 3.0
"""Standard deviation between occasions of a kind, worth so many of them."""
_AGAIN = 0.25
"""Standard deviation from one occasion of a name to the next, on another day of the week."""
_WITHIN, _WITHIN_COUNT = 0.2, 2.0
"""Standard deviation of the points within an occasion, worth so many occasions."""
_NOTHING_KNOWN = 3.0
_ONE_IN_TWENTY = NormalDist().inv_cdf(0.95)
_JUST_NOW_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Of occasions on consecutive points: `factor`; `below` and `above`, standard deviations of its logarithm on either side.

    Each of shape (n_points,); 1, 0 and 0 where nothing is known of a point.
    """

    factor: Floats
    below: Floats
    above: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Belief:
    """About a logarithm: mean and variance; deviations below and above in relation to their root mean square."""

    mean: float
    variance: float
    below: float = 1.0
    above: float = 1.0

    def after(self, found: Sequence[float], noise: float) -> "_Belief":
        """After normal observations of that variance."""
        precision = 1.0 / self.variance + len(found) / noise
        mean = (self.mean / self.variance + sum(found) / noise) / precision
        return replace(self, mean=mean, variance=1.0 / precision)


def effects(values: Floats, horizon: int, occasions: Sequence[Occasion], season: Season) -> Effects:
    """Of the occasions on each of the `horizon` points after `values` (NaN where unknown)."""
    factor, below, above = np.ones(horizon), np.zeros(horizon), np.zeros(horizon)
    ahead = [one for one in occasions if one.end > len(values) and one.start < len(values) + horizon]
    past, driven = (seen(values, occasions, season), driven_by_people(values, season)) if ahead else ([], 1.0)
    for one in ahead:
        span = slice(max(one.start - len(values), 0), one.end - len(values))
        if one.uplift is not None:
            factor[span] *= one.uplift
            continue
        belief = _expected(one, past, driven)
        factor[span] *= math.exp(belief.mean)
        below[span] += belief.variance * belief.below**2
        above[span] += belief.variance * belief.above**2
    return Effects(factor=factor, below=np.sqrt(below), above=np.sqrt(above))


def to_learn_from(values: Floats, occasions: Sequence[Occasion], season: Season) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The history without its occasions: their points masked.

    Those that just were and of which something is expected in general are set right by it instead: without them the level of
    now would be that of weeks ago.
    """
    since = len(values) - _JUST_NOW_DAYS * season.day
    late = [one for one in occasions if one.general is not None and since <= one.start < len(values)]
    mask = masked(len(values), [one for one in occasions if one not in late])
    if not late:
        return values, mask
    right, driven = values.copy(), driven_by_people(values, season)
    for one in late:
        assert one.general is not None
        right[max(one.start, 0) : one.end] /= one.general.factor**driven
    return right, mask


def driven_by_people(values: Floats, season: Season) -> float:
    """How much days and weeks move a series: from 0, always the same as machines are, to 1, next to nothing in quiet hours."""
    recent = values[-4 * season.week :]
    known = recent[np.isfinite(recent)]
    if season.week == 1 or len(known) < season.week:
        return 1.0
    low, high = np.quantile(known, [0.1, 0.9])
    return float(np.clip(1.0 - low / high, 0.0, 1.0)) if high > 0 else 1.0


def _expected(one: Occasion, past: Sequence[Seen], driven: float) -> _Belief:
    """About the logarithm of the factor of a point."""
    own = [each.log_factor for each in past if each.name == one.name]
    others = [each.log_factor for each in past if one.kind and each.kind == one.kind and each.name != one.name]
    if not own and not others:
        if one.general is None:
            return _Belief(mean=0.0, variance=0.0)
        belief = _in_general(one.general, driven)
        return replace(belief, variance=driven**2 * (belief.variance + _WITHIN**2))
    belief, between = _in_general(one.general, driven), _between([*own, *others])
    if others:
        belief = belief.after(others, between + _AGAIN**2)
        belief = replace(belief, variance=belief.variance + between)
    belief = belief.after(own, _AGAIN**2)
    scatter = [each.scatter for each in past if each.name == one.name or (one.kind and each.kind == one.kind)]
    within = (_WITHIN_COUNT * _WITHIN**2 + sum(scatter)) / (_WITHIN_COUNT + len(scatter))
    return replace(belief, variance=belief.variance + _AGAIN**2 + within)


def _in_general(general: General | None, driven: float) -> _Belief:
    """Machines are not expected to change, but may be found to."""
    if general is None:
        return _Belief(mean=0.0, variance=_NOTHING_KNOWN**2)
    mean = math.log(general.factor)
    below, above = (abs(math.log(rare) - mean) / _ONE_IN_TWENTY for rare in (general.low, general.high))
    average = max(math.hypot(below, above) / math.sqrt(2.0), 1e-6)
    return _Belief(mean=driven * mean, variance=average**2, below=below / average, above=above / average)


def _between(found: Sequence[float]) -> float:
    """Variance between occasions of a kind."""
    apart = float(((np.array(found) - np.median(found)) ** 2).sum())
    return (_BETWEEN_COUNT * _BETWEEN**2 + apart) / (_BETWEEN_COUNT + len(found) - 1)
