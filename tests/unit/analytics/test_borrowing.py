"""A kind of day that history has not held is expected where the others are: wide enough not to cry, narrow enough to see."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.baseline import Baselines, deviations, from_frame, to_frame
from analytics.borrowing import KINDS, borrow
from analytics.features import Floats, Panel
from analytics.fit import fit_baselines
from analytics.silence import Silence, score_silence
from analytics.summary import summarise
from core.calendars import Calendar, Calendars
from tests.unit.analytics.builders import DAY, MIN_CALLS, MONDAY, baselines_of, seasonal_panel

SATURDAY = MONDAY + 5 * DAY


def strange(center: Floats) -> Floats:
    return np.full(center.shape, 0.3)


def week(days: int, seed: int = 1, rate: float = 120.0, weekend: float = 0.5) -> Panel:
    """As `seasonal_panel`, with tokens and cache hits, and weekends of the given part of a working day's calls."""
    panel = seasonal_panel(days, seed, rate)
    rng = np.random.default_rng(seed + 100)
    free = (np.arange(panel.minutes) // 1440) % 7 >= 5
    calls = rng.poisson(np.where(free, panel.calls * 2.0 * weekend, panel.calls)).astype(float)
    values = {
        "tps": calls / 60.0,
        "error_rate": rng.binomial(calls.astype(int), 0.01) / np.maximum(calls, 1.0),
        "cache_hit_rate": rng.binomial(calls.astype(int), 0.6) / np.maximum(calls, 1.0),
        "latency_p50": panel.values["latency_p50"],
        "tokens_per_s": calls * rng.lognormal(3.0, 0.05, calls.shape) / 60.0,
    }
    return replace(panel, calls=calls, values=values)


def ranges(baselines: Baselines, at: datetime, metric: str) -> tuple[float, float, float]:
    return baselines.at(pd.DatetimeIndex([at])).range(metric, 0, 0)


@pytest.mark.parametrize("days", [2, 4, 5])
def test_the_first_saturday_is_expected_near_its_week(days: int) -> None:
    baselines = baselines_of(week(days))
    for hour in (3, 12, 20):
        at = SATURDAY + hour * DAY / 24
        _, _, errors = ranges(baselines, at, "error_rate")
        assert 0.02 < errors < 0.12, "one percent, of 60 to 180 calls a minute"
        expected, low, high = ranges(baselines, at, "latency_p50")
        assert expected / 2.5 < low < expected / 1.4
        assert expected * 1.4 < high < expected * 2.5
        expected, low, high = ranges(baselines, at, "cache_hit_rate")
        assert 0.2 < low < 0.5 < expected < 0.7 < high < 0.95
        for metric in ("tps", "tokens_per_s"):
            expected, low, high = ranges(baselines, at, metric)
            assert low < 0.35 * expected, f"{metric}: a weekend is often a fraction of the week"
            assert 2.0 * expected < high < 15.0 * expected, metric


@pytest.mark.parametrize("weekend", [0.15, 0.5, 1.0, 1.6])
def test_no_weekend_is_out_of_its_range_and_faults_still_are(weekend: float) -> None:
    panel = week(6, weekend=weekend)
    baselines = baselines_of(panel.slice(0, 5 * 1440))
    judged = deviations(baselines, panel.slice(5 * 1440, 6 * 1440), MIN_CALLS)
    for metric, z in judged.items():
        assert np.nanmax(np.abs(z)) < 5.0, metric
        assert (np.abs(z) > 4.0).mean() < 0.004, metric
    calls = np.maximum(panel.calls[:, 5 * 1440 : 6 * 1440], 120.0)
    broken = Panel(
        selectors=panel.selectors,
        start=SATURDAY,
        calls=calls,
        values={
            "error_rate": np.full(calls.shape, 0.4),
            "latency_p50": np.full(calls.shape, 300.0),
            "cache_hit_rate": np.full(calls.shape, 0.03),
            "tps": 12.0 * np.expm1(baselines.at(panel.times()[5 * 1440 :]).center["tps"]) / 60.0,
        },
    )
    for metric, z in deviations(baselines, broken, MIN_CALLS).items():
        if metric in broken.values:
            assert (np.abs(z) > 4.0).mean() > 0.95, metric


def test_what_the_day_has_shown_so_far_narrows_the_next_hours() -> None:
    panel = week(6, weekend=0.3)
    before, later = baselines_of(panel.slice(0, 5 * 1440)), baselines_of(panel.slice(0, 5 * 1440 + 12 * 60))
    soon, far = SATURDAY + 12.5 * DAY / 24, SATURDAY + 23.5 * DAY / 24
    true = np.log(panel.calls[0, 5 * 1440 + 12 * 60 : 5 * 1440 + 13 * 60].mean())
    missed = [abs(np.log(60.0 * ranges(one, soon, "tps")[0]) - true) for one in (before, later)]
    assert missed[1] < missed[0] / 2.0
    widths = [np.log(ranges(later, at, "tps")[2] / ranges(later, at, "tps")[1]) for at in (soon, far)]
    assert widths[0] < 0.75 * widths[1]


def test_a_first_day_off_may_be_as_a_weekend_or_as_a_working_day() -> None:
    calendars = Calendars(common=Calendar(time_zone="UTC", days_off=frozenset({date(2026, 3, 19)})))
    for weekend in (0.1, 0.9):
        summary = summarise(week(14, weekend=weekend), MIN_CALLS)
        baselines = fit_baselines(summary, "UTC", min_history=DAY, min_calls=MIN_CALLS, calendars=calendars)
        noon = datetime(2026, 3, 19, 12, 30, tzinfo=UTC)
        working, free = (ranges(baselines, noon + shift * DAY, "tps") for shift in (-1, 2))
        expected, low, high = ranges(baselines, noon, "tps")
        assert expected == pytest.approx(free[0], rel=0.1)
        assert low < free[0] / 1.5
        assert working[0] < high
    assert ranges(baselines, noon, "error_rate")[2] < 0.1


def silence_of(weekend: list[float]) -> Floats:
    """Scores of a Saturday with the given calls a minute by the hour, after five days of 60 a minute in office hours."""
    rng = np.random.default_rng(5)
    hours = np.concatenate([np.tile(np.where((np.arange(24) >= 8) & (np.arange(24) < 18), 60.0, 0.0), 5), weekend])
    calls = rng.poisson(np.repeat(hours, 60))[None, :].astype(float)
    panel = Panel(selectors=seasonal_panel(1).selectors, start=MONDAY, calls=calls, values={"tps": calls / 60.0})
    baselines = baselines_of(panel.slice(0, 5 * 1440))
    kept = from_frame(to_frame(baselines), "UTC")
    today = panel.slice(5 * 1440, 6 * 1440)
    _, friday = score_silence(
        panel.calls[:, 4 * 1440 : 5 * 1440], kept.at(panel.times()[4 * 1440 : 5 * 1440]), Silence.unseen(1)
    )
    scores: Floats = score_silence(today.calls, kept.at(today.times()), friday)[0][0]
    return scores


def test_an_office_that_is_shut_on_its_first_saturday_is_not_silent() -> None:
    assert not (silence_of([0.0] * 24) >= 1.0).any()


def test_what_was_heard_on_a_first_saturday_is_missed_when_it_stops() -> None:
    scores = silence_of([0.0] * 8 + [60.0] * 3 + [0.0] * 13)
    assert not (scores[: 11 * 60] >= 1.0).any()
    assert 20 < np.argmax(scores[11 * 60 :] >= 1.0) < 60


@given(
    arrays(np.float64, (3, KINDS, 24), elements=st.floats(-5.0, 5.0)),
    arrays(np.bool_, (3, KINDS, 24)),
    arrays(np.float64, (3, KINDS, 24), elements=st.sampled_from([1.0, 4.0])),
)
def test_whatever_is_known_the_rest_is_filled_with_an_error(
    values: Floats, known: np.typing.NDArray[np.bool_], days: Floats
) -> None:
    kinds = np.where(known, values, np.nan)
    center, error = borrow(kinds, np.where(known, days, 0.0), strange)
    some = known.reshape(3, -1).any(axis=1)
    assert np.isfinite(center[some]).all()
    assert np.isnan(center[~some]).all()
    assert np.isfinite(error).all()
    sure = known & ((days > 1.5) | (np.arange(KINDS) < 2)[None, :, None])
    np.testing.assert_array_equal(center[sure], kinds[sure])
    assert (error[sure] == 0.0).all()
    assert (error[some][~sure[some]] >= 0.3 * np.sqrt(1.0 - np.exp(-2.0 / 6.0)) - 1e-9).all()
