from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from core.record import CALL_SCHEMA
from core.series import Selector
from storage.call_pages import CallQuestion, key_of_last, key_of_row, read_call, read_newest_page, read_slowest_page
from storage.calls import count_by, count_calls, insert_calls, read_calls, span_of_calls
from storage.contract import Store
from tests.unit.storage.batches import START, at, batch, rows_strategy
from tests.unit.storage.conftest import empty

DAY = timedelta(days=1)
DAYS = CallQuestion(start=START, end=START + timedelta(days=3))
FULL = {
    "ts": at(1.234),
    "request_id": "r-1",
    "trace_id": "t\x00'\\1",
    "gateway": "gw",
    "region": "eu",
    "tenant": "té☃",
    "service": "chat",
    "route": "/users/{id}",
    "method": "POST",
    "kind": "llm",
    "provider": "openai",
    "account": "a",
    "upstream": "u",
    "requested_model": "m",
    "model": "m-1",
    "error_type": "",
    "status": 200,
    "latency_ms": 12.5,
    "upstream_ms": 10.25,
    "first_byte_ms": 1.5,
    "ttft_ms": 2.0,
    "bytes_in": 2**40,
    "bytes_out": 0,
    "prompt_tokens": 2**32 - 1,
    "completion_tokens": 0,
    "cached_tokens": 1,
    "cache_write_tokens": 2,
    "reasoning_tokens": 3,
    "cost_usd": 0.001,
    "cache_hit": True,
    "stream": False,
    "fallback": None,
    "retries": 255,
    "prompt_hash": 2**64 - 1,
    "attributes": [("k", "v"), ('q"', "")],
}


def test_a_call_comes_back_as_it_was(store: Store) -> None:
    written = batch([FULL, {"ts": at(2)}])
    insert_calls(store, written)
    read = read_calls(store, START, START + DAY)
    assert read.schema == CALL_SCHEMA
    assert read.to_pylist() == written.to_pylist()


def test_nothing_is_an_empty_table_of_the_schema(store: Store) -> None:
    insert_calls(store, batch([]))
    read = read_calls(store, START, START + DAY)
    assert read.schema == CALL_SCHEMA
    assert read.num_rows == 0
    assert span_of_calls(store) is None
    assert count_calls(store) == 0


def test_calls_come_in_order_of_time_up_to_the_limit(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(second)} for second in (5, 1, 4, 2, 3)]))
    read = read_calls(store, at(2), at(5), limit=2)
    assert read.column("ts").to_pylist() == [at(2), at(3)]
    assert span_of_calls(store) == (at(1), at(5))


def test_a_repeat_under_the_same_token_writes_nothing(store: Store) -> None:
    rows = batch([FULL, {"ts": at(2)}])
    for _ in range(2):
        insert_calls(store, rows, token="gateway-calls/0/0-1")
    assert count_calls(store) == 2
    insert_calls(store, rows)
    assert count_calls(store) == 4


def test_counted_by_span_selector_and_origin(store: Store) -> None:
    insert_calls(
        store,
        batch(
            [
                {"ts": at(0), "service": "a"},
                {"ts": at(60), "service": "b"},
                {"ts": datetime.now(UTC), "service": "b", "model": "m", "topic": "generated:demo"},
            ]
        ),
    )
    assert count_calls(store, at(0), at(60)) == 1
    assert count_calls(store, selector=Selector.of(service="b")) == 2
    assert count_calls(store, selector=Selector.of(service="b", model="m")) == 1
    assert [count_calls(store, origin=name) for name in ("import", "generated", "live")] == [2, 1, 0]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (batch([FULL]).drop_columns("model"), "model"),
        (batch([FULL]).append_column("extra", pa.array([1])), "extra"),
        (batch([FULL]).set_column(0, "ts", pa.array([1], pa.int64())), "ts"),
        (batch([FULL]).set_column(5, "tenant", pa.array([None], pa.string())), "tenant"),
    ],
)
def test_a_batch_of_another_shape_is_refused_and_the_column_named(store: Store, table: pa.Table, column: str) -> None:
    with pytest.raises(TypeError, match=f"column '{column}'"):
        insert_calls(store, table)
    assert count_calls(store) == 0


@given(rows=rows_strategy)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_by_hour_status_and_dimension_equal_pandas(store: Store, rows: list[dict[str, object]]) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    by = ("hour", "status", "tenant")
    counted = count_by(store, START, START + DAY, by)
    assert {name: str(dtype) for name, dtype in counted.dtypes.items()} == {
        "hour": "datetime64[ms, UTC]",
        "status": "float64",
        "tenant": "str",
        "calls": "int64",
        "errors": "int64",
        "prompt_tokens": "int64",
        "completion_tokens": "int64",
    }
    assert counted["calls"].sum() == len(rows)
    if not rows:
        return
    frame = pd.DataFrame(rows)
    frame["hour"] = pd.to_datetime(frame["ts"]).dt.floor("h").astype("datetime64[ms, UTC]")
    frame["status"] = frame["status"].astype("float64")
    limited = (frame["status"] == 429) | (frame["error_type"] == "rate_limit")
    frame["errors"] = (~limited & ((frame["status"] >= 500) | (frame["error_type"] != ""))).astype("int64")
    for name in ("prompt_tokens", "completion_tokens"):
        frame[name] = frame[name].astype("float64").fillna(0).astype("int64")
    grouped = frame.groupby(list(by), dropna=False)
    expected = grouped[["errors", "prompt_tokens", "completion_tokens"]].sum()
    expected.insert(0, "calls", grouped.size())
    expected = expected.reset_index().astype({"tenant": "str"})
    pd.testing.assert_frame_equal(counted, expected)


def test_without_dimensions_there_is_one_row(store: Store) -> None:
    insert_calls(store, batch([FULL, {"ts": at(2), "status": 503}]))
    counted = count_by(store, START, START + DAY, (), Selector.of())
    assert counted.to_dict("records") == [
        {"calls": 2, "errors": 1, "prompt_tokens": 2**32 - 1, "completion_tokens": 0},
    ]
    assert np.all(counted.dtypes == "int64")


def test_only_dimensions_hour_and_status_can_be_counted_by(store: Store) -> None:
    with pytest.raises(ValueError, match="'request_id' is no dimension"):
        count_by(store, START, START + DAY, ("request_id",))


def test_pages_of_the_slowest_go_on_behind_one_another(store: Store) -> None:
    slow = [None, 30.5, 10.0, 30.5, 99.25, None, 0.125]
    insert_calls(store, batch([{"ts": at(n), "request_id": f"r{n}", "latency_ms": ms} for n, ms in enumerate(slow)]))
    found, after = [], None
    while (page := read_slowest_page(store, DAYS, 2, after)).num_rows:
        found += page.to_pylist()
        after = key_of_last(page)
    assert [call["latency_ms"] for call in found] == [99.25, 30.5, 30.5, 10.0, 0.125, None, None]
    assert len({call["request_id"] for call in found}) == len(slow)


def test_the_newest_are_found_however_far_back_they_lie(store: Store) -> None:
    hours = [0, 1, 40, 50, 70.5, 71]
    insert_calls(store, batch([{"ts": at(hour * 3600), "request_id": f"r{hour}"} for hour in hours]))
    found, after = [], None
    while (page := read_newest_page(store, DAYS, 2, after)).num_rows:
        found += page.column("request_id").to_pylist()
        after = key_of_last(page)
    assert found == [f"r{hour}" for hour in reversed(hours)]


def test_a_call_is_found_by_its_key(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(1), "request_id": "same"}, {"ts": at(1), "request_id": "same", "service": "b"}]))
    page = read_newest_page(store, DAYS, 10).to_pylist()
    assert [read_call(store, key_of_row(call)).to_pylist() for call in page] == [[page[0]], [page[1]]]
    other = key_of_row({**page[0], "offset": 77})
    assert read_call(store, other).num_rows == 0
