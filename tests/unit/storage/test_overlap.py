"""Calls in flight, against a count of every millisecond."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.calls import insert_calls
from storage.contract import Store
from storage.overlap import read_overlap
from tests.unit.storage.batches import at, batch


def test_a_long_call_is_in_flight_until_it_ends(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(50), "latency_ms": 80_000.0}, {"ts": at(70), "latency_ms": 6000.0}, {"ts": at(71)}]))
    found = read_overlap(store, at(0), at(240), 60)
    assert found["concurrency"].tolist() == pytest.approx([10 / 60, (60 + 6) / 60, 10 / 60])
    assert (found["tps"] * 60).tolist() == pytest.approx([0.0, 1.0, 1.0])
    assert found["calls"].tolist() == [0, 1, 1]
    # What began before the span counts within it.
    assert read_overlap(store, at(120), at(240), 60)["concurrency"].tolist() == pytest.approx([10 / 60])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 29_999), st.integers(0, 20_000)), min_size=1, max_size=8), st.sampled_from([2, 10]))
def test_it_is_what_a_count_says(store: Store, calls: list[tuple[int, int]], step_s: int) -> None:
    store.command("TRUNCATE TABLE calls")
    insert_calls(store, batch([{"ts": at(begin / 1000), "latency_ms": float(length)} for begin, length in calls]))
    found = read_overlap(store, at(0), at(60), step_s)
    in_flight = np.zeros(60_000)
    for begin, length in calls:
        in_flight[begin : begin + length] += 1
    expected = in_flight.reshape(-1, step_s * 1000).mean(axis=1)
    place = ((found["ts"] - found["ts"].dt.normalize()).dt.total_seconds() // step_s).astype(int).to_numpy()
    assert found["concurrency"].to_numpy() == pytest.approx(expected[place])
    assert found["concurrency"].sum() == pytest.approx(expected.sum())
    assert found["calls"].sum() == len(calls)
