import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core.series import METRICS, Selector
from core.types import SeriesRequest
from storage.calls import insert_calls
from storage.contract import Store
from storage.series import data_span, latest_minute, read_panel, read_series, top_values
from tests.unit.storage.batches import (
    LEVELS,
    START,
    at,
    batch,
    is_near_order_statistic,
    minute_row,
    pandas_metrics,
    rows_strategy,
)
from tests.unit.storage.conftest import empty

HOURS_3 = timedelta(hours=3)
PROPERTY = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ALL_METRICS = tuple(METRICS)
Rows = list[dict[str, Any]]


def _request(metric: str, step_s: int, end: datetime = START + HOURS_3, **more: Any) -> SeriesRequest:
    return SeriesRequest(metric=metric, start=more.pop("start", START), end=end, step_s=step_s, **more)


@given(
    rows=rows_strategy, step_s=st.sampled_from([60, 300, 3600]), by=st.sampled_from([(), ("service",), ("tenant", "service")])
)
@PROPERTY
def test_a_panel_equals_pandas(store: Store, rows: Rows, step_s: int, by: tuple[str, ...]) -> None:
    assume(rows)
    empty(store)
    insert_calls(store, batch(rows))
    panel = read_panel(store, START, START + HOURS_3, step_s, by, ALL_METRICS)
    assert list(panel.columns) == ["ts", *by, "calls", *ALL_METRICS]
    expected = pandas_metrics(rows, step_s, by).reset_index()
    pd.testing.assert_frame_equal(panel[["ts", *by]], expected[["ts", *by]].astype(dict.fromkeys(by, "str")))
    for name in expected.columns.drop(["ts", *by]):
        np.testing.assert_allclose(panel[name].to_numpy("float64"), expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


@given(rows=rows_strategy, step_s=st.sampled_from([60, 3600]))
@PROPERTY
def test_percentiles_are_within_one_percent_of_an_order_statistic(store: Store, rows: Rows, step_s: int) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    panel = read_panel(store, START, START + HOURS_3, step_s, (), ALL_METRICS)
    for step in panel.to_dict("records"):
        inside = [row for row in rows if step["ts"] <= row["ts"] < step["ts"] + timedelta(seconds=step_s)]
        known = {
            name: [row[name] for row in inside if row[name] is not None] for name in ("latency_ms", "upstream_ms", "ttft_ms")
        }
        both = [row for row in inside if row["latency_ms"] is not None and row["upstream_ms"] is not None]
        overhead = [max(row["latency_ms"] - row["upstream_ms"], 0.0) for row in both]
        for name, level in LEVELS.items():
            assert is_near_order_statistic(step[name], known["latency_ms"], level), name
        assert is_near_order_statistic(step["upstream_p95"], known["upstream_ms"], 0.95)
        assert is_near_order_statistic(step["ttft_p95"], known["ttft_ms"], 0.95)
        assert is_near_order_statistic(step["gateway_overhead_p95"], overhead, 0.95)


@given(rows=rows_strategy)
@PROPERTY
def test_single_calls_answer_as_the_rollups_do(store: Store, rows: Rows) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    for by in (("service",), ("service", "route"), ("provider", "service"), ("tenant",)):
        from_rollup = read_panel(store, START, START + HOURS_3, 300, by, ALL_METRICS)
        from_calls = read_panel(store, START, START + HOURS_3, 300, (*by, "region"), ALL_METRICS)  # no rollup has regions
        pd.testing.assert_frame_equal(from_rollup, from_calls.drop(columns="region"))


@given(rows=rows_strategy, cuts=st.lists(st.integers(0, 60), max_size=4))
@PROPERTY
def test_any_split_into_inserts_gives_the_same_rollups(store: Store, rows: Rows, cuts: list[int]) -> None:
    def panels() -> list[pd.DataFrame]:
        return [
            read_panel(store, START, START + HOURS_3, step_s, by, metrics)
            for step_s, by, metrics in (
                (60, ("service", "route"), ALL_METRICS),
                (60, ("model", "provider"), ALL_METRICS),
                (60, ("tenant",), ALL_METRICS),
                (1, ("route",), ("tps", "error_rate", "concurrency")),
            )
        ]

    empty(store)
    insert_calls(store, batch(rows))
    whole = panels()
    empty(store)
    places = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    for first, last in itertools.pairwise(places):
        insert_calls(store, batch(rows[first:last], first))
    for one, other in zip(whole, panels(), strict=True):
        pd.testing.assert_frame_equal(one, other)


@given(rows=rows_strategy, by=st.sampled_from([(), ("service",)]), step_s=st.sampled_from([1, 30, 60, 3600]))
@PROPERTY
def test_a_series_has_every_step_and_the_panels_values(store: Store, rows: Rows, by: tuple[str, ...], step_s: int) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    metric = "error_rate"
    series = read_series(store, _request(metric, step_s, by=by))
    panel = read_panel(store, START, START + HOURS_3, step_s, by, (metric,))
    labels = panel[list(by)].drop_duplicates() if by else pd.DataFrame(index=[0])
    assert len(series) == len(labels) * 3 * 3600 // step_s
    assert series["calls"].sum() == len(rows)
    seen = series[series["calls"] > 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(seen.rename(columns={"value": metric})[list(panel.columns)], panel)
    assert series.loc[series["calls"] == 0, "value"].isna().all()


def test_idle_steps_are_zero_for_rates_only_inside_the_data(store: Store) -> None:
    insert_calls(store, batch([minute_row(10, latency_ms=5.0), minute_row(13, latency_ms=5.0)]))
    rate = read_series(store, _request("tps", 60, start=at(8 * 60), end=at(16 * 60)))
    level = read_series(store, _request("latency_p50", 60, start=at(8 * 60), end=at(16 * 60)))
    np.testing.assert_array_equal(rate["value"] * 60, [np.nan, np.nan, 1, 0, 0, 1, np.nan, np.nan])
    np.testing.assert_array_equal(np.isfinite(level["value"]), [False, False, True, False, False, True, False, False])
    assert list(rate["calls"]) == [0, 0, 1, 0, 0, 1, 0, 0]
    assert {name: str(dtype) for name, dtype in rate.dtypes.items()} == {
        "ts": "datetime64[ms, UTC]",
        "value": "float64",
        "calls": "int64",
    }


def test_a_selection_that_is_silent_in_the_span_is_zero_not_missing(store: Store) -> None:
    insert_calls(store, batch([minute_row(minute, service="chat") for minute in range(10)] + [minute_row(0, service="gone")]))
    gone = read_series(store, _request("tps", 60, start=at(300), end=at(600), selector=Selector.of(service="gone")))
    assert list(gone["value"]) == [0.0] * 5
    split = read_series(store, _request("tps", 60, start=at(300), end=at(600), by=("service",)))
    assert set(split["service"]) == {"chat"}  # only what occurs in the span


def test_what_calls_never_report_is_not_zero_in_idle_steps(store: Store) -> None:
    insert_calls(
        store,
        batch(
            [
                *(minute_row(minute, service="api") for minute in (0, 2)),
                *(minute_row(minute, service="llm", prompt_tokens=60) for minute in (0, 2)),
            ]
        ),
    )
    series = read_series(store, _request("tokens_per_s", 60, end=at(180), by=("service",)))
    assert series.loc[series["service"] == "api", "value"].isna().all()
    assert list(series.loc[series["service"] == "llm", "value"]) == [1.0, 0.0, 1.0]


def test_a_timeout_without_status_counts_in_the_error_rate(store: Store) -> None:
    insert_calls(
        store,
        batch(
            [
                *(minute_row(0, service="gw", route="/r", status=200) for _ in range(3)),
                minute_row(0, service="gw", route="/r", error_type="timeout"),
                minute_row(0, service="gw", route="/r"),  # nothing is known of how it went
            ]
        ),
    )
    for step_s in (1, 60):
        value = read_series(store, _request("error_rate", step_s, end=at(60)))["value"]
        assert value[0] == 0.25


def test_an_unaligned_span_has_its_first_step_whole_and_nothing_after_its_end(store: Store) -> None:
    insert_calls(store, batch([minute_row(minute) for minute in range(20)]))
    series = read_series(store, _request("tps", 300, start=at(7 * 60 + 30), end=at(12 * 60)))
    assert list(series["ts"]) == [at(300), at(600)]
    assert list(series["calls"]) == [5, 2]


def test_selectors_and_odd_values(store: Store) -> None:
    odd = 'it\'s \\ "odd" {x:String} ☃'
    insert_calls(store, batch([minute_row(0, service=odd, route="/a"), minute_row(0, service=odd), minute_row(0)]))
    series = read_series(store, _request("tps", 60, end=at(60), selector=Selector.of(service=odd), by=("service", "route")))
    assert list(zip(series["service"], series["route"], series["calls"], strict=True)) == [(odd, "", 1), (odd, "/a", 1)]


def test_peaks_come_from_the_second_rollup_and_else_from_calls(store: Store) -> None:
    burst = [{"ts": at(0.1 * n), "route": "/a", "tenant": "t"} for n in range(7)]
    insert_calls(store, batch([*burst, *({"ts": at(30 + n), "route": "/b", "tenant": "t"} for n in range(20))]))
    for more in ({}, {"selector": Selector.of(tenant="t")}, {"by": ("region",)}):
        assert list(read_series(store, _request("peak_tps", 60, end=at(60), **more))["value"]) == [7.0]
    by_route = read_series(store, _request("peak_tps", 60, end=at(60), by=("route",)))
    assert list(zip(by_route["route"], by_route["value"], strict=True)) == [("/a", 7.0), ("/b", 1.0)]


def test_peaks_that_the_second_rollup_has_lost_come_from_calls(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(0.1 * n)} for n in range(7)]))
    store.command("TRUNCATE TABLE calls_1s")
    assert list(read_series(store, _request("peak_tps", 60, end=at(60)))["value"]) == [7.0]
    assert list(read_series(store, _request("tps", 10, end=at(20)))["value"]) == [0.7, 0.0]
    store.command("TRUNCATE TABLE calls")
    lost = read_series(store, _request("peak_tps", 60, end=at(60)))
    assert lost["value"].isna().all()
    assert list(lost["calls"]) == [7]


def test_days_that_retention_took_are_unknown_and_not_idle(store: Store) -> None:
    two_days = [minute_row(minute, region="eu") for minute in (1438, 1441, 1443)]
    insert_calls(store, batch(two_days))
    store.command(f"ALTER TABLE calls DROP PARTITION '{START:%Y%m%d}'")
    end = at(1444 * 60)
    from_calls = read_series(store, _request("tps", 60, start=at(1437 * 60), end=end, selector=Selector.of(region="eu")))
    np.testing.assert_array_equal(from_calls["value"] * 60, [np.nan, np.nan, np.nan, 0, 1, 0, 1])
    from_rollup = read_series(store, _request("tps", 60, start=at(1437 * 60), end=end))
    np.testing.assert_array_equal(from_rollup["value"] * 60, [np.nan, 1, 0, 0, 1, 0, 1])


def test_top_values_are_the_busiest_and_known(store: Store) -> None:
    counts = {"/a": 3, "/b": 5, "/c": 1, "": 9}
    insert_calls(store, batch([minute_row(0, route=route, region=route) for route, n in counts.items() for _ in range(n)]))
    insert_calls(store, batch([minute_row(90, route="/later") for _ in range(20)]))
    for dimension in ("route", "region"):
        assert top_values(store, dimension, START, at(3600), 2) == ["/b", "/a"]
    with pytest.raises(ValueError, match="'status' is no dimension"):
        top_values(store, "status", START, at(3600), 2)


def test_the_span_of_the_data(store: Store) -> None:
    assert data_span(store) is None
    assert latest_minute(store) is None
    insert_calls(store, batch([{"ts": at(59.999)}, {"ts": at(3601)}]))
    assert data_span(store) == (at(0), at(3600))
    assert latest_minute(store) == at(3600)


@pytest.mark.parametrize("by", [(), ("service",)])
def test_no_data_is_no_error(store: Store, by: tuple[str, ...]) -> None:
    for metric in ALL_METRICS:
        series = read_series(store, _request(metric, 3600, by=by))
        assert list(series.columns) == ["ts", *by, "value", "calls"]
        assert len(series) == (0 if by else 3)
        assert series["value"].isna().all()
    panel = read_panel(store, START, START + HOURS_3, 60, by, ALL_METRICS)
    assert list(panel.columns) == ["ts", *by, "calls", *ALL_METRICS]
    assert panel.empty
    assert str(panel["ts"].dtype) == "datetime64[ms, UTC]"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (_request("tpm", 60), "'tpm' is no metric"),
        (_request("tps", 0), "a step of 0 s is too short"),
        (_request("tps", 60, by=("status",)), "'status' is no dimension"),
        (_request("tps", 60, selector=Selector((("status; DROP", "1"),))), "is no dimension"),
        (_request("tps", 1, end=START + timedelta(days=100)), "points are too many"),
        (_request("tps", 60, start=datetime(2026, 1, 1)), "has no time zone"),  # noqa: DTZ001
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_words(store: Store, request_: SeriesRequest, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_series(store, request_)


def test_an_empty_or_reversed_span_has_no_steps(store: Store) -> None:
    insert_calls(store, batch([minute_row(0)]))
    assert read_series(store, _request("tps", 60, end=START)).empty
    assert read_series(store, _request("tps", 60, end=START - timedelta(hours=1))).empty
    assert read_panel(store, START, START - timedelta(hours=1), 60, (), ("tps",)).empty


def test_live_calls_of_now_are_in_the_last_minute(store: Store) -> None:
    now = datetime.now(UTC)
    insert_calls(store, batch([{"ts": now, "topic": "gateway-calls"}]))
    minute = now.replace(second=0, microsecond=0)
    series = read_series(store, _request("tps", 60, start=minute, end=now + timedelta(milliseconds=1)))
    assert list(series["calls"]) == [1]
