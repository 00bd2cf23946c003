"""Series that moved along are found with their lag; neighbours of the same metric and noise are not."""

import numpy as np

from analytics.related import related_series
from core.series import ALL_CALLS, Selector

A, B, GATEWAY = Selector.of(provider="a"), Selector.of(provider="b"), Selector.of(gateway="g")
SELECTORS = (ALL_CALLS, A, B, GATEWAY)


def hour(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 1.0, (len(SELECTORS), 60))


def test_what_rose_three_minutes_before_is_a_leading_indicator() -> None:
    latency, concurrency = hour(1), hour(2)
    rise = 12.0 / (1.0 + np.exp(-(np.arange(60) - 40.0)))
    latency[1] += rise
    concurrency[3, :-3] += rise[3:]
    concurrency[3, -3:] += rise[-1]
    found = related_series({"latency_p50": latency, "concurrency": concurrency}, SELECTORS, "latency_p50", A)
    assert (found[0].selector, found[0].metric) == (GATEWAY, "concurrency")
    assert 2 <= found[0].lag_minutes <= 4
    assert found[0].correlation > 0.9


def test_noise_relates_nothing_and_the_same_dimension_is_left_out() -> None:
    latency = hour()
    latency[1] += np.linspace(0.0, 20.0, 60)
    latency[2] += np.linspace(0.0, 20.0, 60)
    assert related_series({"latency_p50": latency, "tps": hour(2)}, SELECTORS, "latency_p50", A) == ()


def test_an_unknown_lead_relates_nothing() -> None:
    unknown = np.full((len(SELECTORS), 60), np.nan)
    assert related_series({"tps": unknown}, SELECTORS, "tps", A) == ()
    assert related_series({"tps": hour()}, SELECTORS, "tps", Selector.of(route="/x")) == ()
