"""Forecasts: better than repeating the last week, honest intervals, sensible with gaps, zeros, shifts and little history."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.forecasting import NothingKnown, Occasion, Season, choose, forecast
from core.types import QUANTILE_COLUMNS
from tests.unit.analytics.forecasting.builders import WEEK, weekly


def test_better_than_repeating_the_last_week() -> None:
    ours, naive = 0.0, 0.0
    for seed in range(8):
        values = weekly(13, seed)
        history, truth = values[:-WEEK], values[-WEEK:]
        made = forecast(history, WEEK)
        ours += np.abs(made.points["q50"] - truth).mean()
        naive += np.abs(history[-WEEK:] - truth).mean()
        assert made.error_mase < 1.0
    assert ours < 0.85 * naive


@pytest.mark.parametrize("horizon", [WEEK, 4 * WEEK])
def test_nine_of_ten_hours_fall_into_the_ninety_percent_interval(horizon: int) -> None:
    inside = []
    for seed in range(15):
        values = weekly(16, seed + 50)
        points = forecast(values[:-horizon], horizon).points
        truth = values[-horizon:]
        inside.append(np.mean((truth >= points["q05"]) & (truth <= points["q95"])))
    assert 0.85 < np.mean(inside) < 0.98


def test_intervals_grow_with_the_horizon() -> None:
    points = forecast(weekly(10), 13 * WEEK).points
    width = (points["q95"] - points["q05"]).to_numpy().reshape(13, WEEK).mean(axis=1)
    assert (np.diff(width) > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_steady_growth_goes_on(seed: int) -> None:
    series = weekly(12, seed, noise=0.03, growth=0.04, wander=0.0)
    made = forecast(series[: 8 * WEEK], 4 * WEEK)
    truth = series[8 * WEEK :]
    assert "growing weekly profile" in made.model
    assert made.points["q50"].mean() > 0.95 * truth.mean()


@pytest.mark.parametrize("seed", range(3))
def test_a_level_that_only_wanders_has_no_growth(seed: int) -> None:
    assert "growing" not in forecast(weekly(12, seed, wander=0.1), WEEK).model


def test_growth_is_bounded() -> None:
    series = weekly(10, growth=0.6, wander=0.0)
    assert forecast(series, 13 * WEEK).points["mean"].max() < 20 * series.max()


def test_a_level_shift_is_followed_within_a_week() -> None:
    values = weekly(10, noise=0.05)
    values[-6 * 24 :] *= 2.0
    made = forecast(values, WEEK).points["q50"].to_numpy()
    assert made.mean() > 1.6 * weekly(10, noise=0.05)[:WEEK].mean()


def test_an_outage_an_incident_and_a_gap_leave_next_to_no_trace() -> None:
    values = weekly(8)
    without = forecast(values, WEEK).points["mean"]
    outage, gap, incident = values.copy(), values.copy(), values.copy()
    outage[-60:-50] = 0.0
    gap[5 * WEEK : 5 * WEEK + 60] = np.nan
    incident[-200:-170] *= 5.0
    mask = np.zeros(len(values), dtype=bool)
    mask[-200:-170] = True
    for changed, masked in ((outage, None), (gap, None), (incident, mask)):
        assert np.abs(forecast(changed, WEEK, masked=masked).points["mean"] - without).mean() < 0.05 * without.mean()


def test_a_choice_that_is_kept_gives_what_it_gave_on_the_spot_and_serves_a_day_later() -> None:
    values = weekly(12)
    kept = choose(values[:-24], start=5)
    at_once, with_choice = (forecast(values[:-24], WEEK, start=5, choice=choice) for choice in (None, kept))
    np.testing.assert_array_equal(at_once.points, with_choice.points)
    later = forecast(values, WEEK, start=5, choice=kept).points
    anew = forecast(values, WEEK, start=5).points
    assert np.abs(later["q95"] - anew["q95"]).mean() < 0.15 * anew["q95"].mean()


def test_holidays_are_learned_from_the_past_and_events_are_as_expected() -> None:
    values = weekly(10, noise=0.02, wander=0.0)
    plain = forecast(values, WEEK).points["q50"].to_numpy()
    values[7 * WEEK : 7 * WEEK + 24] *= 0.3
    past = Occasion(name="holiday", start=7 * WEEK, end=7 * WEEK + 24)
    ahead = Occasion(name="holiday", start=10 * WEEK + 48, end=10 * WEEK + 72)
    campaign = Occasion(name="campaign", start=10 * WEEK, end=10 * WEEK + 24, uplift=1.5)
    unknown = Occasion(name="never seen", start=10 * WEEK + 96, end=10 * WEEK + 120)
    made = forecast(values, WEEK, occasions=[past, ahead, campaign, unknown]).points["q50"].to_numpy()
    ratio = (made / plain).reshape(7, 24).mean(axis=1)
    np.testing.assert_allclose(ratio, [1.5, 1.0, 0.3, 1.0, 1.0, 1.0, 1.0], atol=0.05)


def test_an_occasion_makes_intervals_wider_or_leaves_them_but_never_narrower() -> None:
    values = weekly(10, noise=0.02, wander=0.0)
    spans = [
        Occasion(name=str(x), start=10 * WEEK + 24 * d, end=10 * WEEK + 24 * d + 24, uplift=x) for d, x in ((0, 0.5), (1, 1.5))
    ]
    width = []
    for occasions in ((), spans):
        points = forecast(values, 3 * 24, occasions=occasions).points
        width.append((points["q75"] - points["q25"]).to_numpy().reshape(3, 24).sum(axis=1))
    np.testing.assert_allclose(width[1] / width[0], [1.0, 1.5, 1.0], rtol=1e-6)


def test_a_season_of_the_year_is_seen_from_a_year_and_a_month_of_history_on() -> None:
    values = weekly(70, noise=0.05, wander=0.0)
    for year in (0, 52):
        values[(year + 12) * WEEK : (year + 18) * WEEK] *= 1.8
    history, truth = values[: 64 * WEEK], values[64 * WEEK : 68 * WEEK]
    made = forecast(history, 4 * WEEK)
    unaware = forecast(history[-16 * WEEK :], 4 * WEEK)
    error, without = (np.abs(one.points["q50"].to_numpy() - truth).mean() for one in (made, unaware))
    assert error < 0.98 * without
    assert made.points["q95"].mean() > unaware.points["q95"].mean()


@pytest.mark.parametrize(("step_s", "points"), [(60, 4 * 10_080), (900, 5 * 672), (86_400, 120), (604_800, 60)])
def test_steps_from_a_minute_to_a_week(step_s: int, points: int) -> None:
    season = Season.of_step(step_s)
    rng = np.random.default_rng(3)
    at = np.arange(points) / season.week
    values = 50.0 * (1.5 + np.sin(2 * np.pi * at)) * rng.lognormal(0.0, 0.05, points)
    made = forecast(values[: -season.week], season.week, season=season)
    truth = values[-season.week :]
    assert np.abs(made.points["q50"] - truth).mean() < 0.15 * truth.mean()


def test_a_step_that_does_not_divide_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="7 s does not divide a day"):
        Season.of_step(7)


@settings(deadline=None, max_examples=30)
@given(
    count=st.integers(1, 1300),
    horizon=st.integers(1, 900),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-9, 1.0, 1e9, 1e90]),
    zero_share=st.floats(0.0, 1.0),
    gap_share=st.floats(0.0, 0.9),
    whole=st.booleans(),
    odd=st.sampled_from([np.inf, -np.inf, 1e300, np.nan]),
)
def test_quantiles_never_cross_nor_fall_below_nought_whatever_comes(
    count: int, horizon: int, seed: int, scale: float, zero_share: float, gap_share: float, whole: bool, odd: float
) -> None:
    rng = np.random.default_rng(seed)
    values = scale * weekly(8, seed)[:count]
    values = np.round(values) if whole else values
    values[rng.random(count) < zero_share] = 0.0
    values[rng.random(count) < gap_share] = odd
    values[-1] = 1.0
    made = forecast(values, horizon)
    quantiles = made.points[list(QUANTILE_COLUMNS)].to_numpy()
    assert made.points.shape == (horizon, 1 + len(QUANTILE_COLUMNS))
    assert np.isfinite(made.points.to_numpy()).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (made.points.to_numpy() >= 0).all()
    assert not whole or (quantiles == np.round(quantiles)).all()


def test_all_zero_and_constant_series_are_forecast_as_they_are() -> None:
    assert forecast(np.zeros(3 * WEEK), 48).points.to_numpy().max() == 0.0
    np.testing.assert_allclose(forecast(np.full(5 * WEEK, 7.5), 48).points, 7.5, atol=1e-3)


def test_what_may_be_negative_may_be_forecast_so() -> None:
    points = forecast(weekly(6) - 400.0, WEEK).points
    assert points["mean"].max() < 0.0
    assert (points["q05"] <= points["q95"]).all()


@pytest.mark.parametrize(
    ("hours", "said"), [(3, "only a level is known"), (60, "days of the week differ cannot"), (400, "ahead")]
)
def test_what_so_little_history_cannot_tell_is_said(hours: int, said: str) -> None:
    made = forecast(weekly(3)[:hours], 4 * WEEK)
    assert said in made.note
    assert len(made.points) == 4 * WEEK
    assert forecast(weekly(9), WEEK).note == ""


def test_two_days_are_enough_for_the_times_of_the_day() -> None:
    values = weekly(2, noise=0.02)
    made = forecast(values[:72], 24).points["q50"]
    assert np.corrcoef(made, values[72:96])[0, 1] > 0.95


@pytest.mark.parametrize("values", [[], [np.nan] * 5, [np.inf, -np.inf]])
def test_nothing_is_forecast_of_nothing(values: list[float]) -> None:
    with pytest.raises(NothingKnown, match="no value is known"):
        forecast(np.array(values), 24)


def test_the_forecast_begins_after_the_last_point_even_if_that_is_unknown() -> None:
    values = weekly(6, noise=0.0, wander=0.0)
    late = np.concatenate([values, np.full(24, np.nan)])
    np.testing.assert_allclose(forecast(late, 24).points["q50"], values[24:48], rtol=0.05)
