"""How far a minute's value lies from what is expected, in units of the noise that it should have.

The deviation is close to a standard normal number in ordinary traffic, whatever the metric and however few the calls, so that
deviations of different series can be compared and put into one forest.
"""

import numpy as np

from analytics.features import Floats, Kind, counting_variance, inverse, kind_of, transform

RANGE_SIGMAS = 4.0
"""Half width of the expected range. Several hundred series are judged 1,440 times a day: at 3 a clean day would be full of
alarms (0.3 % of all points), at 4 two chance minutes in a row are rarer than once a year and series."""

_LEAST_WANDER = 0.03
"""A rate is never known better than to 3 %: keeps large counts from being judged by their counting noise alone."""


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
            return _count_deviation(60.0 * value, center, scale)
        case Kind.RATIO:
            own = np.maximum(scale**2 - counting_variance(metric, expected_calls), 0.0)
            # Anscombe (1948): 3/8 and 3/4 keep the spread even where few calls succeed.
            observed = transform(metric, (value * calls + 0.375) / (calls + 0.75))
            return np.asarray((observed - center) / np.sqrt(own + 1.0 / (calls + 0.5)))
        case Kind.LEVEL:
            # Fewer calls than usual: as if all of the spread came from counting. More calls than usual: no credit is taken.
            thinner = np.sqrt(np.maximum(expected_calls / np.maximum(calls, 0.25), 1.0))
            return np.asarray((transform(metric, value) - center) / (scale * thinner))


def bounds(metric: str, center: Floats, scale: Floats, expected_calls: Floats) -> tuple[Floats, Floats]:
    """Lower and upper edge of the expected range of a minute, in the metric's unit."""
    if kind_of(metric) is Kind.COUNT:
        calls, wander = np.maximum(np.expm1(center), 0.0), _wander(center, scale)
        root = np.arcsinh(wander * np.sqrt(calls + 0.375))
        reach = RANGE_SIGMAS * wander / 2.0
        lower = (np.sinh(np.maximum(root - reach, 0.0)) / wander) ** 2 - 0.375
        upper = (np.sinh(root + reach) / wander) ** 2 - 0.375
        return np.maximum(lower, 0.0) / 60.0, upper / 60.0
    if kind_of(metric) is Kind.LEVEL:
        expected_calls = np.maximum(expected_calls, 0.25)
    reach = RANGE_SIGMAS * scale
    return inverse(metric, center - reach), inverse(metric, center + reach)


def _count_deviation(observed: Floats, center: Floats, scale: Floats) -> Floats:
    """Calls against a negative binomial with mean `expm1(center)`: Poisson noise on a rate that wanders by a share of itself.

    Anscombe's transformation (Biometrika 35, 1948) for that distribution: 2/w asinh(w sqrt(x + 3/8)) has unit variance.
    """
    calls, wander = np.maximum(np.expm1(center), 0.0), _wander(center, scale)
    spread = np.arcsinh(wander * np.sqrt(observed + 0.375)) - np.arcsinh(wander * np.sqrt(calls + 0.375))
    return np.asarray(2.0 * spread / wander)


def _wander(center: Floats, scale: Floats) -> Floats:
    """How much the rate itself varies, as a share of it: the part of the spread that is not counting."""
    calls = np.maximum(np.expm1(center), 0.0)
    return np.sqrt(np.maximum(scale**2 - counting_variance("tps", calls), _LEAST_WANDER**2))
