from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from core.series import ALL_CALLS
from core.windows import CallWindow
from dashboards.comparing import level
from tests.unit.dashboards.builders import NOON


def window(**changed: Any) -> CallWindow:
    one = {name: np.array([0.0, 0.0]) for name in ("known", "errors", "rate_limited", "tokens_known", "cost_usd", "priced")}
    values: dict[str, Any] = {
        "name": "calm",
        "made_at": NOON,
        "who": "ann",
        "start": NOON,
        "end": NOON + timedelta(seconds=100),
        "selector": ALL_CALLS,
        "transaction": "",
        "version": "",
        "calls": np.array([120.0, 80.0]),
        "tokens": np.array([500.0, 500.0]),
        "latency_ms": np.array([100.0, 300.0]),
        "latency_calls": np.array([[90.0, 10.0], [90.0, 10.0]]),
    }
    return CallWindow(**{**one, **values, **changed})


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("tps", 2.0), ("concurrency", 0.24), ("latency_p95", 300.0), ("error_rate", 0.05), ("cost_per_h", 72.0)],
)
def test_a_kept_window_has_one_level_of_each_metric(metric: str, expected: float) -> None:
    kept = window(
        known=np.array([100.0, 100.0]), errors=np.array([10.0, 0.0]), cost_usd=np.array([1.0, 1.0]), priced=np.ones(2)
    )
    assert level(kept, metric) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["error_rate", "cost_per_h", "tokens_per_s", "ttft_p95"])
def test_what_was_not_known_then_is_not_drawn(metric: str) -> None:
    assert np.isnan(level(window(), metric))


def test_a_window_without_a_call_has_no_latency() -> None:
    nothing = window(calls=np.zeros(2), latency_ms=np.array([]), latency_calls=np.zeros((2, 0)))
    assert np.isnan(level(nothing, "latency_p95"))
    assert level(nothing, "tps") == 0.0
