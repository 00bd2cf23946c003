"""Growth is followed where the series' own past says so, and nowhere else."""

import numpy as np
import pytest

from analytics.forecast import GROWING_MODEL, MODEL, WEEK, Floats, forecast


def traffic(weeks: int, growth: float, seed: int, wander: float = 0.0) -> Floats:
    """Hourly traffic with a day and a week, growing steadily, its weekly level wandering."""
    rng = np.random.default_rng(seed)
    hours = np.arange(weeks * WEEK)
    shape = 1.0 + 0.5 * np.sin(hours / 24 * 2 * np.pi) + 0.1 * np.sin(hours / WEEK * 2 * np.pi)
    level = np.exp(np.log1p(growth) * hours / WEEK + np.repeat(wander * rng.standard_normal(weeks), WEEK))
    return np.asarray(5.0 * shape * level * (1.0 + 0.03 * rng.standard_normal(len(hours))))


@pytest.mark.parametrize("seed", range(4))
def test_steady_growth_goes_on(seed: int) -> None:
    series = traffic(12, 0.02, seed)
    made = forecast(series[: 8 * WEEK], 4 * WEEK)
    truth = series[8 * WEEK :]
    assert made.model == GROWING_MODEL
    assert abs(made.points["mean"].mean() / truth.mean() - 1.0) < 0.03
    assert made.error_mase < 1.0
    within = (made.points["q05"].to_numpy() <= truth) & (truth <= made.points["q95"].to_numpy())
    assert within.mean() > 0.8


@pytest.mark.parametrize("seed", range(4))
def test_a_level_that_only_wanders_has_no_growth(seed: int) -> None:
    assert forecast(traffic(12, 0.0, seed, wander=0.08), WEEK).model == MODEL


def test_four_weeks_are_too_few_to_speak_of_growth() -> None:
    assert forecast(traffic(4, 0.05, 0), WEEK).model == MODEL


def test_growth_is_bounded() -> None:
    made = forecast(traffic(10, 0.5, 0), 4 * WEEK)
    last_week = traffic(10, 0.5, 0)[-WEEK:].mean()
    assert made.points["mean"][-WEEK:].mean() < 1.6 * last_week
