"""How far a minute's value lies from what is expected, in units of the noise that it should have.

The deviation is close to a standard normal number in ordinary traffic, whatever the metric and however few the calls, so that
deviations of different series can be compared and put into one forest. Counts and ratios use the signed root of the deviance
with a continuity correction (McCullagh, Nelder: Generalized Linear Models, 2nd ed., 2.4 and 12.5): unlike a root or an arcsine
it is right in the tails, where alarms are made.
"""

import numpy as np

from analytics.features import Floats, Kind, counting_variance, inverse, kind_of, transform
from core.series import METRICS

RANGE_SIGMAS = 4.0
"""Half width of the expected range. Several hundred series are judged 1,440 times a day: at 3 a clean day would be full of
alarms (0.3 % of all points), at 4 two chance minutes in a row are rarer than once a year and series."""

_LEAST_WANDER = 0.03
"""A rate is never known better than to 3 %: keeps large counts from being judged by their counting noise alone."""

_BISECTIONS = 32


def deviation(metric: str, value: Floats, calls: Floats, center: Floats, scale: Floats, expected_calls: Floats) -> Floats:
    """Deviations of minute values from their baseline.

    Parameters
    ----------
    value, calls : ndarray
        The minute's value in the metric's unit (NaN: unknown) and its calls.
    center, scale : ndarray
        The baseline on the transformed scale; `scale` is the spread at `expected_calls` calls a minute.
    expected_calls : ndarray
        Calls a minute that the baseline expects.

    Returns
    -------
    ndarray
        Signed, in standard deviations; NaN where value or baseline is unknown.
    """
    match kind_of(metric):
        case Kind.COUNT:
            return _of_count(60.0 * value, center, scale)
        case Kind.RATIO:
            own = np.maximum(scale**2 - counting_variance(metric, expected_calls), 0.0)
            return _of_ratio(value, calls, inverse(metric, center), own)
        case Kind.LEVEL:
            # Fewer calls than usual: as if all of the spread came from counting. More calls than usual: no credit is taken.
            thinner = np.sqrt(np.maximum(expected_calls / np.maximum(calls, 0.25), 1.0))
            residual = transform(metric, value) - center
            if METRICS[metric].zero_when_idle:
                # A sum over few calls can be nought by chance: downwards it is judged by the share that is missing.
                residual = np.where(residual < 0.0, np.expm1(residual), residual)
            return np.asarray(residual / (scale * thinner))


def bounds(metric: str, center: Floats, scale: Floats, expected_calls: Floats) -> tuple[Floats, Floats]:
    """Lower and upper edge of the expected range of a minute with the usual number of calls, in the metric's unit."""
    match kind_of(metric):
        case Kind.LEVEL:
            reach = RANGE_SIGMAS * scale
            down = np.log1p(-np.minimum(reach, 1.0 - 1e-9)) if METRICS[metric].zero_when_idle else -reach
            return inverse(metric, center + down), inverse(metric, center + reach)
        case Kind.RATIO:
            expected, most = inverse(metric, center), np.ones(center.shape)
        case Kind.COUNT:
            expected = inverse(metric, center)
            most = 2.0 * inverse(metric, center + RANGE_SIGMAS * scale) + 1.0

    # Both edges at once: between what is inside the range and what is outside of it, on either side.
    inside, outside = np.stack([expected, expected]), np.stack([np.zeros(center.shape), most])
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2.0
        within = np.abs(deviation(metric, middle, expected_calls, center, scale, expected_calls)) <= RANGE_SIGMAS
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    return inside[0], inside[1]


def _of_count(observed: Floats, center: Floats, scale: Floats) -> Floats:
    """Calls against a negative binomial: Poisson arrivals on a rate that wanders by a share of itself."""
    calls = np.maximum(np.expm1(center), 1e-9)
    wander = np.maximum(scale**2 - counting_variance("tps", calls), _LEAST_WANDER**2)
    count = np.maximum(_corrected(observed, calls), 0.0)
    counted = np.where(count > 0, count * np.log(np.maximum(count, 1e-300) / calls), 0.0)
    deviance = 2.0 * (counted - (count + 1.0 / wander) * np.log((1.0 + wander * count) / (1.0 + wander * calls)))
    return np.asarray(np.sign(count - calls) * np.sqrt(np.maximum(deviance, 0.0)))


def _of_ratio(value: Floats, calls: Floats, usual: Floats, own_variance: Floats) -> Floats:
    """Successes against a binomial whose probability wanders by `own_variance` on the arcsine scale."""
    trials = np.maximum(calls, 0.25)
    ratio = np.clip(_corrected(value * trials, usual * trials) / trials, 0.0, 1.0)
    inner, outer = np.clip(ratio, 1e-300, 1.0), np.clip(1.0 - ratio, 1e-300, 1.0)
    usual = np.clip(usual, 1e-9, 1.0 - 1e-9)
    deviance = 2.0 * trials * (ratio * np.log(inner / usual) + (1.0 - ratio) * np.log(outer / (1.0 - usual)))
    return np.asarray(np.sign(ratio - usual) * np.sqrt(np.maximum(deviance, 0.0) / (1.0 + own_variance * trials)))


def _corrected(count: Floats, usual: Floats) -> Floats:
    """Half an event closer to what is usual, which makes the deviance of whole numbers match their tail probability."""
    return np.where(count > usual, np.maximum(count - 0.5, usual), np.minimum(count + 0.5, usual))
