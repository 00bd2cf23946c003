"""Error budgets as in the SRE workbook, and targets that the past would have kept."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.objectives import SHARES, budget_of, suggested_latency, suggested_share


def test_a_budget_says_what_is_left_how_fast_it_burns_and_how_long_it_lasts() -> None:
    found = budget_of(0.001, 0.0004, [0.0144, 0.006, 0.001])
    assert found.left == pytest.approx(0.6)
    assert found.burns == pytest.approx((14.4, 6.0, 1.0))
    assert found.exhausted is not None
    assert found.exhausted / timedelta(hours=1) == pytest.approx(0.6 * 720 / 14.4)


@pytest.mark.parametrize("windows", [[0.0, 0.0, 0.0], [0.0001, 0.0, 0.0], [math.nan, math.nan, math.nan]])
def test_what_outlasts_the_period_is_not_called_exhausted(windows: list[float]) -> None:
    assert budget_of(0.001, 0.0001, windows).exhausted is None


def test_a_budget_that_is_used_up_is_overdrawn() -> None:
    found = budget_of(0.001, 0.003, [0.01, 0.01, 0.01])
    assert (round(found.left, 6), found.exhausted) == (-2.0, None)


@pytest.mark.parametrize(
    ("share", "suggested"), [(0.0, 0.0001), (0.00085, 0.005), (0.004, 0.005), (0.2, None), (math.nan, None)]
)
def test_a_share_is_the_strictest_that_was_kept_with_a_quarter_to_spare(share: float, suggested: float | None) -> None:
    assert suggested_share(share) == suggested


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.5, 90_000.0), min_size=3, max_size=28))
def test_a_latency_target_is_round_and_was_kept_on_nine_days_of_ten(by_day: list[float]) -> None:
    found = suggested_latency(by_day)
    assert found is not None
    assert np.mean(np.asarray(by_day) <= found) >= 0.9 - 1e-9 or found >= 1.25 * np.quantile(by_day, 0.9)
    assert found <= 2.5 * np.quantile(by_day, 0.9)
    assert f"{found:.1e}"[:3] in {"1.0", "1.5", "2.0", "2.5", "3.0", "4.0", "5.0", "7.5"}


def test_too_few_days_suggest_nothing() -> None:
    assert suggested_latency([100.0, math.nan, 120.0]) is None
    assert list(SHARES) == sorted(SHARES)
