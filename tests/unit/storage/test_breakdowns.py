from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.series import Selector
from storage.breakdowns import breakdown, read_breakdown, read_totals, single_calls_of
from storage.calls import insert_calls
from storage.contract import Store
from storage.distributions import read_quantiles
from storage.hours import refresh_hours
from storage.series import read_panel
from tests.unit.storage.batches import START, at, batch, is_near_order_statistic, pandas_metrics, rows_strategy
from tests.unit.storage.conftest import empty

HOUR = timedelta(hours=1)
END = START + 3 * HOUR
METRICS = ("tps", "error_rate", "cost_per_h", "peak_tps", "cache_hit_rate")
LEVELS = (0.1, 0.5, 0.99)

Rows = list[dict[str, Any]]


@given(rows=rows_strategy, by=st.sampled_from([(), ("service",), ("service", "route"), ("provider",)]))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hours_answer_like_the_rollups_and_totals_like_the_calls(store: Store, rows: Rows, by: tuple[str, ...]) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    panel = read_panel(store, START, END, 3600, by, METRICS)
    for hours in (False, True):
        if hours:
            refresh_hours(store, START, START + 2 * HOUR, (by,), 1)  # the last hour has not been made
        question = breakdown(store, START, END, 3600, METRICS, by=by)
        found = read_breakdown(store, question)[["ts", *by, "calls", *METRICS]]
        pd.testing.assert_frame_equal(found, panel[["ts", *by, "calls", *METRICS]], check_dtype=False)
        totals = read_totals(store, question, 3 * 3600)
        assert totals["calls"].sum() == len(rows)
        if rows:
            whole = pandas_metrics(rows, 3 * 3600, by).reset_index()
            by_name = totals.sort_values(list(by)) if by else totals
            assert by_name[list(by)].to_numpy().tolist() == whole[list(by)].to_numpy().tolist()
            for metric in METRICS:
                np.testing.assert_allclose(by_name[metric], whole[metric].astype(float), rtol=1e-6)


@pytest.mark.parametrize("dimension", ["service", "tenant"])
def test_distributions_are_those_of_the_calls(store: Store, dimension: str) -> None:
    """Of service and tenant from a rollup; with both and the region from the single calls."""
    rng = np.random.default_rng(3)
    rows = [
        {"ts": at(float(number * 20)), "service": "ab"[number % 2], "tenant": "t", "region": "eu", "latency_ms": float(value)}
        for number, value in enumerate(rng.lognormal(4, 1, 400))
    ]
    rows += [{"ts": at(10.0), "service": "silent", "tenant": "none"}]
    insert_calls(store, batch(rows))
    for selector in (Selector(), Selector.of(region="eu")):
        question = breakdown(store, START, END, 3600, ("latency_p95",), by=(dimension,), selector=selector, from_hours=False)
        assert (single_calls_of(store, question) > 0) is bool(selector.pairs)
        whole = read_quantiles(store, question, "latency_p95", LEVELS, over_time=False)
        names = sorted({str(row[dimension]) for row in rows if "latency_ms" in row})
        assert whole.rows[dimension].tolist() == names
        for place, name in enumerate(names):
            data = [float(str(row["latency_ms"])) for row in rows if row[dimension] == name and "latency_ms" in row]
            assert whole.rows["known"][place] == len(data)
            for level, value in zip(LEVELS, whole.values[place], strict=True):
                assert is_near_order_statistic(value, data, level)
        steps = read_quantiles(store, question, "latency_p95", LEVELS)
        assert steps.rows["known"].sum() == 400
        assert list(steps.rows.columns) == ["ts", dimension, "known"]


def test_only_the_named_combinations_come_back(store: Store) -> None:
    rows = [{"ts": at(n), "service": service, "route": route} for n in (1, 3700) for service in "ab" for route in ("/x", "/y")]
    insert_calls(store, batch(rows))
    refresh_hours(store, START, START + HOUR, (("route", "service"),), 1)
    among = (("a", "/y"), ("b", "/x"))
    question = breakdown(store, START, END, 3600, ("tps",), by=("service", "route"), among=among)
    assert question.hours_until_s is not None
    found = read_breakdown(store, question)
    assert sorted(set(zip(found["service"], found["route"], strict=True))) == sorted(among)
    assert found["calls"].tolist() == [1, 1, 1, 1]


def test_hours_that_begin_too_late_are_not_relied_upon(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(n * 3600.0), "service": "a"} for n in range(3)]))
    refresh_hours(store, START + HOUR, START + 2 * HOUR, (("service",),), 1)
    question = breakdown(store, START, END, 3600, ("tps",), by=("service",))
    assert question.hours_until_s is None
    assert read_totals(store, question, 10_800)["calls"].tolist() == [3]
