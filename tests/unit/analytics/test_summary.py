"""Hours of minutes, and medians that know what is missing."""

import warnings
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.features import Panel
from analytics.summary import join, masked_median, masked_quantile, summarise
from core.series import Selector
from tests.unit.analytics.builders import DAY, MIN_CALLS, MINUTE, MONDAY, seasonal_panel

SOME = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")))


@given(arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=SOME))
def test_the_median_is_numpys_of_what_is_known(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy warns of rows without a value
        expected = np.nanmedian(values, axis=-1)
    np.testing.assert_allclose(masked_median(values), expected)


def test_quantiles_of_what_is_known() -> None:
    values = np.array([[3.0, np.nan, 1.0, 2.0, 4.0], [np.nan] * 5])
    np.testing.assert_array_equal(masked_quantile(values, 0.75), [3.0, np.nan])
    np.testing.assert_array_equal(masked_quantile(values, 1.0), [4.0, np.nan])


def test_an_hour_keeps_centre_spread_minutes_and_calls() -> None:
    minutes = np.full((1, 120), 20.0)
    latency = np.where(np.arange(120) % 2 == 0, 90.0, 110.0)[None, :]
    ratio = np.where(np.arange(120) == 0, 1.0, 0.0)[None, :]
    panel = Panel(
        selectors=(Selector(),),
        start=MONDAY,
        calls=minutes,
        values={"tps": minutes / 60.0, "latency_p50": latency, "error_rate": ratio},
    )
    summary = summarise(panel, MIN_CALLS)
    assert summary.calls.tolist() == [[1200, 1200]]
    np.testing.assert_allclose(summary.center["tps"], np.log1p(20.0))
    np.testing.assert_allclose(np.expm1(summary.center["latency_p50"]), 100.0, atol=1.0)
    assert 0.1 < summary.spread["latency_p50"][0, 0] < 0.2
    np.testing.assert_allclose(summary.center["error_rate"], [[1 / 60, 0.0]])
    assert summary.minutes["latency_p50"].tolist() == [[60, 60]]


def test_of_no_selection_at_all_there_are_hours_without_rows() -> None:
    none = np.zeros((0, 120))
    panel = Panel(selectors=(), start=MONDAY, calls=none, values={"tps": none, "latency_p95": none, "error_rate": none})
    summary = summarise(panel, MIN_CALLS)
    assert summary.calls.shape == summary.center["latency_p95"].shape == (0, 2)


def test_minutes_with_few_calls_are_left_out_where_there_are_busy_ones() -> None:
    calls = np.where(np.arange(60) < 20, 50.0, 1.0)[None, :]
    latency = np.where(np.arange(60) < 20, 100.0, 900.0)[None, :]
    panel = Panel(selectors=(Selector(),), start=MONDAY, calls=calls, values={"latency_p95": latency})
    summary = summarise(panel, MIN_CALLS)
    assert np.expm1(summary.center["latency_p95"][0, 0]) == pytest.approx(100.0)
    assert summary.minutes["latency_p95"][0, 0] == 20


def test_a_sum_that_is_often_nought_is_expected_at_its_mean() -> None:
    calls = np.where(np.arange(60) < 6, 3.0, 0.0)[None, :]
    panel = Panel(selectors=(Selector(),), start=MONDAY, calls=calls, values={"tokens_per_s": calls * 10.0})
    assert np.expm1(summarise(panel, MIN_CALLS).center["tokens_per_s"][0, 0]) / 60.0 == pytest.approx(3.0)


def test_days_joined_equal_the_whole_and_absent_selections_had_no_calls() -> None:
    panel = seasonal_panel(3)
    parts = [summarise(panel.slice(day * 1440, (day + 1) * 1440), MIN_CALLS) for day in range(3)]
    whole, joined = summarise(panel, MIN_CALLS), join(parts)
    assert joined.start == whole.start
    for metric in whole.center:
        np.testing.assert_array_equal(joined.center[metric], whole.center[metric])
    other = Panel(selectors=(Selector.of(service="new"),), start=MONDAY + DAY, calls=panel.calls[:, :60], values={})
    start = Panel(selectors=(Selector(),), start=MONDAY + DAY - timedelta(hours=1), calls=panel.calls[:, :60], values={})
    both = join([summarise(start, MIN_CALLS), summarise(other, MIN_CALLS)])
    assert both.calls[1, 0] == 0
    assert both.calls[1, 1] > 0


def test_hours_must_be_whole_and_follow_one_another() -> None:
    panel = seasonal_panel(1)
    with pytest.raises(ValueError, match="whole hours"):
        summarise(panel.slice(1, 61), MIN_CALLS)
    hour = summarise(panel.slice(0, 60), MIN_CALLS)
    with pytest.raises(ValueError, match="follow one another"):
        join([hour, summarise(panel.slice(120, 180), MIN_CALLS)])
    assert hour.start + 60 * MINUTE == summarise(panel.slice(60, 120), MIN_CALLS).start
