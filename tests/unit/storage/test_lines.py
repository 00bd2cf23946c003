"""Several metrics at once are the same as one after the other, from minutes and from hours."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from core.series import METRICS, Selector
from core.types import SeriesRequest
from storage.breakdowns import busiest_values
from storage.calls import insert_calls
from storage.contract import Store
from storage.data_span import has_calls_of
from storage.hours import refresh_hours
from storage.lines import read_lines
from storage.series import read_series, top_values
from tests.unit.storage.batches import START, at, batch, rows_strategy
from tests.unit.storage.conftest import empty

HOUR = timedelta(hours=1)
END = START + 4 * HOUR
SHOWN = ("tps", "latency_p50", "latency_p99", "error_rate", "concurrency", "tokens_per_s", "cost_per_h", "peak_tps")
SERVICE = Selector.of(service="chat")


@given(rows=rows_strategy)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_equal_the_series(store: Store, rows: list[dict[str, Any]]) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    for step_s, made in ((60, False), (3600, False), (3600, True)):
        if made:
            refresh_hours(store, START, START + 2 * HOUR, ((), ("service",)), 1)  # later hours have not been made
        for selector in (Selector(), SERVICE):
            lines = read_lines(store, START, END, step_s, SHOWN, selector=selector)
            assert list(lines.columns) == ["ts", *SHOWN]
            for metric in SHOWN:
                asked = SeriesRequest(metric=metric, start=START, end=END, step_s=step_s, selector=selector)
                one = read_series(store, asked)[["ts", "value"]].rename(columns={"value": metric})
                pd.testing.assert_frame_equal(lines[["ts", metric]], one)


def test_long_steps_are_the_hours_which_the_job_has_made(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(60), "service": "chat"}, {"ts": at(4000), "service": "search"}]))
    refresh_hours(store, START, START + 2 * HOUR, ((),), 1)
    insert_calls(store, batch([{"ts": at(120), "service": "chat"}], 10))  # the job has not seen it
    lines = read_lines(store, START, START + 2 * HOUR, 7200, ("tps",))
    assert (lines["tps"] * 7200).round(6).tolist() == [2.0]
    with pytest.raises(ValueError, match="is no metric"):
        read_lines(store, START, END, 60, ("speed",))
    assert set(SHOWN) <= set(METRICS)


def test_the_busiest_values_are_the_same_from_hours_and_minutes(store: Store) -> None:
    names = ["b"] * 5 + ["a"] * 3 + ["c"] * 4 + [""] * 9
    insert_calls(store, batch([{"ts": at(10.0 + 600 * n), "service": name} for n, name in enumerate(names)]))
    for made in (False, True):
        if made:
            refresh_hours(store, START, START + 2 * HOUR, (("service",),), 1)
        assert busiest_values(store, "service", START, END, 2) == ["b", "c"] == top_values(store, "service", START, END, 2)


def test_whether_calls_of_an_origin_are_there(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(60), "topic": "import:past"}]))  # old calls of another origin retention takes at once
    assert has_calls_of(store, "import", START, END)
    assert not has_calls_of(store, "generated", START, END)
    assert not has_calls_of(store, "import", START + HOUR, END)
