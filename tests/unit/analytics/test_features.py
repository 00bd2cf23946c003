"""Panels as matrices and the scales that metrics are judged on."""

from datetime import timedelta
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.features import BASELINE_METRICS, align, inverse, stack, to_panel, transform
from core.series import Selector
from tests.unit.analytics.builders import MINUTE, MONDAY

Unit = Literal["s", "ms", "ns"]


def frame(rows: list[tuple[int, str, int, float]], unit: Unit = "ms") -> pd.DataFrame:
    """Rows of (minute, service, calls, P95)."""
    ts = pd.DatetimeIndex([MONDAY + minute * MINUTE for minute, *_ in rows]).as_unit(unit)
    return pd.DataFrame(
        {
            "ts": ts,
            "service": [row[1] for row in rows],
            "calls": [row[2] for row in rows],
            "tps": [row[2] / 60 for row in rows],
            "latency_p95": [row[3] for row in rows],
        }
    )


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_a_sparse_frame_is_spread_over_its_minutes(unit: Unit) -> None:
    rows = frame(
        [(0, "chat", 6, 10.0), (2, "chat", 3, 30.0), (1, "api", 9, 5.0), (-1, "api", 1, 1.0), (3, "api", 1, 1.0)], unit
    )
    panel = to_panel(rows, ("service",), MONDAY, MONDAY + 3 * MINUTE, ("tps", "latency_p95"))
    assert panel.selectors == (Selector.of(service="api"), Selector.of(service="chat"))
    assert panel.calls.tolist() == [[0, 9, 0], [6, 0, 3]]
    assert panel.values["tps"].tolist() == [[0, 9 / 60, 0], [6 / 60, 0, 3 / 60]], "no call is a rate of nought"
    np.testing.assert_array_equal(panel.values["latency_p95"], [[np.nan, 5, np.nan], [10, np.nan, 30]])
    assert list(panel.times()) == [MONDAY, MONDAY + MINUTE, MONDAY + 2 * MINUTE]


def test_an_empty_value_is_no_selection_and_an_empty_frame_is_all_idle() -> None:
    panel = to_panel(frame([(0, "", 6, 10.0)]), ("service",), MONDAY, MONDAY + MINUTE, ("tps",))
    assert panel.selectors == ()
    whole = to_panel(frame([]), (), MONDAY, MONDAY + 2 * MINUTE, ("tps",))
    assert whole.selectors == (Selector(),)
    assert whole.calls.tolist() == [[0, 0]]


def test_several_dimensions_make_one_selector() -> None:
    rows = frame([(0, "chat", 6, 10.0), (0, "api", 1, 10.0), (1, "chat", 2, 1.0)]).assign(route=["/b", "/a", "/a"])
    panel = to_panel(rows, ("service", "route"), MONDAY, MONDAY + 2 * MINUTE, ("tps",))
    assert [str(selector) for selector in panel.selectors] == [
        'route="/a",service="api"',
        'route="/a",service="chat"',
        'route="/b",service="chat"',
    ]
    assert panel.calls.tolist() == [[1, 0], [0, 2], [6, 0]]


def test_panels_are_stacked_aligned_and_sliced() -> None:
    end = MONDAY + 2 * MINUTE
    services = to_panel(frame([(0, "chat", 6, 10.0)]), ("service",), MONDAY, end, ("tps",))
    whole = to_panel(frame([(0, "chat", 6, 10.0)]), (), MONDAY, end, ("tps",))
    both = stack([whole, services])
    wanted = (Selector.of(service="gone"), Selector.of(service="chat"))
    aligned = align(both, wanted)
    assert aligned.selectors == wanted
    assert aligned.calls.tolist() == [[0, 0], [6, 0]]
    assert aligned.slice(1, 2).start == MONDAY + MINUTE
    later = to_panel(frame([]), (), end, end + 2 * MINUTE, ("tps",))
    with pytest.raises(ValueError, match="same minutes"):
        stack([whole, later])


@given(st.sampled_from(BASELINE_METRICS), st.floats(0.0, 1.0))
def test_scales_are_invertible_and_rise(metric: str, part: float) -> None:
    top = 1.0 if metric.endswith("_rate") else 5e4
    value = np.array([part * top, part * top * 0.5])
    scaled = transform(metric, value)
    assert scaled[0] >= scaled[1]
    np.testing.assert_allclose(inverse(metric, scaled), value, rtol=1e-6, atol=1e-9 * top)


def test_unknown_stays_unknown_and_nothing_falls_below_nought() -> None:
    for metric in BASELINE_METRICS:
        assert np.isnan(transform(metric, np.array([np.nan]))).all()
        assert (inverse(metric, np.array([-5.0, 0.0])) >= 0).all()


def test_an_empty_span_has_no_minutes() -> None:
    assert to_panel(frame([]), (), MONDAY, MONDAY - timedelta(days=1), ("tps",)).minutes == 0
