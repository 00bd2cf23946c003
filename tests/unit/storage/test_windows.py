from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.series import METRICS, Selector
from storage.calls import insert_calls
from storage.contract import Store
from storage.windows import read_windows
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

MINUTE = timedelta(minutes=1)


def windows(store: Store, metric: str, first: int, last: int, width: int = 1, **more: Any) -> pd.DataFrame:
    return read_windows(store, metric, at(60 * first), at(60 * last), width * MINUTE, **more)


def values(frame: pd.DataFrame) -> list[float | None]:
    return [None if np.isnan(value) else value for value in frame["value"]]


def within(rows: Sequence[Mapping[str, Any]], end: int, width: int) -> list[dict[str, Any]]:
    """The rows of the window before minute `end`, moved to begin at START."""
    start = at(60 * (end - width))
    return [{**row, "ts": START + (row["ts"] - start)} for row in rows if start <= row["ts"] < at(60 * end)]


METRIC_NAMES = sorted(set(METRICS) - set(LEVELS) - {"upstream_p95", "gateway_overhead_p95", "ttft_p95"})


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=rows_strategy,
    width=st.sampled_from([1, 2, 5, 60]),
    by=st.sampled_from([(), ("service",), ("service", "provider"), ("tenant", "model")]),
    metric=st.sampled_from(METRIC_NAMES),
    end=st.integers(1, 185),
)
def test_a_window_is_what_pandas_says_of_its_calls(
    store: Store, rows: list[dict[str, Any]], width: int, by: tuple[str, ...], metric: str, end: int
) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    found = windows(store, metric, end - 3, end + 3, width, by=by)
    last = found[found["end"] == at(60 * end)].set_index(list(by) or "end")
    inside = within(rows, end, width)
    expected = pandas_metrics(inside, 60 * width, by) if inside else pd.DataFrame()
    known = {row["ts"] for row in rows}
    whole = (
        bool(known)
        and at(60 * (end - width)) >= min(known).replace(second=0, microsecond=0)
        and (at(60 * (end - 1)) <= max(known))
    )
    for key, row in last.iterrows():
        keys = key if isinstance(key, tuple) else (key,)
        matching = expected.xs(keys, level=list(range(len(by)))) if by and len(expected) else expected
        if len(matching):
            (calls, value) = matching.iloc[0][["calls", metric]]
        else:
            calls, value = 0, np.nan
        assert row["calls"] == calls
        if METRICS[metric].zero_when_idle and not whole:
            assert np.isnan(row["value"])
        elif calls:
            np.testing.assert_allclose(row["value"], value, rtol=1e-5, atol=1e-9)
        else:
            assert np.isnan(row["value"]) or row["value"] == 0.0


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_strategy, width=st.sampled_from([1, 5, 30]), end=st.integers(1, 180), metric=st.sampled_from(sorted(LEVELS)))
def test_percentiles_are_those_of_all_calls_of_the_window(
    store: Store, rows: list[dict[str, Any]], width: int, end: int, metric: str
) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    found = windows(store, metric, end, end, width)
    latencies = [row["latency_ms"] for row in within(rows, end, width) if row["latency_ms"] is not None]
    assert is_near_order_statistic(float(found["value"].iloc[0]), latencies, LEVELS[metric])


def test_windows_slide_by_a_minute_and_overlap(store: Store) -> None:
    insert_calls(store, batch([minute_row(minute, status=200) for minute in range(10) for _ in range(6 * minute)]))
    found = windows(store, "tps", 2, 10, 2)
    assert list(found["end"]) == [at(60 * end) for end in range(2, 11)]
    assert values(found) == pytest.approx([None, *((6 * (end - 1) + 6 * (end - 2)) / 120 for end in range(3, 11))])
    assert list(found["calls"]) == [6 * (end - 1) + 6 * (end - 2) for end in range(2, 11)]


def test_a_rate_is_zero_in_an_idle_window_between_known_ones_and_unknown_beyond(store: Store) -> None:
    insert_calls(store, batch([minute_row(1, service="a"), minute_row(2, service="b"), minute_row(4, service="a")]))
    found = windows(store, "tps", 1, 7, by=("service",))
    tps = 1 / 60
    assert values(found[found["service"] == "a"]) == pytest.approx([None, tps, 0.0, 0.0, tps, None, None])
    assert values(found[found["service"] == "b"]) == pytest.approx([None, 0.0, tps, 0.0, 0.0, None, None])
    assert values(windows(store, "error_rate", 3, 4)) == [None, None]
    assert values(windows(store, "tokens_per_s", 1, 5, by=("service",))) == [None] * 10, "never reported is not zero"


def test_the_second_rollup_tells_peaks(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(seconds)} for seconds in (0, 0.5, 1, 65, 65.1, 65.2, 130)]))
    assert values(windows(store, "peak_tps", 1, 3)) == [2.0, 3.0, 1.0]
    assert values(windows(store, "peak_tps", 2, 3, 2)) == [3.0, 3.0]


def test_a_selector_and_dimensions_of_no_rollup_are_answered_from_the_calls(store: Store) -> None:
    insert_calls(
        store,
        batch([minute_row(0, region=region, tenant="t", status=status) for region in "ab" for status in (200, 200, 503, 200)]),
    )
    found = windows(store, "error_rate", 1, 1, selector=Selector.of(region="a"), by=("tenant",))
    assert (list(found["tenant"]), values(found)) == (["t"], [0.25])


def test_without_calls_there_is_one_unknown_series_or_none(store: Store) -> None:
    assert values(windows(store, "tps", 1, 2)) == [None, None]
    assert list(windows(store, "tps", 1, 2, by=("service",)).columns) == ["end", "service", "value", "calls"]
    assert len(windows(store, "tps", 1, 2, by=("service",))) == 0


@pytest.mark.parametrize("given_window", [timedelta(0), timedelta(seconds=90), -MINUTE])
def test_windows_are_whole_minutes(store: Store, given_window: timedelta) -> None:
    with pytest.raises(ValueError, match="whole number of minutes"):
        read_windows(store, "tps", START, START, given_window)


def test_unknown_names_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no metric"):
        windows(store, "nope", 1, 2)
    with pytest.raises(ValueError, match="no dimension"):
        windows(store, "tps", 1, 2, by=("nope",))
