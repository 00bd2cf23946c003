from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.series import METRICS, Selector
from core.types import SeriesRequest
from storage.calls import insert_calls
from storage.contract import Store
from storage.hours import insert_hours, read_hours, read_hours_by, refresh_hours
from storage.series import read_panel, read_series
from tests.unit.storage.batches import START, at, batch, rows_strategy
from tests.unit.storage.conftest import empty

HOUR = timedelta(hours=1)
SCOPES: tuple[tuple[str, ...], ...] = ((), ("service",), ("service", "provider"), ("tenant", "provider"), ("region",))
Rows = list[dict[str, Any]]


def _given(hours: int, first: int = 0, **columns: Any) -> pd.DataFrame:
    """Hours of all traffic as an import of history has them, 360 calls each."""
    frame = pd.DataFrame({"hour": [START + (first + n) * HOUR for n in range(hours)], "scope": "global", "selector": ""})
    return frame.assign(calls=360, **columns)


def _series(store: Store, metric: str, hours: int, step_s: int = 3600, **more: Any) -> pd.DataFrame:
    request = SeriesRequest(metric=metric, start=START, end=START + hours * HOUR, step_s=step_s, **more)
    return read_series(store, request)


@given(rows=rows_strategy, metrics=st.lists(st.sampled_from(sorted(METRICS)), min_size=4, max_size=8, unique=True))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hours_equal_the_rollups_they_are_made_from(store: Store, rows: Rows, metrics: list[str]) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    written = refresh_hours(store, START, START + 3 * HOUR, SCOPES, 1)
    expected_rows = 0
    for scope in SCOPES:
        panel = read_panel(store, START, START + 3 * HOUR, 3600, scope, tuple(metrics))
        expected_rows += len(panel)
        for metric in metrics:
            hours = read_hours_by(store, metric, START, START + 3 * HOUR, scope)
            assert list(hours.columns) == ["ts", *scope, "value", "calls"]
            pd.testing.assert_frame_equal(
                hours.rename(columns={"value": metric})[["ts", *scope, "calls", metric]], panel[["ts", *scope, "calls", metric]]
            )
    assert written == expected_rows


def test_only_whole_hours_are_made_and_made_again_after_late_data(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(60)}, {"ts": at(3700)}]))
    assert refresh_hours(store, START + timedelta(minutes=30), START + 1.5 * HOUR, ((),), 1) == 1
    assert list(read_hours(store, "tps", START, START + 3 * HOUR)["calls"]) == [1]
    insert_calls(store, batch([{"ts": at(120)}]))  # late
    assert refresh_hours(store, START, START + 2 * HOUR, ((),), 1) == 2
    assert list(read_hours(store, "tps", START, START + 3 * HOUR)["calls"]) == [2, 1]


def test_an_ousted_process_loses_also_after_a_merge(store: Store) -> None:
    insert_hours(store, _given(2), origin="live", epoch=2)
    insert_hours(store, _given(2).assign(calls=1), origin="live", epoch=1)
    assert list(read_hours(store, "tps", START, START + 2 * HOUR)["calls"]) == [360, 360]
    store.command("OPTIMIZE TABLE hours FINAL")
    assert list(read_hours(store, "tps", START, START + 2 * HOUR)["calls"]) == [360, 360]


def test_hours_of_one_selection_have_no_gaps(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(hour * 3600), "service": "a", "latency_ms": 8.0} for hour in (1, 4)]))
    insert_calls(store, batch([{"ts": at(hour * 3600), "service": "b"} for hour in (0, 6)]))
    refresh_hours(store, START, START + 8 * HOUR, (("service",),), 1)
    rate = read_hours(store, "tps", START, START + 24 * HOUR, Selector.of(service="a"))
    assert list(rate["ts"]) == [START + n * HOUR for n in range(7)]
    assert list(rate["value"] * 3600) == [0, 1, 0, 0, 1, 0, 0]
    level = read_hours(store, "latency_p99", START, START + 24 * HOUR, Selector.of(service="a"))
    np.testing.assert_array_equal(level["value"], [np.nan, 8, np.nan, np.nan, 8, np.nan, np.nan])
    assert {name: str(dtype) for name, dtype in rate.dtypes.items()} == {
        "ts": "datetime64[ms, UTC]",
        "value": "float64",
        "calls": "int64",
    }


def test_odd_values_pass_through_the_canonical_text(store: Store) -> None:
    odd = 'a "b", c\\d=\\"'
    insert_calls(store, batch([{"ts": at(0), "service": odd, "provider": "p"}, {"ts": at(0), "service": "", "provider": "p"}]))
    refresh_hours(store, START, START + HOUR, (("provider", "service"), ("service",)), 1)
    assert list(read_hours_by(store, "tps", START, START + HOUR, ("service", "provider"))["service"]) == ["", odd]
    assert list(read_hours(store, "tps", START, START + HOUR, Selector.of(service=odd))["calls"]) == [1]


def test_hours_of_a_scope_that_was_not_made_are_empty(store: Store) -> None:
    insert_hours(store, _given(3), origin="generated", epoch=1)
    assert read_hours_by(store, "tps", START, START + HOUR, ("service",)).empty
    assert read_hours(store, "tps", START, START + HOUR, Selector.of(service="a")).empty


def test_given_hours_with_unknown_levels(store: Store) -> None:
    insert_hours(
        store, _given(2, peak_tps=[3.0, np.nan], latency_known=360, latency_p95=[np.nan, 7.0]), origin="import", epoch=1
    )
    np.testing.assert_array_equal(read_hours(store, "peak_tps", START, START + 2 * HOUR)["value"], [3.0, np.nan])
    np.testing.assert_array_equal(read_hours(store, "latency_p95", START, START + 2 * HOUR)["value"], [np.nan, 7.0])
    assert read_hours(store, "error_rate", START, START + 2 * HOUR)["value"].isna().all()
    with pytest.raises(ValueError, match="no column 'tps'"):
        insert_hours(store, _given(1, tps=0.1), origin="import", epoch=1)


def test_a_series_goes_on_with_hours_where_the_minutes_end(store: Store) -> None:
    insert_hours(store, _given(5, peak_tps=2.0), origin="generated", epoch=1)
    insert_calls(store, batch([{"ts": at(4 * 3600 + n)} for n in range(720)] + [{"ts": at(6 * 3600)}]))
    tps = _series(store, "tps", 8)
    np.testing.assert_allclose(tps["value"], [0.1, 0.1, 0.1, 0.1, 0.2, 0.0, 1 / 3600, np.nan])
    assert list(_series(store, "peak_tps", 5)["value"]) == [2.0, 2.0, 2.0, 2.0, 1.0]
    panel = read_panel(store, START, START + 8 * HOUR, 3600, (), ("tps",))
    assert list(panel["calls"]) == [360, 360, 360, 360, 720, 1]
    minutes = _series(store, "tps", 5, step_s=60)
    assert minutes["value"].notna().sum() == 60  # hours say nothing of minutes


def test_of_two_sources_the_one_that_saw_more_calls_holds(store: Store) -> None:
    insert_hours(store, _given(2, latency_p95=100.0), origin="live", epoch=1)
    few = [{"ts": at(n), "latency_ms": 5.0} for n in range(10)]  # retention took the rest of this hour
    insert_calls(store, batch(few + [{"ts": at(3600 + n), "latency_ms": 5.0} for n in range(400)]))
    series = _series(store, "latency_p95", 2)
    assert list(series["calls"]) == [360, 400]
    np.testing.assert_allclose(series["value"], [100.0, 5.0], rtol=0.01)


def test_longer_steps_of_hours_sum_and_average(store: Store) -> None:
    hours = _given(4).assign(peak_tps=[1.0, 9.0, np.nan, np.nan], latency_p95=[100.0, 200.0, np.nan, np.nan])
    insert_hours(store, hours.assign(calls=[300, 100, 50, 50]), origin="import", epoch=1)
    assert list(_series(store, "tps", 4, 7200)["value"] * 7200) == [400, 100]
    np.testing.assert_array_equal(_series(store, "peak_tps", 4, 7200)["value"], [9.0, np.nan])
    np.testing.assert_allclose(_series(store, "latency_p95", 4, 7200)["value"], [125.0, np.nan])


def test_an_hour_that_the_span_cuts_is_not_taken_from_hours(store: Store) -> None:
    insert_hours(store, _given(3), origin="import", epoch=1)
    request = SeriesRequest(metric="tps", start=START, end=START + 1.5 * HOUR, step_s=3600)
    assert list(read_series(store, request)["calls"]) == [360, 0]


def test_idle_hours_before_the_minutes_are_unknown_without_their_scope(store: Store) -> None:
    insert_hours(store, _given(5), origin="generated", epoch=1)
    insert_calls(store, batch([{"ts": at(5 * 3600), "service": "a"}]))
    value = _series(store, "tps", 6, selector=Selector.of(service="a"))["value"]
    np.testing.assert_array_equal(value * 3600, [np.nan] * 5 + [1])


def test_a_split_series_takes_its_labels_from_the_hours(store: Store) -> None:
    frame = _given(2).assign(scope="provider,service", selector=str(Selector.of(service="a", provider='"x"')))
    insert_hours(store, frame, origin="import", epoch=1)
    series = _series(store, "tps", 2, selector=Selector.of(provider='"x"'), by=("service",))
    assert list(zip(series["service"], series["calls"], strict=True)) == [("a", 360), ("a", 360)]
    assert _series(store, "tps", 2, selector=Selector.of(provider="x"), by=("service",)).empty
