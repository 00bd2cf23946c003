"""Peaks from means, latency under load, totals that add up, grids, and the back-test of the whole."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.features import Floats
from analytics.forecasting import HOURLY, forecast
from analytics.forecasting.backtest import backtest
from analytics.forecasting.grid import regular
from analytics.forecasting.peaks import fit_peaks, peaks_of
from analytics.forecasting.quality import judge, pinball
from analytics.forecasting.reconcile import reconcile
from analytics.forecasting.under_load import elasticity, load_factor
from core.types import QUANTILE_COLUMNS, QUANTILE_LEVELS
from tests.unit.analytics.forecasting.builders import WEEK, weekly


def points(mean: Floats, width: float) -> pd.DataFrame:
    frame = pd.DataFrame({"mean": mean})
    for name, level in zip(QUANTILE_COLUMNS, QUANTILE_LEVELS, strict=True):
        frame[name] = np.maximum(mean + width * (level - 0.5), 0.0)
    return frame


def test_the_peak_second_of_poisson_arrivals_comes_from_the_mean() -> None:
    rng = np.random.default_rng(1)
    mean = weekly(5, noise=0.02, wander=0.0) / 5.0
    peak = np.array([rng.poisson(rate, 3600).max() for rate in mean], dtype=float)
    model = fit_peaks(mean[: 4 * WEEK], peak[: 4 * WEEK])
    assert model is not None
    made = peaks_of(forecast(mean[: 4 * WEEK], WEEK).points, model)
    truth = peak[4 * WEEK :]
    assert abs(made["q50"].mean() / truth.mean() - 1.0) < 0.05
    assert 0.85 < np.mean((made["q05"] <= truth) & (truth <= made["q95"])) <= 1.0
    ratio = model.peak(np.array([1.0, 100.0])) / np.array([1.0, 100.0])
    assert ratio[0] > 2.0 * ratio[1], "the busier an hour, the nearer its peak is to its mean"


def test_bursts_that_grow_with_traffic_are_told_from_chance() -> None:
    mean = np.linspace(1.0, 500.0, 300)
    model = fit_peaks(mean, 3.0 * mean)
    assert model is not None
    assert model.bursts == pytest.approx(2.0, rel=0.05)
    assert fit_peaks(mean[:50], mean[:50]) is None


def test_peaks_of_idle_hours_are_nought_and_quantiles_never_cross() -> None:
    mean = np.concatenate([np.zeros(5), np.full(5, 3.0)])
    model = fit_peaks(np.linspace(1.0, 9.0, 100), np.linspace(5.0, 20.0, 100))
    assert model is not None
    made = peaks_of(points(mean, 0.0), model)
    assert (made.iloc[:5] == 0.0).all(axis=None)
    assert (np.diff(made[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) >= 0).all()


def test_latency_follows_traffic_where_it_did_before() -> None:
    rng = np.random.default_rng(2)
    traffic = weekly(6, noise=0.3)
    usual = np.tile(weekly(1, noise=0.0, wander=0.0), 6)
    latency = 200.0 * (traffic / usual) ** 0.5 * rng.lognormal(0.0, 0.05, len(traffic))
    slope = elasticity(latency, traffic, HOURLY)
    assert slope == pytest.approx(0.5, abs=0.1)
    assert elasticity(rng.lognormal(5.0, 0.2, len(traffic)), traffic, HOURLY) == 0.0
    assert elasticity(latency[:200], traffic[:200], HOURLY) == 0.0
    doubled = load_factor(2.0 * usual[:WEEK], usual, slope, HOURLY)
    np.testing.assert_allclose(doubled, 2.0**slope, rtol=0.05)
    np.testing.assert_array_equal(load_factor(usual[:24], usual, 0.0, HOURLY), 1.0)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 999), parts=st.integers(1, 5), second=st.integers(0, 4))
def test_totals_equal_the_sum_of_their_parts(seed: int, parts: int, second: int) -> None:
    rng = np.random.default_rng(seed)
    groups = [
        [points(rng.gamma(0.5, 10.0, 30) * (rng.random(30) > 0.3), rng.random()) for _ in range(n)] for n in (parts, second)
    ]
    total, made = reconcile(points(rng.gamma(2.0, 20.0, 30), 5.0 * rng.random()), groups)
    for group in made:
        if group:
            np.testing.assert_allclose(np.sum([one["mean"] for one in group], axis=0), total["mean"], atol=1e-9)
    for one in (total, *made[0], *made[1]):
        assert (one.to_numpy() >= 0).all()
        assert (np.diff(one[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) >= -1e-9).all()


def test_the_surer_forecast_moves_less() -> None:
    total, (parts,) = reconcile(
        points(np.full(4, 100.0), 1.0), [[points(np.full(4, 30.0), 1.0), points(np.full(4, 30.0), 40.0)]]
    )
    assert total["mean"].iloc[0] == pytest.approx(100.0, abs=1.0)
    assert parts[0]["mean"].iloc[0] == pytest.approx(30.0, abs=1.0)
    assert parts[1]["mean"].iloc[0] == pytest.approx(70.0, abs=1.5)


def test_a_total_without_parts_stays_as_it_is() -> None:
    alone = points(np.arange(3.0), 1.0)
    total, made = reconcile(alone, [[]])
    assert total is alone
    assert made == [[]]


def test_times_in_any_order_with_duplicates_and_holes_become_a_grid() -> None:
    at = pd.to_datetime(["2026-03-01 03:00", "2026-03-01 00:00", "NaT", "2026-03-01 01:00", "2026-03-01 01:00"], utc=True)
    grid = regular(pd.DatetimeIndex(at), np.array([4.0, 1.0, 9.0, 2.0, 3.0]))
    assert grid is not None
    assert grid.step_s == 3600
    np.testing.assert_array_equal(grid.values, [1.0, 2.5, np.nan, 4.0])
    assert grid.after(2)[0] == pd.Timestamp("2026-03-01 04:00", tz="UTC")
    assert regular(pd.DatetimeIndex([pd.NaT], tz="UTC"), np.array([1.0])) is None


@pytest.mark.parametrize(
    ("seconds", "step_s"), [(1, 1), (59.6, 60), (301, 300), (3600, 3600), (86_399, 86_400), (604_800, 604_800)]
)
def test_the_step_is_the_usual_distance(seconds: float, step_s: int) -> None:
    at = pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.arange(50) * seconds, unit="s")
    grid = regular(pd.DatetimeIndex(at), np.arange(50.0))
    assert grid is not None
    assert grid.step_s == step_s
    assert len(grid.values) <= 51


def test_a_stray_time_far_away_does_not_take_all_memory() -> None:
    at = pd.date_range("2026-03-01", periods=100, freq="s", tz="UTC").append(pd.DatetimeIndex(["1970-01-01"], tz="UTC"))
    grid = regular(pd.DatetimeIndex(at), np.arange(101.0))
    assert grid is not None
    assert len(grid.values) <= 2_000_000
    assert np.isfinite(grid.values).sum() == 100


def test_losses_against_values_worked_out_by_hand() -> None:
    assert pinball(np.array([10.0, 10.0]), np.array([8.0, 14.0]), 0.9) == pytest.approx((0.9 * 2 + 0.1 * 4) / 2)
    truth = np.array([10.0, 20.0])
    quantiles = np.column_stack([truth - 1.0] * 3 + [truth + 2.0] * 4)
    error, _, wql95, coverage = judge(truth, quantiles, truth + 4.0)
    assert error == pytest.approx(0.5)
    assert wql95 == pytest.approx(2.0 * 0.05 * 2.0 / 15.0)
    assert coverage == 1.0


def test_a_series_is_back_tested_at_the_horizons_that_it_has_room_for() -> None:
    found = backtest(weekly(8), (24, WEEK, 4 * WEEK, 13 * WEEK))
    assert [one.horizon for one in found] == [24, WEEK, 4 * WEEK]
    assert all(one.origins >= 2 for one in found)
    assert all(0.4 < one.mase < 1.2 and 0.5 < one.coverage90 <= 1.0 for one in found)
    assert all(0.0 < one.wql95 < one.wql for one in found)
    assert backtest(weekly(2), (24,)) == []
    assert backtest(np.full(500, np.nan), (24,)) == []
