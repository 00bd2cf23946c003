"""The detector finds what is unusual, from the past alone, and says nothing of what is usual."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.univariate import Cadence, Detector, detect
from tests.unit.analytics.univariate.builders import daily, judged, seconds_of

FIVE_MINUTES, HOUR, DAY = 300.0, 3_600.0, 86_400.0


def test_a_drop_at_noon_to_what_is_usual_at_night_is_found_within_minutes() -> None:
    values = daily(4)
    noon = 3 * 1_440 + 360
    values[noon : noon + 30] *= 0.35
    found = judged(values)
    assert found.score[noon : noon + 5].max() >= 1.0
    assert not found.anomalous[2 * 1_440 : noon].any()


def test_a_slight_shift_that_no_single_minute_shows_is_found_by_the_average_of_many() -> None:
    values = daily(4, noise=0.3)
    start = 3 * 1_440 + 300
    values[start : start + 60] *= 1.6
    found = judged(values)
    assert not found.anomalous[2 * 1_440 : start].any()
    assert found.anomalous[start + 3 : start + 60].any()


def test_alarms_of_a_calm_week_are_rare() -> None:
    values = np.stack([daily(4, seed=seed) for seed in range(8)], axis=1)
    seconds = np.repeat(seconds_of(len(values), 60.0)[:, None], 8, axis=1)
    found = detect(Detector(8, Cadence.of(60.0)), values, seconds)
    assert found.anomalous[2 * 1_440 :].sum() <= 2


def test_five_minutes_alarm_at_what_was_never_there_and_not_at_spikes_that_are_habit() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(50.0, 1.0, 1_500)
    values[::97] += rng.uniform(30.0, 40.0, len(values[::97]))
    values[1_400] = 300.0
    found = judged(values, FIVE_MINUTES)
    assert found.anomalous[1_400]
    assert found.anomalous[800:1_400].sum() <= 1


def test_hours_alarm_at_distance_in_spreads() -> None:
    values = np.random.default_rng(2).normal(10.0, 1.0, 400)
    values[300] = 18.0
    found = judged(values, HOUR)
    assert list(np.flatnonzero(found.anomalous[50:]) + 50) == [300]
    assert found.lower[299, 0] < 10.0 - 2.0 < 10.0 + 2.0 < found.upper[299, 0] < 18.0


def test_a_score_counts_only_where_it_exceeds_those_of_the_cooldown() -> None:
    values = np.random.default_rng(3).normal(10.0, 1.0, 400)
    values[300:310] = [18.0, 17.0, 18.5, *[16.0] * 7]
    found = judged(values, HOUR)
    assert list(np.flatnonzero(found.anomalous[250:]) + 250) == [300, 302]
    assert found.score[301, 0] == 0.0


def test_severity_rises_with_the_distance_and_fades() -> None:
    values = np.random.default_rng(4).normal(10.0, 1.0, 400)
    values[300], values[350] = 14.0, 20.0
    severity = judged(values, HOUR).severity[:, 0]
    assert 0.0 <= severity.min() <= severity.max() <= 1.0
    assert severity[299] < severity[300] < severity[350]
    assert severity[300] > severity[305] > severity[320]


def test_the_same_in_one_span_in_several_and_by_the_kept_state() -> None:
    values = np.stack([daily(3, 120.0, seed=seed) for seed in (1, 2)], axis=1)
    values[1_300:1_310] = np.nan
    seconds = np.repeat(seconds_of(len(values), 120.0)[:, None], 2, axis=1)
    whole = detect(Detector(2, Cadence.of(120.0)), values, seconds)
    detector, start = Detector(2, Cadence.of(120.0)), 0
    for end in (1, 7, 19, 20, 21, 1_000, 1_001, 1_305, len(values)):
        part = detect(detector, values[start:end], seconds[start:end])
        np.testing.assert_array_equal(part.score, whole.score[start:end])
        np.testing.assert_array_equal(part.lower, whole.lower[start:end])
        detector, start = Detector.from_arrays(detector.arrays(), detector.cadence), end


def test_a_series_is_judged_the_same_alone_and_beside_others() -> None:
    values = np.stack([daily(7, 600.0, seed=seed) for seed in (1, 2, 3)], axis=1)
    seconds = np.repeat(seconds_of(len(values), 600.0)[:, None], 3, axis=1)
    together = detect(Detector(3, Cadence.of(600.0)), values, seconds)
    np.testing.assert_allclose(judged(values[:, 1], 600.0).score[:, 0], together.score[:, 1], rtol=1e-9, atol=1e-12)


def test_the_past_is_judged_without_the_future() -> None:
    values = daily(7, 300.0, seed=5)
    before = judged(values[:1_500], 300.0).score
    values[1_500:] = 1e6
    np.testing.assert_array_equal(before, judged(values[:1_600], 300.0).score[:1_500])


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_unit_of_a_series_changes_no_score(factor: float) -> None:
    values = daily(2, 120.0, seed=6)
    values[1_400] *= 3.0
    np.testing.assert_allclose(judged(values, 120.0).score, judged(factor * values, 120.0).score, rtol=1e-6, atol=1e-6)


def test_constant_series_say_nothing_until_they_change() -> None:
    for value in (0.0, -3.5, 1e300):
        values = np.full(300, value)
        assert not judged(values, FIVE_MINUTES).score.any()
        values[250] = value + 1.0 if abs(value) < 1e9 else 0.0
        assert judged(values, FIVE_MINUTES).anomalous[250]


def test_missing_values_are_not_judged_and_expected_all_the_same() -> None:
    values = daily(1)
    values[1_000:1_100] = np.nan
    values[1_050] = np.inf
    found = judged(values)
    assert not found.score[1_000:1_100].any()
    assert np.isfinite(found.expected[1_000:1_100]).all()
    assert not judged(np.full(100, np.nan)).score.any()


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60),
    repeats=st.integers(1, 40),
    step_s=st.sampled_from([1.0, 60.0, 150.0, 300.0, 1_800.0, 3_600.0, 43_200.0, DAY, 30 * DAY]),
    jumps=st.lists(st.integers(-100_000, 100_000), max_size=10),
)
@settings(max_examples=40, deadline=None)
def test_whatever_is_read_the_verdict_is_sensible(values: list[float], repeats: int, step_s: float, jumps: list[int]) -> None:
    series = np.repeat(np.array(values, float), repeats)[:200]
    seconds = seconds_of(len(series), step_s)
    for at, jump in enumerate(jumps[: len(seconds)]):
        seconds[at * len(seconds) // len(jumps) :] += jump
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = detect(Detector(1, Cadence.of(step_s)), series[:, None], seconds[:, None])
    assert np.isfinite(found.score).all()
    assert (found.score >= 0.0).all()
    assert ((found.severity >= 0.0) & (found.severity <= 1.0)).all()
    np.testing.assert_array_equal(found.anomalous, found.score >= 1.0)
    shown = ~np.isnan(found.expected)
    assert (found.lower[shown] <= found.expected[shown]).all()
    assert (found.expected[shown] <= found.upper[shown]).all()


@pytest.mark.parametrize("step_s", [60.0, FIVE_MINUTES, HOUR])
def test_series_that_begin_and_pause_apart_are_judged_as_if_each_were_alone(step_s: float) -> None:
    values = np.stack([daily(1, step_s, seed)[:200] for seed in range(3)], axis=1)
    seconds = np.repeat(seconds_of(len(values), step_s)[:, None], 3, axis=1)
    alone = detect(Detector(3, Cadence.of(step_s)), values, seconds)
    together = Detector(1, Cadence.of(step_s))
    half = len(values) // 2
    detect(together, values[:half, :1], seconds[:half, :1])
    together = together.with_more(2)
    later = np.array([1, 2])
    part = together.of(later)
    detect(part, values[:half, later], seconds[:half, later])
    together.put(later, part)
    found = detect(together, values[half:], seconds[half:])
    np.testing.assert_array_equal(found.score, alone.score[half:])
    np.testing.assert_array_equal(found.upper, alone.upper[half:])
