"""Trends and what a review chooses to tell."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from analytics.reviewing.choosing import changed, largest, rising
from analytics.reviewing.trends import mann_kendall
from core.reviews import Compared, Trend
from core.series import Selector


def test_a_rising_series_has_its_slope_and_is_sure() -> None:
    rng = np.random.default_rng(1)
    p_value, slope = mann_kendall(100.0 + 2.0 * np.arange(28) + rng.normal(0.0, 5.0, 28))
    assert p_value < 1e-4
    assert slope == pytest.approx(2.0, rel=0.2)


def test_noise_is_seldom_sure() -> None:
    rng = np.random.default_rng(2)
    found = [mann_kendall(rng.normal(0.0, 1.0, 28))[0] for _ in range(400)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=10, max_size=40))
def test_ties_are_counted_as_kendalls_test_counts_them(values: list[int]) -> None:
    p_value, _ = mann_kendall(np.array(values, dtype=float))
    if len(set(values)) == 1:
        assert p_value == 1.0
    else:  # scipy has no continuity correction, so that ours is the more careful one
        assert kendalltau(np.arange(len(values)), values, method="asymptotic").pvalue <= p_value + 1e-9


def test_few_days_tell_nothing() -> None:
    assert np.isnan(mann_kendall(np.arange(7.0))).all()


def compared(name: str, value: float, before: float, metric: str = "latency_p95", calls: int = 1000) -> Compared:
    of = Selector.of(route=name)
    return Compared(metric=metric, selector=of, calls=calls, calls_before=calls, value=value, before=before)


def test_only_what_changed_enough_and_has_calls_is_told() -> None:
    found = [
        compared("slower", 200.0, 100.0),
        compared("faster", 50.0, 100.0),
        compared("same", 105.0, 100.0),
        compared("tiny", 2.0, 1.0),
        compared("rare", 900.0, 100.0, calls=20),
        compared("new", 900.0, float("nan")),
    ]
    worse, better = changed(found)
    assert [one.selector.labels["route"] for one in worse] == ["slower"]
    assert [one.selector.labels["route"] for one in better] == ["faster"]
    twice = changed([found[0], replace(found[0], selector=Selector.of(model="m"))])
    assert [one.selector.words for one in twice[0]] == ["route slower"]
    assert [one.selector.labels["route"] for one in largest(found, 2)] == ["new", "slower"]


def test_trends_need_both_surety_and_size() -> None:
    def trend(p_value: float, growth: float) -> Trend:
        return Trend(metric="latency_p95", selector=Selector(), values=(1.0, 2.0), p_value=p_value, growth=growth)

    assert rising([trend(0.2, 0.5), trend(0.001, 0.01), trend(0.001, -0.5)]) == ()
    assert len(rising([trend(0.001, 0.5)])) == 1


def test_what_is_a_large_part_of_everything_comes_before_what_is_rare() -> None:
    found = [compared("rare", 300.0, 100.0, calls=300), compared("main", 150.0, 100.0, calls=100_000)]
    assert [one.selector.labels["route"] for one in changed(found)[0]] == ["main", "rare"]
