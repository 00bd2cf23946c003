"""Paths hang together as they should, and what they say of limits is what a count says."""

import numpy as np
import pytest
from scipy import stats

from analytics.headroom import crossing, draw_limit, paths_of, running_sums, with_peaks
from analytics.paths import WEEK_H, Persistence, draw_paths, persistence_of, scores, widening
from core.capacity import Estimate
from core.types import QUANTILE_LEVELS

KNOTS = stats.norm.ppf(QUANTILE_LEVELS)
HOURS = 24 * 14


def _quantiles(level: float = 100.0, spread: float = 10.0, hours: int = HOURS) -> np.ndarray:
    return np.tile(level + spread * KNOTS, (hours, 1))


def test_paths_have_the_quantiles_of_the_forecast() -> None:
    paths = draw_paths(_quantiles(), Persistence(level=0.3, rest=0.7), 4000, np.random.default_rng(1))
    assert np.quantile(paths, QUANTILE_LEVELS) == pytest.approx(100.0 + 10.0 * KNOTS, abs=1.0)
    assert draw_paths(_quantiles(1.0), Persistence(), 100, np.random.default_rng(1)).min() == 0.0


@pytest.mark.parametrize(("level", "hourly"), [(0.0, 0.0), (0.4, 0.8)])
def test_hours_depend_on_one_another_as_they_were_told(level: float, hourly: float) -> None:
    paths = draw_paths(_quantiles(), Persistence(level=level, rest=1.0 - level, hourly=hourly), 3000, np.random.default_rng(2))
    z = (paths - 100.0) / 10.0
    assert (z[:, 1:] * z[:, :-1]).mean() == pytest.approx(level + (1.0 - level) * hourly, abs=0.05)
    assert (z[:, 200:] * z[:, :-200]).mean() == pytest.approx(level, abs=0.05)


def test_hours_scatter_no_more_where_only_the_level_is_less_known() -> None:
    """Intervals of the third week are three times as wide; the steps from hour to hour grow far less than that."""
    wide = np.concatenate(
        [_quantiles(hours=WEEK_H), _quantiles(spread=20.0, hours=WEEK_H), _quantiles(spread=30.0, hours=WEEK_H)]
    )
    assert widening(wide)[[0, WEEK_H, -1]] == pytest.approx([1.0, 2.0, 3.0])
    steps = np.diff(draw_paths(wide, Persistence(), 500, np.random.default_rng(8)))
    assert 1.0 < steps[:, -WEEK_H + 1 :].std() / steps[:, : WEEK_H - 1].std() < 1.6


def test_intervals_without_width_or_of_less_than_two_weeks_do_not_widen() -> None:
    assert (widening(_quantiles(spread=0.0)) == 1.0).all()
    assert (widening(_quantiles(hours=WEEK_H + 5)) == 1.0).all()


def test_what_forecasts_missed_alike_is_expected_again_the_further_ahead_the_more() -> None:
    missed = persistence_of([np.full(600, 1.0)] * 9)
    paths = draw_paths(_quantiles(), missed, 2000, np.random.default_rng(9))
    assert np.median(paths[:, -24:]) == pytest.approx(100.0 + 10.0 * missed.miss, abs=0.5)
    assert np.median(paths[:, :24]) < 103.0  # little is missed of the first day
    assert 0.5 < missed.miss < 1.0


def test_scores_are_the_inverse_of_the_quantile_function() -> None:
    z = np.clip(np.random.default_rng(3).standard_normal(HOURS), -2.4, 2.4)
    came = 100.0 + 10.0 * z
    came[7] = np.nan
    found = scores(_quantiles(), came)
    assert np.isnan(found[7])
    assert np.delete(found, 7) == pytest.approx(np.delete(z, 7))


def test_without_past_forecasts_persistence_is_what_is_usual() -> None:
    assert persistence_of([]) == persistence_of([np.full(50, np.nan)]) == Persistence()


def test_persistence_comes_from_past_forecasts() -> None:
    rng = np.random.default_rng(4)
    flat = persistence_of([rng.standard_normal(600) for _ in range(30)])
    apart = persistence_of([rng.normal(0.5, 1.0) + 0.3 * rng.standard_normal(600) for _ in range(30)])
    assert flat.level < 0.1
    assert apart.level > 0.6
    assert apart.miss == pytest.approx(0.5, abs=0.4)
    assert apart.rest < 0.2  # the hours of each were alike
    assert flat.rest > 0.9
    assert flat.hourly < 0.2


def test_a_crossing_is_counted_by_hour() -> None:
    paths = np.array([[1.0, 5.0, 1.0, 9.0], [1.0, 1.0, 1.0, 6.0], [1.0, 1.0, 1.0, 1.0], [7.0, 1.0, 1.0, 1.0]])
    found = crossing(paths, np.array([5.0]))
    assert found.by_hour.tolist() == [0.25, 0.5, 0.5, 0.75]
    assert (found.probability, found.hour_10, found.hour_50, found.hour_90) == (0.75, 0, 1, None)
    assert crossing(paths, np.array([100.0])).headroom == pytest.approx(1.0 - np.quantile(paths, 0.95, axis=0).max() / 100.0)


def test_an_uncertain_limit_has_the_interval_it_was_given() -> None:
    drawn = draw_limit(Estimate(value=100.0, lower=90.0, upper=130.0), 20_000, np.random.default_rng(5))
    assert np.quantile(drawn, [0.05, 0.5, 0.95]) == pytest.approx([90.0, 100.0, 130.0], rel=0.02)
    assert draw_limit(Estimate(value=5.0, lower=5.0, upper=5.0), 10, np.random.default_rng(5)).tolist() == [5.0]


def test_a_budget_begins_anew_with_each_period() -> None:
    paths = np.ones((2, 5))
    assert running_sums(paths, np.array([0, 0, 1, 1, 1]), 10.0)[0].tolist() == [11.0, 12.0, 1.0, 2.0, 3.0]


def test_peaks_are_means_times_ratios_of_the_past() -> None:
    paths = paths_of(_quantiles(), Persistence(), 1)
    assert with_peaks(paths, np.array([np.nan, 0.5]), 1) is paths
    assert (with_peaks(paths, np.array([3.0]), 1) / paths).max() == pytest.approx(3.0)
