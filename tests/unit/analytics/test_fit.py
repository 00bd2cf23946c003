"""Baselines find the season, follow growth, and are not moved by an incident."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from analytics.baseline import Baselines, deviations, from_frame, to_frame
from analytics.features import Floats, Panel, stack
from analytics.fit import calibrate, fit_baselines
from analytics.summary import summarise
from core.calendars import DAY_OFF, Calendar, Calendars
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


def office(start: datetime, days: int, days_off: frozenset[date] = frozenset(), zone: str = "UTC", seed: int = 3) -> Panel:
    """Ten calls a minute, a hundred in office hours of local working days."""
    times = pd.date_range(start, periods=days * 1440, freq="min").tz_convert(zone)
    free = (times.day_of_week >= 5) | np.isin(times.tz_localize(None).to_numpy().astype("datetime64[D]"), sorted(days_off))
    busy = ((times.hour >= 9) & (times.hour < 17) & ~free).astype(float)
    calls = np.random.default_rng(seed).poisson(10.0 + 90.0 * busy)[None, :].astype(float)
    return Panel(selectors=(Selector(),), start=start, calls=calls, values={"tps": calls / 60.0})


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 8, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 3, 29, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 3, 29, tzinfo=UTC)),
    ],
)
def test_office_hours_stay_where_people_have_them(zone: str, change: datetime) -> None:
    """Learned in the two weeks before a change of the clocks and the days after it, judged in the week that follows."""
    panel = office(change - 14 * DAY, 24, zone=zone)
    baselines = baselines_of(panel.slice(0, 17 * 1440), zone)
    expected = baselines.at(panel.times()[17 * 1440 :]).calls[0]
    quiet = np.median(panel.calls[0])
    error = np.abs(expected - np.where(panel.calls[0, 17 * 1440 :] > 50, 100.0, quiet))
    # Within half an hour of nine and five o'clock it glides.
    assert np.median(error) < 5.0
    assert (error > 20.0).mean() < 2 * 62 * 5 / (7 * 1440)


def test_days_off_have_a_baseline_of_their_own() -> None:
    holidays = frozenset({date(2026, 3, 10), date(2026, 3, 18), date(2026, 3, 26)})
    calendars = Calendars(common=Calendar(time_zone="UTC", days_off=holidays))
    panel = office(MONDAY, 28, holidays)
    summary = summarise(panel.slice(0, 24 * 1440), MIN_CALLS)
    knowing = fit_baselines(summary, "UTC", min_history=DAY, min_calls=MIN_CALLS, calendars=calendars)
    # A day off, a Wednesday, a Saturday.
    noon = pd.DatetimeIndex([datetime(2026, 3, day, 12, 30, tzinfo=UTC) for day in (26, 25, 28)])
    off, working, weekend = knowing.at(noon).calls[0]
    assert off == pytest.approx(10, rel=0.2)
    assert working == pytest.approx(100, rel=0.1)
    assert weekend == pytest.approx(10, rel=0.2)
    judged = deviations(knowing, panel.slice(24 * 1440, 25 * 1440), MIN_CALLS)["tps"]
    assert np.nanmax(np.abs(judged)) < 4.5, "the holiday that was not seen is as the two before it"
    ignorant = fit_baselines(summary, "UTC", min_history=DAY, min_calls=MIN_CALLS)
    assert np.nanmax(np.abs(deviations(ignorant, panel.slice(24 * 1440, 25 * 1440), MIN_CALLS)["tps"])) > 8.0


def test_of_a_first_day_off_little_is_claimed() -> None:
    first = frozenset({date(2026, 3, 26)})
    calendars = Calendars(common=Calendar(time_zone="UTC", days_off=first))
    summary = summarise(office(MONDAY, 21), MIN_CALLS)
    baselines = fit_baselines(summary, "UTC", min_history=DAY, min_calls=MIN_CALLS, calendars=calendars)
    day = baselines.at(pd.DatetimeIndex([datetime(2026, 3, day, 12, 30, tzinfo=UTC) for day in (26, 28)]))
    assert day.calls[0, 0] == pytest.approx(day.calls[0, 1], rel=0.1), "as the weekend"
    assert day.scale["tps"][0, 0] > 1.5 * day.scale["tps"][0, 1]


def test_each_tenant_lives_by_its_own_clock() -> None:
    tokyo, berlin = (Selector.of(tenant=name) for name in ("tokyo", "berlin"))
    panels = [
        replace(office(MONDAY, 14, zone=zone, seed=seed), selectors=(selector,))
        for seed, (zone, selector) in enumerate((("Asia/Tokyo", tokyo), ("Europe/Berlin", berlin)))
    ]
    calendars = Calendars(common=Calendar(time_zone="Europe/Berlin"), tenants={"tokyo": Calendar(time_zone="Asia/Tokyo")})
    summary = summarise(stack(panels), MIN_CALLS)
    baselines = fit_baselines(summary, "Europe/Berlin", min_history=DAY, min_calls=MIN_CALLS, calendars=calendars)
    morning = pd.DatetimeIndex([datetime(2026, 3, 16, 2, 30, tzinfo=UTC)])
    assert baselines.at(morning).calls[:, 0] == pytest.approx([100, 10], rel=0.2)
    slot = 11  # Monday, 11 o'clock: a slot means the same hour of everybody's own day
    assert np.expm1(baselines.center["tps"][:, slot]) == pytest.approx([100, 100], rel=0.1)
    again = from_frame(to_frame(baselines), "Europe/Berlin", calendars)
    rows = np.array([again.selectors.index(one) for one in (tokyo, berlin)])
    np.testing.assert_allclose(again.at(morning, rows).calls[:, 0], [100, 10], rtol=0.2)


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
    seen = frame["slot"] < 24 * DAY_OFF
    assert (frame.loc[seen, "samples"] > 0).all()
    assert (frame.loc[~seen, "samples"] == 0).all(), "there was no day off"
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
