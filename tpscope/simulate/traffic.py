"""When simulated calls arrive: daily and weekly seasons, growth, and Poisson noise around them.

What wanders is noise on fixed knots in time, joined linearly: a function of the instant and a seed alone, so that a span is the
same in whatever pieces it is drawn.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpscope.simulate.scenario import SeasonSpec

Floats = npt.NDArray[np.float64]

_DAY_S = 86_400.0
_WEEK_S = 604_800.0
_THURSDAY_OFFSET_DAYS = 3  # 1970-01-01 was a Thursday; weekdays count from Monday
_KNOT_S = 1800.0


@dataclass(frozen=True, slots=True)
class RateProfile:
    """Expected calls a second over time.

    Attributes
    ----------
    mean_rate : float
        Mean over a week, calls a second, at `anchor_s`.
    anchor_s : float
        Epoch second at which growth is 1: usually when the demo starts, so that live traffic has the mean that was asked for.
    """

    season: SeasonSpec
    mean_rate: float
    anchor_s: float
    seed: int = 0

    def rate(self, epoch_s: Floats) -> Floats:
        """Calls a second at each instant; hours and weekdays are joined smoothly, so there is no step at the hour."""
        hours = np.asarray(self.season.hours)
        weekdays = np.asarray(self.season.weekdays)
        hour_of_day = (epoch_s % _DAY_S) / 3600.0
        day = epoch_s / _DAY_S + _THURSDAY_OFFSET_DAYS
        daily = _interpolate(hours / hours.mean(), hour_of_day - 0.5)
        weekly = _interpolate(weekdays / weekdays.mean(), day - 0.5)
        growth = (1.0 + self.season.growth_per_week) ** ((epoch_s - self.anchor_s) / _WEEK_S)
        return self.mean_rate * daily * weekly * growth * wandering(epoch_s, self.season.wander, self.seed, stream=0)

    def peak(self) -> float:
        """The highest rate of the week around the anchor."""
        week = np.arange(0.0, _WEEK_S, 600.0) + self.anchor_s
        return float(self.rate(week).max())


def arrivals(start_s: float, rates: Floats, step_s: float, rng: np.random.Generator) -> Floats:
    """Sorted arrival instants (epoch seconds) of a Poisson process with a rate per step of `step_s` seconds from `start_s`."""
    counts = rng.poisson(np.maximum(rates, 0.0) * step_s)
    steps = np.repeat(np.arange(len(rates)), counts)
    return np.sort(start_s + (steps + rng.random(len(steps))) * step_s)


def wandering(epoch_s: Floats, spread: float, seed: int, stream: int) -> Floats:
    """A factor around 1 for each instant whose logarithm wanders with the given spread; `stream` tells wanderers apart."""
    if spread == 0.0 or not len(epoch_s):
        return np.ones(len(epoch_s))
    position = epoch_s / _KNOT_S
    left = np.floor(position).astype(np.int64)
    first = int(left.min())
    knots = knot_noise(first, int(left.max()) + 2 - first, 1, seed, stream)[:, 0]
    weight = position - left
    # Between two knots the mean of two independent normals is narrower: divided out.
    blended = (knots[left - first] * (1.0 - weight) + knots[left - first + 1] * weight) / np.hypot(weight, 1.0 - weight)
    return np.asarray(np.exp(spread * blended))


def knot_noise(first: int, count: int, width: int, seed: int, stream: int) -> Floats:
    """Standard normal numbers of `count` consecutive knots, (count, width); the same for a knot however it is asked for."""
    rows = [np.random.default_rng([seed, stream, knot]).standard_normal(width) for knot in range(first, first + count)]
    return np.stack(rows)


def knots_of(epoch_s: Floats) -> npt.NDArray[np.int64]:
    """The knot before each instant."""
    return np.floor(epoch_s / _KNOT_S).astype(np.int64)


def _interpolate(values: Floats, position: Floats) -> Floats:
    """Periodic linear interpolation of `values` at fractional positions."""
    left = np.floor(position).astype(np.int64)
    weight = position - left
    size = len(values)
    blended: Floats = values[left % size] * (1.0 - weight) + values[(left + 1) % size] * weight
    return blended
