"""Steps, breaking points and drift of load tests; minutes to a quota."""

import numpy as np
import pytest

from analytics.drift import drift_of, minutes_to_quota
from analytics.load_test import analyse


def _steps(levels: list[float], each: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(levels, each) * (1.0 + 0.02 * rng.standard_normal(len(levels) * each))


def test_steps_and_the_breaking_point_are_found() -> None:
    tps = _steps([50.0, 75.0, 112.0, 168.0, 170.0], 12)
    latency = _steps([100.0, 105.0, 120.0, 180.0, 900.0], 12, seed=2)
    errors = np.repeat([0.0, 0.0, 0.001, 0.01, 0.2], 12)
    found = analyse(tps, tps * latency / 1000.0, latency, errors)
    assert [step.first for step in found.steps[:4]] == [0, 12, 24, 36]
    assert found.breaking_point is found.steps[4]
    assert found.held_tps == pytest.approx(168.0, rel=0.05)


def test_errors_break_a_step() -> None:
    tps = _steps([50.0, 100.0, 150.0], 10)
    latency = _steps([100.0, 100.0, 110.0], 10, seed=2)
    found = analyse(tps, tps * latency / 1000.0, latency, np.repeat([0.0, 0.0, 0.3], 10))
    assert found.breaking_point is found.steps[2]
    assert found.breaking_point.broken == "30% errors"
    assert found.held_tps == pytest.approx(100.0, rel=0.05)


def test_a_span_in_which_the_load_changed_does_not_dilute_the_errors_of_a_step() -> None:
    tps = np.repeat([50.0, 100.0, 150.0], 10)
    errors = np.repeat([0.0, 0.0, 0.3], 10)
    tps[20], errors[20] = 130.0, 0.2
    found = analyse(tps, tps * 0.1, np.full(30, 100.0), errors)
    assert [step.error_rate for step in found.steps] == pytest.approx([0.0, 0.0, 0.3])
    short = analyse(tps[18:24], tps[18:24] * 0.1, np.full(6, 100.0), errors[18:24])
    assert [step.error_rate for step in short.steps] == pytest.approx([errors[18:21].mean(), errors[21:24].mean()])


def test_a_soak_shows_slow_growth_and_no_more_than_that() -> None:
    rng = np.random.default_rng(4)
    tps = 80.0 * (1.0 + 0.02 * rng.standard_normal(120))
    latency = (100.0 + 0.2 * np.arange(120)) * (1.0 + 0.05 * rng.standard_normal(120))
    found = analyse(tps, tps / 10.0, latency, np.zeros(120))
    (step,) = found.steps
    assert step.latency_drift.real
    assert step.latency_drift.slope.value == pytest.approx(0.2, rel=0.3)
    assert step.latency_drift.slope.lower < 0.2 < step.latency_drift.slope.upper
    assert not step.error_drift.real
    assert found.breaking_point is None


def test_noise_with_a_memory_is_rarely_called_drift() -> None:
    rng = np.random.default_rng(5)
    called = 0
    for _ in range(100):
        noise = np.zeros(100)
        for at in range(1, 100):
            noise[at] = 0.5 * noise[at - 1] + rng.standard_normal()
        called += drift_of(noise).real
    assert called <= 12


def test_a_quota_is_counted_down() -> None:
    rising = np.linspace(5000.0, 7900.0, 30)
    found = minutes_to_quota(rising, 10_000.0)
    assert found.value == pytest.approx((10_000.0 - 7700.0) / 100.0)
    assert minutes_to_quota(rising, 7000.0).value == 0.0
    assert np.isinf(minutes_to_quota(np.ones(30), 10.0).value)
    assert np.isnan(minutes_to_quota(np.array([np.nan] * 30), 10.0).value)
