"""Ceilings: published measurements, simulated systems whose law is known, and what must be refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.ceiling import fit_ceiling, highest_within
from analytics.usl import Usl, fit_usl
from core.capacity import CeilingState

# SPEC SDM91 on a SPARCcenter 2000 (users, scripts/h), from the R package `usl` (BSD 2-clause, copyright Stefan Moeding).
USERS = np.array([1.0, 18.0, 36.0, 72.0, 108.0, 144.0, 216.0])
SCRIPTS = np.array([64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2])


def _law(gamma: float, sigma: float, kappa: float) -> Usl:
    return Usl(gamma=np.array([gamma]), sigma=np.array([sigma]), kappa=np.array([kappa]))


def test_published_measurements_give_the_published_parameters() -> None:
    found = fit_ceiling(USERS, SCRIPTS, measured=False)
    assert found.state is CeilingState.PEAK
    assert found.gamma.value == pytest.approx(89.995, abs=0.01)
    assert found.sigma.value == pytest.approx(0.02773, abs=1e-5)
    assert found.kappa.value == pytest.approx(0.000104, abs=1e-6)
    assert found.peak_concurrency.value == pytest.approx(96.5, abs=0.1)
    assert found.peak_concurrency.lower < 96.5 < found.peak_concurrency.upper < 1000.0


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 1e4), st.floats(0.0, 0.5), st.floats(1e-6, 1e-2))
def test_without_noise_the_law_itself_comes_out(gamma: float, sigma: float, kappa: float) -> None:
    law = _law(gamma, sigma, kappa)
    users = np.geomspace(1.0, 2.0 * law.peak_concurrency()[0] + 8.0, 12)
    found = fit_usl(users, law.throughput(users), np.ones(12))
    assert found.gamma[0] == pytest.approx(gamma, rel=1e-4)
    assert found.peak()[0] == pytest.approx(law.peak()[0], rel=1e-4)


def test_a_bootstrap_target_below_nought_still_gives_a_law() -> None:
    found = fit_usl(USERS, np.stack([SCRIPTS, -SCRIPTS]), np.ones(7))
    assert np.isfinite(found.gamma).all()
    assert (found.gamma > 0.0).all()


def test_the_true_peak_lies_in_the_interval_nine_times_in_ten() -> None:
    rng = np.random.default_rng(5)
    inside = 0
    for seed in range(40):
        at = np.exp(rng.uniform(2.3, 4.6))
        law = _law(np.exp(rng.uniform(0.0, 5.0)), 0.02, 0.98 / at**2)
        users = np.geomspace(1.0, 1.5 * at, 10)
        throughput = law.throughput(users)[0] * (1.0 + 0.05 * rng.standard_normal(10))
        found = fit_ceiling(users, throughput, measured=False, seed=seed)
        inside += found.peak_tps.lower <= law.peak()[0] <= found.peak_tps.upper
    assert inside >= 33


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_a_load_that_never_varied_is_refused_with_the_test_that_would_settle_it(noise: float) -> None:
    rng = np.random.default_rng(11)
    for seed in range(20):
        throughput = 120.0 * (1.0 + noise * rng.standard_normal(200))
        latency_s = 0.2 * (1.0 + noise * rng.standard_normal(200))
        found = fit_ceiling(throughput * latency_s, throughput, seed=seed)
        assert found.state is CeilingState.UNIDENTIFIED
        assert "never varied enough" in found.reason
        assert "load test" in found.advice
        assert found.peak_tps.lower <= 1.5 * 120.0


def test_proportional_throughput_has_no_ceiling_yet() -> None:
    rng = np.random.default_rng(3)
    users = np.linspace(1.0, 60.0, 100)
    found = fit_ceiling(users, 5.0 * users * (1.0 + 0.02 * rng.standard_normal(100)), measured=False)
    assert found.state is CeilingState.UNIDENTIFIED
    assert "never came near the ceiling" in found.reason


def test_calls_one_after_another_do_not_contend() -> None:
    throughput = np.linspace(1.0, 5.0, 60)
    found = fit_ceiling(throughput * 0.2 * (1.0 + 0.05 * throughput), throughput)
    assert found.state is CeilingState.UNIDENTIFIED
    assert "nothing contends yet" in found.reason


def test_throughput_that_only_flattens_has_no_finite_peak() -> None:
    users = np.geomspace(1.0, 300.0, 12)
    found = fit_ceiling(users, _law(20.0, 0.05, 0.0).throughput(users)[0], measured=False)
    assert found.state is CeilingState.PLATEAU
    assert np.isinf(found.peak_concurrency.value)
    assert found.peak_tps.value == pytest.approx(400.0, rel=1e-3)


def test_an_incident_does_not_bend_the_curve() -> None:
    rng = np.random.default_rng(2)
    law = _law(10.0, 0.02, 0.0005)
    users = 40.0 + 35.0 * np.sin(np.arange(300) / 20.0)
    throughput = law.throughput(users)[0] * (1.0 + 0.03 * rng.standard_normal(300))
    throughput[100:120] *= 0.3
    found = fit_ceiling(users, throughput, measured=False)
    assert found.peak_tps.value == pytest.approx(law.peak()[0], rel=0.02)


@pytest.mark.parametrize("count", [0, 3])
def test_hardly_any_measurement_is_refused(count: int) -> None:
    found = fit_ceiling(USERS[:count], SCRIPTS[:count])
    assert found.state is CeilingState.UNIDENTIFIED
    assert "at least 6" in found.reason


def test_the_objective_holds_up_to_where_latency_leaves_it() -> None:
    throughput = np.linspace(10.0, 200.0, 400)
    latency_ms = np.where(throughput < 150.0, 100.0, 900.0)
    reached, failed = highest_within(throughput, latency_ms, 500.0)
    assert failed
    assert 140.0 < reached < 152.0
    assert highest_within(throughput, latency_ms, 1000.0) == (200.0, False)
    with pytest.raises(ValueError, match="both a throughput and a latency"):
        highest_within(np.array([np.nan]), np.array([1.0]), 1.0)
