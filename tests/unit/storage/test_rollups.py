import numpy as np
import pytest

from core.series import METRICS
from storage.rollups import CALLS, CALLS_1S, FORMULAS, MODEL_1M, ROLLUPS, ROUTE_1M, TENANT_1M, Rollup, formula, needed, pick


def test_every_metric_has_a_formula() -> None:
    assert FORMULAS.keys() == METRICS.keys()
    with pytest.raises(ValueError, match="'tpm' is no metric; choose from tps"):
        formula("tpm")


@pytest.mark.parametrize(
    ("dimensions", "metric", "step_s", "expected"),
    [
        ((), "tps", 60, MODEL_1M),
        (("service",), "latency_p95", 3600, MODEL_1M),
        (("service", "route"), "latency_p95", 60, ROUTE_1M),
        (("tenant",), "error_rate", 60, TENANT_1M),
        (("tenant", "provider"), "tps", 60, CALLS),
        (("region",), "tps", 60, CALLS),
        (("route",), "error_rate", 1, CALLS_1S),
        (("route",), "tps", 90, CALLS_1S),
        (("provider",), "tps", 10, CALLS),
        (("route",), "latency_p95", 10, CALLS),
    ],
)
def test_the_smallest_table_that_can_answer_is_picked(
    dimensions: tuple[str, ...], metric: str, step_s: int, expected: Rollup
) -> None:
    assert pick(dimensions, needed([metric]), step_s) is expected


@pytest.mark.parametrize("rollup", ROLLUPS, ids=lambda rollup: rollup.table)
def test_every_column_has_an_expression(rollup: Rollup) -> None:
    for name in rollup.columns:
        assert "t." in rollup.column(name) or rollup.column(name) == "count()"


def test_columns_are_named_once_and_peaks_are_read_on_their_own() -> None:
    assert needed(["tps", "peak_tps", "error_rate", "cost_per_h"]) == (
        "calls",
        "errors",
        "status_known",
        "cost_usd",
        "unpriced",
    )


@pytest.mark.parametrize("metric", [name for name, metric in FORMULAS.items() if len(metric.needs) > 1])
def test_a_step_of_which_nothing_is_known_is_nan_and_not_zero(metric: str) -> None:
    nothing_known = {name: np.zeros(2) for name in FORMULAS[metric].needs}
    nothing_known |= {"calls": np.full(2, 7.0), "unpriced": np.full(2, 7.0)}
    assert np.isnan(FORMULAS[metric].value(nothing_known, 60)).all()
