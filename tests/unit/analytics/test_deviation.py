"""Deviations are close to standard normal: equal tail probabilities whatever the metric and the volume."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analytics.deviation import RANGE_SIGMAS, bounds, deviation
from analytics.features import Floats, counting_variance, transform


def column(*values: float) -> Floats:
    return np.array(values, dtype=float)


def count_deviation(seen: Floats, expected: float) -> Floats:
    """Of calls a minute against a Poisson expectation (the rate wanders by the least that is assumed)."""
    calls = np.full(seen.shape, expected)
    scale = np.sqrt(counting_variance("tps", calls))
    return deviation("tps", seen / 60.0, seen, np.log1p(calls), scale, calls)


@pytest.mark.parametrize("expected", [0.5, 3.0, 20.0, 80.0])
def test_counts_have_poisson_tails(expected: float) -> None:
    seen = np.arange(0, int(expected + 8 * np.sqrt(expected) + 10), dtype=float)
    tail = np.where(seen > expected, stats.poisson.sf(seen - 1, expected), stats.poisson.cdf(seen, expected))
    exact = np.where(seen > expected, 1.0, -1.0) * stats.norm.isf(np.minimum(tail, 0.5))
    judged = (np.abs(exact) > 1.0) & (np.abs(exact) < 7.0)
    assert judged.sum() >= 4
    found = count_deviation(seen, expected)[judged]
    np.testing.assert_allclose(found, exact[judged], atol=0.35, rtol=0.08)


@pytest.mark.parametrize(("calls", "usual"), [(10, 0.01), (40, 0.2), (300, 0.006), (1000, 0.5)])
def test_ratios_have_binomial_tails(calls: int, usual: float) -> None:
    events = np.arange(0, calls + 1, dtype=float)
    trials = np.full(events.shape, float(calls))
    center, scale = transform("error_rate", np.full(events.shape, usual)), np.sqrt(counting_variance("error_rate", trials))
    found = deviation("error_rate", events / trials, trials, center, scale, trials)
    tail = np.where(events > calls * usual, stats.binom.sf(events - 1, calls, usual), stats.binom.cdf(events, calls, usual))
    exact = np.where(events > calls * usual, 1.0, -1.0) * stats.norm.isf(np.minimum(tail, 0.5))
    judged = (np.abs(exact) > 1.0) & (np.abs(exact) < 6.0)
    assert judged.any()
    np.testing.assert_allclose(found[judged], exact[judged], atol=0.35, rtol=0.08)


def test_a_level_over_fewer_calls_than_usual_is_judged_more_mildly() -> None:
    center, scale = transform("latency_p95", column(100.0, 100.0, 100.0)), column(0.2, 0.2, 0.2)
    few, usual, many = deviation(
        "latency_p95", column(300.0, 300.0, 300.0), column(10, 40, 400), center, scale, column(40, 40, 40)
    )
    assert few == pytest.approx(usual / 2)
    assert many == usual


def test_no_tokens_in_a_minute_of_few_calls_is_no_sensation() -> None:
    center, scale = transform("tokens_per_s", column(50.0)), column(0.5)
    assert deviation("tokens_per_s", column(0.0), column(6.0), center, scale, column(6.0))[0] >= -2.1


@pytest.mark.parametrize("metric", ["tps", "error_rate", "latency_p95", "tokens_per_s", "cost_per_h", "cache_hit_rate"])
@given(level=st.floats(0.02, 0.9), scale=st.floats(0.05, 0.8), calls=st.floats(1.0, 500.0))
def test_the_range_ends_where_deviations_reach_its_half_width(metric: str, level: float, scale: float, calls: float) -> None:
    value = level if metric.endswith("_rate") else calls / 60.0 if metric == "tps" else level * 1000.0
    center, spread, volume = transform(metric, column(value)), column(scale), column(calls)
    if metric == "tps":
        spread = np.sqrt(spread**2 + counting_variance("tps", volume))
    lower, upper = bounds(metric, center, spread, volume)
    assert 0.0 <= lower[0] <= value <= upper[0]
    for edge in (lower, upper):
        assert abs(deviation(metric, edge, volume, center, spread, volume)[0]) <= RANGE_SIGMAS + 1e-6
    beyond = upper * 1.01 + 1e-9
    if not metric.endswith("_rate") or beyond[0] < 1.0:
        assert deviation(metric, beyond, volume, center, spread, volume)[0] > RANGE_SIGMAS * 0.99


def test_unknown_values_and_baselines_are_not_judged() -> None:
    known = column(0.1)
    assert np.isnan(deviation("error_rate", column(np.nan), column(9.0), known, known, column(9.0)))[0]
    assert np.isnan(deviation("latency_p50", column(5.0), column(9.0), column(np.nan), known, column(9.0)))[0]
