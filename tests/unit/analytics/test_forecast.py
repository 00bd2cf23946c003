"""Hourly forecasts: better than repeating the last week, honest intervals, sensible with gaps, zeros and little history."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.features import Floats
from analytics.forecast import MIN_HISTORY_H, WEEK, ShortHistory, forecast
from core.types import QUANTILE_COLUMNS


def weekly(weeks: int, seed: int = 1, noise: float = 0.1, growth: float = 0.0) -> Floats:
    """A day and week shape with noise of whole weeks and of hours."""
    rng = np.random.default_rng(seed)
    hour = np.arange(weeks * WEEK)
    shape = (1.2 + np.sin(2 * np.pi * hour / 24)) * np.where(hour // 24 % 7 >= 5, 0.5, 1.0)
    level = np.repeat(rng.lognormal(0.0, 0.05, weeks), WEEK) * (1.0 + growth) ** (hour / WEEK)
    return np.asarray(100.0 * shape * level * rng.lognormal(0.0, noise, len(hour)))


def test_better_than_repeating_the_last_week() -> None:
    ours, naive = 0.0, 0.0
    for seed in range(8):
        values = weekly(13, seed)
        history, truth = values[:-WEEK], values[-WEEK:]
        made = forecast(history, WEEK)
        ours += np.abs(made.points["mean"] - truth).mean()
        naive += np.abs(history[-WEEK:] - truth).mean()
        assert made.error_mase < 1.0
    assert ours < 0.85 * naive


@pytest.mark.parametrize("horizon", [WEEK, 4 * WEEK])
def test_nine_of_ten_hours_fall_into_the_ninety_percent_interval(horizon: int) -> None:
    inside = []
    for seed in range(20):
        values = weekly(16, seed + 50)
        points = forecast(values[:-horizon], horizon).points
        truth = values[-horizon:]
        inside.append(np.mean((truth >= points["q05"]) & (truth <= points["q95"])))
    assert 0.85 < np.mean(inside) < 0.97


def test_intervals_grow_with_the_horizon() -> None:
    points = forecast(weekly(10), 4 * WEEK).points
    width = (points["q95"] - points["q05"]).to_numpy().reshape(4, WEEK).mean(axis=1)
    assert (np.diff(width) > 0).all()


def test_recent_growth_carries_the_level() -> None:
    values = weekly(12, noise=0.02, growth=0.1)
    assert forecast(values, WEEK).points["mean"].mean() > 0.9 * values[-WEEK:].mean()


@settings(deadline=None, max_examples=40)
@given(
    weeks=st.integers(2, 8),
    extra=st.integers(0, 100),
    horizon=st.integers(1, 900),
    seed=st.integers(0, 99),
    zero_share=st.floats(0.0, 1.0),
    gap_share=st.floats(0.0, 0.4),
)
def test_quantiles_never_cross_nor_fall_below_nought(
    weeks: int, extra: int, horizon: int, seed: int, zero_share: float, gap_share: float
) -> None:
    rng = np.random.default_rng(seed)
    values = weekly(weeks + 1, seed)[: weeks * WEEK + extra]
    values[rng.random(len(values)) < zero_share] = 0.0
    gaps = rng.random(len(values)) < gap_share
    gaps[[0, -1]] = False
    values[gaps] = np.nan
    made = forecast(values, horizon)
    quantiles = made.points[list(QUANTILE_COLUMNS)].to_numpy()
    assert made.points.shape == (horizon, 1 + len(QUANTILE_COLUMNS))
    assert np.isfinite(made.points.to_numpy()).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (made.points.to_numpy() >= 0).all()


def test_all_zero_and_constant_series_are_forecast_as_they_are() -> None:
    zero = forecast(np.zeros(3 * WEEK), 48).points
    assert zero.to_numpy().max() < 1e-6
    constant = forecast(np.full(5 * WEEK, 7.0), 48).points
    np.testing.assert_allclose(constant["mean"], 7.0)
    np.testing.assert_allclose(constant["q95"], 7.0, atol=1e-3)


def test_what_may_be_negative_may_be_forecast_so() -> None:
    values = weekly(4) - 400.0
    points = forecast(values, WEEK, non_negative=False).points
    assert points["mean"].max() < 0.0
    assert (points["q05"] <= points["q95"]).all()


def test_a_gap_of_days_is_bridged() -> None:
    values = weekly(8)
    holed = values.copy()
    holed[5 * WEEK : 5 * WEEK + 60] = np.nan
    with_gap, without = forecast(holed, WEEK).points["mean"], forecast(values, WEEK).points["mean"]
    assert np.abs(with_gap - without).mean() < 0.05 * without.mean()


@pytest.mark.parametrize("hours", [0, 1, 100, MIN_HISTORY_H - 1])
def test_too_little_history_is_said_with_what_is_needed(hours: int) -> None:
    with pytest.raises(ShortHistory, match="14 days are needed") as caught:
        forecast(weekly(3)[:hours], 24)
    assert (caught.value.have_h, caught.value.need_h) == (hours, MIN_HISTORY_H)


def test_mostly_unknown_history_is_too_little() -> None:
    values = weekly(4)
    values[1:-1:2] = np.nan
    values[2:-2:4] = np.nan
    with pytest.raises(ShortHistory):
        forecast(values, 24)


def test_unknown_ends_are_cut_off() -> None:
    values = np.concatenate([np.full(30, np.nan), weekly(4), np.full(20, np.nan)])
    np.testing.assert_array_equal(forecast(values, 24).points, forecast(weekly(4), 24).points)
