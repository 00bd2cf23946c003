"""Throughput against instances: what each number of them carried, and the law behind it."""

import numpy as np

from analytics.ceiling import fit_ceiling
from analytics.scaling import most_carried
from core.capacity import CeilingState


def test_what_so_many_instances_carried_is_their_busiest_minutes() -> None:
    instances = np.repeat([2.0, 4.0, 7.0], [100, 50, 5])
    asked = np.concatenate([np.linspace(0.0, 20.0, 100), np.linspace(10.0, 30.0, 50), np.full(5, 99.0)])
    n, x = most_carried(instances, asked)
    assert n.tolist() == [2.0, 4.0]  # five minutes with seven say nothing
    assert np.allclose(x, [19.0, 29.0])


def test_the_law_of_instances_comes_out_of_their_busiest_minutes() -> None:
    rng = np.random.default_rng(4)
    counts = np.arange(1.0, 17.0)
    law = 50.0 * counts / (1.0 + 0.03 * (counts - 1.0) + 0.01 * counts * (counts - 1.0))
    instances = np.repeat(counts, 60)
    throughput = np.repeat(law, 60) * np.minimum(rng.uniform(0.5, 1.1, len(instances)), 1.0)
    found = fit_ceiling(*most_carried(instances, throughput), measured=False, counted="instances")
    assert found.state is CeilingState.PEAK
    assert abs(found.peak_concurrency.value - np.sqrt(0.97 / 0.01)) < 0.5


def test_the_same_number_all_the_time_tells_nothing() -> None:
    n, x = most_carried(np.full(500, 4.0), np.linspace(1.0, 90.0, 500))
    found = fit_ceiling(n, x, measured=False, counted="instances")
    assert found.state is CeilingState.UNIDENTIFIED
    assert "1 measurements" in found.reason
