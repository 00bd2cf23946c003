"""Baselines find the season, follow growth, and are not moved by an incident."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from analytics.baseline import Baselines, deviations, from_frame, hours_of_week, to_frame
from analytics.features import Floats, Panel, stack
from analytics.fit import calibrate
from core.series import Selector
from tests.unit.analytics.builders import DAY, MIN_CALLS, MONDAY, baselines_of, seasonal_panel


def expected_calls(baselines: Baselines, start: datetime, hours: int = 24) -> Floats:
    """At the middle of each hour."""
    times = pd.date_range(start + timedelta(minutes=30), periods=hours, freq="h")
    return np.asarray(baselines.at(times).calls[0])


def true_calls(start_hour: int = 0, rate: float = 60.0) -> Floats:
    """Of a working day of `seasonal_panel`, hour by hour."""
    minute = np.arange(1440) + 60 * start_hour
    return np.asarray((rate * (1.0 + 0.5 * np.sin(2 * np.pi * minute / 1440))).reshape(24, 60).mean(1))


def test_two_weeks_bring_the_season_within_a_few_percent() -> None:
    baselines = baselines_of(seasonal_panel(14))
    working, weekend = expected_calls(baselines, MONDAY + 14 * DAY), expected_calls(baselines, MONDAY + 19 * DAY)
    np.testing.assert_allclose(working, true_calls(), rtol=0.05)
    np.testing.assert_allclose(weekend, true_calls() / 2, rtol=0.06)


def test_deviations_of_unseen_days_are_close_to_standard_normal() -> None:
    panel = seasonal_panel(17)
    baselines = baselines_of(panel.slice(0, 14 * 1440))
    scored = deviations(baselines, panel.slice(14 * 1440, 17 * 1440), MIN_CALLS)
    for metric, scale in (("tps", (0.8, 1.15)), ("latency_p50", (0.7, 1.15)), ("error_rate", (0.3, 1.15))):
        z = scored[metric]
        assert scale[0] < np.nanstd(z) < scale[1], metric
        assert abs(np.nanmean(z)) < 0.35, metric
        assert np.nanmax(np.abs(z)) < 5.0, metric


def test_nothing_jumps_when_the_hour_turns() -> None:
    baselines = baselines_of(seasonal_panel(14))
    calls = baselines.at(pd.date_range(MONDAY + 15 * DAY, periods=1440, freq="min")).calls[0]
    steepest = 0.5 * 60.0 * 2 * np.pi / 1440
    assert np.abs(np.diff(calls)).max() < 3 * steepest, "between hours it is 8 calls"


def test_growth_is_followed_to_the_end_of_the_history() -> None:
    panel = seasonal_panel(14, growth=0.02)
    now = expected_calls(baselines_of(panel), MONDAY + 14 * DAY)
    grown = true_calls() * 1.02**13.5
    np.testing.assert_allclose(now, grown, rtol=0.10)
    assert now.mean() > 1.2 * true_calls().mean()


def test_an_incident_in_the_history_moves_nothing() -> None:
    panel = seasonal_panel(14)
    calls = panel.calls.copy()
    afternoon = slice(10 * 1440 + 14 * 60, 10 * 1440 + 17 * 60)
    calls[:, afternoon] *= 5.0
    errors = panel.values["error_rate"].copy()
    errors[:, afternoon] = 0.6
    hurt = replace(panel, calls=calls, values={**panel.values, "tps": calls / 60.0, "error_rate": errors})
    clean, moved = baselines_of(panel), baselines_of(hurt)
    np.testing.assert_allclose(expected_calls(moved, MONDAY + 17 * DAY), expected_calls(clean, MONDAY + 17 * DAY), rtol=0.04)
    day = moved.at(pd.date_range(MONDAY + 17 * DAY, periods=24, freq="h"))
    assert max(day.range("error_rate", 0, hour)[0] for hour in range(24)) < 0.03


def test_a_habit_of_every_week_is_learned_although_no_other_day_has_it() -> None:
    panel = seasonal_panel(14)
    calls = panel.calls.copy()
    for week in range(2):
        calls[:, week * 7 * 1440 + 9 * 60 : week * 7 * 1440 + 10 * 60] *= 3.0
    habit = baselines_of(replace(panel, calls=calls, values={**panel.values, "tps": calls / 60.0}))
    monday, tuesday = (expected_calls(habit, MONDAY + day * DAY)[9] for day in (14, 15))
    assert monday > 2.4 * true_calls()[9]
    assert tuesday == pytest.approx(true_calls()[9], rel=0.1)


def test_without_a_weekend_in_the_history_the_weekend_is_expected_with_a_wide_range() -> None:
    baselines = baselines_of(seasonal_panel(4))
    saturday = baselines.at(pd.date_range(MONDAY + 5 * DAY + timedelta(hours=12), periods=1, freq="h"))
    friday = baselines.at(pd.date_range(MONDAY + 4 * DAY + timedelta(hours=12), periods=1, freq="h"))
    assert saturday.calls[0, 0] == pytest.approx(friday.calls[0, 0], rel=0.1)
    assert saturday.scale["tps"][0, 0] > 2 * friday.scale["tps"][0, 0]


def test_a_selection_with_less_history_than_wanted_is_still_learning() -> None:
    panel = seasonal_panel(4)
    calls = panel.calls.copy()
    calls[:, : 3 * 1440] = 0.0
    new = Panel(
        selectors=(Selector.of(service="new"),), start=panel.start, calls=calls, values={**panel.values, "tps": calls / 60.0}
    )
    baselines = baselines_of(stack([panel, new]))
    assert baselines.selectors == (Selector(),)
    old_enough = baselines_of(stack([panel, new]), min_history=DAY)
    assert Selector.of(service="new") in old_enough.selectors
    row = old_enough.selectors.index(Selector.of(service="new"))
    assert old_enough.at(pd.date_range(MONDAY + 4 * DAY, periods=1, freq="h")).calls[row, 0] > 30, "its absence was no silence"


def test_slots_are_local_hours_of_the_week() -> None:
    summer = pd.DatetimeIndex([datetime(2026, 7, 6, 6, 0, tzinfo=UTC)])
    winter = pd.DatetimeIndex([datetime(2026, 1, 5, 7, 0, tzinfo=UTC)])
    assert hours_of_week(summer, "Europe/Berlin")[0] == hours_of_week(winter, "Europe/Berlin")[0] == 8.0


def test_a_change_to_summer_time_moves_the_day_with_the_clock() -> None:
    """Germany changes on 29 March 2026: the traffic, which follows people, comes an hour earlier in UTC."""
    start = datetime(2026, 3, 16, tzinfo=UTC)
    times = pd.date_range(start, periods=20 * 1440, freq="min").tz_convert("Europe/Berlin")
    busy = ((times.hour >= 9) & (times.hour < 17)).astype(float)
    calls = np.random.default_rng(3).poisson(10.0 + 90.0 * busy)[None, :].astype(float)
    panel = Panel(selectors=(Selector(),), start=start, calls=calls, values={"tps": calls / 60.0})
    baselines = baselines_of(panel, "Europe/Berlin")
    after = pd.DatetimeIndex([datetime(2026, 4, 6, 7, 30, tzinfo=UTC), datetime(2026, 4, 6, 6, 30, tzinfo=UTC)])
    opened, closed = baselines.at(after).calls[0]
    assert opened > 80
    assert closed < 30


def test_baselines_survive_the_way_through_a_frame() -> None:
    panel = seasonal_panel(8)
    other = replace(panel, selectors=(Selector.of(service='a"b'),))
    baselines = baselines_of(stack([panel, other]), "Europe/Berlin")
    frame = to_frame(baselines)
    assert list(frame.columns) == [
        "metric", "selector", "slot", "expected", "lower", "upper", "center", "scale", "samples",
    ]  # fmt: skip
    assert (frame["lower"] <= frame["expected"]).all()
    assert (frame["expected"] <= frame["upper"]).all()
    assert (frame["samples"] > 0).all()
    again = from_frame(frame, "Europe/Berlin")
    assert set(again.selectors) == set(baselines.selectors)
    rows = [again.selectors.index(selector) for selector in baselines.selectors]
    for metric in baselines.metrics:
        np.testing.assert_allclose(again.center[metric][rows], baselines.center[metric])
        np.testing.assert_allclose(again.scale[metric][rows], baselines.scale[metric])


def test_a_metric_that_nothing_is_known_of_comes_back_unknown() -> None:
    baselines = from_frame(to_frame(baselines_of(seasonal_panel(8))), "UTC")
    assert np.isnan(baselines.center["tokens_per_s"]).all()
    assert deviations(baselines, seasonal_panel(1), MIN_CALLS)["tps"].shape == (1, 1440)


def test_heavy_tails_widen_the_range_but_incidents_do_not() -> None:
    baselines = baselines_of(seasonal_panel(8))
    rng = np.random.default_rng(5)
    normal = {"latency_p50": rng.normal(size=(1, 4000))}
    heavy = {"latency_p50": np.clip(rng.standard_t(4, size=(1, 4000)), -5.5, 5.5)}
    incident = {"latency_p50": np.where(np.arange(4000) < 60, 30.0, normal["latency_p50"])}
    before = baselines.scale["latency_p50"][0, 0]
    as_usual, wider, after_incident = (
        calibrate(baselines, scored).scale["latency_p50"][0, 0] for scored in (normal, heavy, incident)
    )
    assert as_usual == pytest.approx(before, rel=0.1)
    assert wider > 1.25 * before
    assert after_incident == pytest.approx(as_usual, rel=0.02)
