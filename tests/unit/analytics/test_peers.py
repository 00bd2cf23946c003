"""What most services share is taken out of their latencies; medians that jump between hit and miss are not judged."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.baseline import Expected
from analytics.features import Panel, transform
from analytics.peers import comparable, without_bimodal_medians, without_common_slowdown
from core.series import ALL_CALLS, Selector
from tests.unit.analytics.builders import MONDAY

MINUTES, USUAL_MS = 4, 500.0
SERVICES = tuple(Selector.of(service=f"s{number}") for number in range(8))
TENANT, PROVIDER = Selector.of(tenant="a"), Selector.of(provider="p")
SELECTORS = (ALL_CALLS, *SERVICES, TENANT, PROVIDER)


def usual(selectors: tuple[Selector, ...] = SELECTORS, hits: float = 0.0) -> tuple[Panel, Expected]:
    """Everything as expected: half a second, and a share of hits."""
    shape = (len(selectors), MINUTES)
    values = {
        "tps": np.full(shape, 1.0), "latency_p50": np.full(shape, USUAL_MS), "latency_p95": np.full(shape, 3 * USUAL_MS),
        "cache_hit_rate": np.full(shape, hits),
    }  # fmt: skip
    center = {name: transform(name, matrix) for name, matrix in values.items()}
    panel = Panel(selectors=selectors, start=MONDAY, calls=np.full(shape, 60.0), values=values)
    expected = Expected(center=center, flat=center, scale=center, calls=panel.calls)
    return panel, expected


def slowed(panel: Panel, factor: float, rows: list[int], minute: int = 2) -> Panel:
    values = {name: matrix.copy() for name, matrix in panel.values.items()}
    for name in ("latency_p50", "latency_p95"):
        values[name][rows, minute] *= factor
    return replace(panel, values=values)


@pytest.mark.parametrize(("factor", "left"), [(1.6, 1.0), (2.0, 1.0), (6.0, 3.0)])
def test_what_all_services_share_is_nobodys_own_up_to_a_factor_of_two(factor: float, left: float) -> None:
    panel, expected = usual()
    freed = without_common_slowdown(slowed(panel, factor, list(range(len(SELECTORS)))), expected)
    np.testing.assert_allclose(freed.values["latency_p50"][:, 2], left * USUAL_MS, rtol=0.01)
    np.testing.assert_array_equal(freed.values["latency_p50"][:, [0, 1, 3]], USUAL_MS)
    np.testing.assert_array_equal(freed.values["tps"], panel.values["tps"])


def test_one_slow_service_keeps_all_of_it() -> None:
    panel, expected = usual()
    freed = without_common_slowdown(slowed(panel, 4.0, [1]), expected)
    assert freed.values["latency_p95"][1, 2] == pytest.approx(12 * USUAL_MS, rel=0.01)


def test_that_all_are_faster_makes_nobody_slow() -> None:
    panel, expected = usual()
    freed = without_common_slowdown(slowed(panel, 0.5, list(range(1, 9))), expected)
    assert freed.values["latency_p50"][0, 2] == pytest.approx(USUAL_MS, rel=0.01)


def test_few_services_are_no_peers() -> None:
    panel, expected = usual((ALL_CALLS, *SERVICES[:5]))
    slow = slowed(panel, 1.6, list(range(6)))
    assert without_common_slowdown(slow, expected) is slow
    panel, expected = usual()
    unknown = slowed(panel, 1.6, list(range(len(SELECTORS))))
    unknown.values["latency_p50"][1:5, 2] = np.nan
    assert without_common_slowdown(unknown, expected).values["latency_p50"][0, 2] == pytest.approx(1.6 * USUAL_MS)


@pytest.mark.parametrize(("hits", "judged"), [(0.1, True), (0.5, False), (0.9, True)])
def test_medians_between_hit_and_miss_are_not_judged_where_calls_are_of_one_kind(hits: float, judged: bool) -> None:
    panel, expected = usual(hits=hits)
    kept = without_bimodal_medians(panel, expected).values
    known = dict(zip(SELECTORS, np.isfinite(kept["latency_p50"][:, 0]), strict=True))
    assert known == {one: judged or one in (ALL_CALLS, PROVIDER) for one in SELECTORS}
    assert np.isfinite(kept["latency_p95"]).all()
    assert np.isfinite(comparable(panel, expected).values["latency_p50"][1]).all() == judged
