"""Buckets, caches and donors, each on its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.replay.bucket import refused
from analytics.replay.cache import hits
from analytics.replay.donors import Donors
from core.prices import PriceTable, TokenPrice
from tests.unit.analytics.replay.builders import logged


def test_a_bucket_lets_its_burst_through_and_then_its_rate() -> None:
    at = np.arange(0.0, 100.0, 0.1)
    out = refused(at, np.zeros(len(at), dtype=np.int64), rate=2.0, burst=5.0)
    assert not out[:5].any()
    assert (~out).sum() == pytest.approx(2.0 * 100 + 5, abs=2)


def test_each_key_has_a_bucket_of_its_own() -> None:
    at = np.linspace(0.0, 10.0, 100)
    keys = np.tile([0, 1], 50)
    out = refused(at, keys, rate=1.0, burst=1.0)
    assert out[keys == 0].sum() == pytest.approx(out[keys == 1].sum(), abs=1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.0, 60.0), min_size=1, max_size=80), st.floats(0.1, 5.0), st.integers(1, 8))
def test_no_bucket_lets_more_through_than_it_may(times: list[float], rate: float, burst: int) -> None:
    at = np.sort(np.array(times))
    out = refused(at, np.zeros(len(at), dtype=np.int64), rate, float(burst))
    passed = at[~out]
    for first in range(len(passed)):
        within = np.arange(1, len(passed) - first + 1)
        assert (within <= burst + rate * (passed[first:] - passed[first]) + 1e-6).all()


def cached(at: list[float], keys: list[int], ttl_s: float = 100.0, entries: int = 10) -> list[bool]:
    size = len(at)
    found = hits(np.array(at), np.array(keys, dtype=np.uint64), np.ones(size, dtype=bool), ttl_s, entries)
    return [bool(one) for one in found]


def test_a_cache_answers_what_it_has_until_it_is_too_old() -> None:
    assert cached([0, 50, 99, 101, 102], [7] * 5) == [False, True, True, False, True]


def test_the_least_recently_used_answer_goes_first() -> None:
    assert cached([0, 1, 2, 3, 4, 5], [1, 2, 1, 3, 2, 1], entries=2) == [False, False, True, False, False, False]


def test_unknown_keys_and_failures_leave_nothing() -> None:
    assert cached([0, 1], [0, 0]) == [False, False]
    at, keys = np.array([0.0, 1.0, 2.0]), np.array([5, 5, 5], dtype=np.uint64)
    assert hits(at, keys, np.array([False, True, True]), 100.0, 10).tolist() == [False, False, True]


def test_donors_are_of_the_same_route_and_size_and_near_in_time() -> None:
    size = 4000
    place = np.arange(size)
    calls = logged(
        {
            "provider": np.where(place % 2 == 0, "a", "b"),
            "route": np.where(place % 4 < 2, "/x", "/y"),
            "prompt_tokens": np.where(place % 8 < 4, 100, 1000),
            "latency_ms": place.astype(float),
        }
    )
    wanted = np.flatnonzero(calls.labels["provider"].equal("a"))
    donors = Donors(calls, calls.labels["provider"].equal("b"), wanted)
    drawn = donors.draw(np.random.default_rng(1))
    assert (drawn[wanted] >= 0).all()
    assert (drawn[calls.labels["provider"].equal("b")] == -1).all()
    assert (calls.labels["route"].codes[drawn[wanted]] == calls.labels["route"].codes[wanted]).all()
    assert (calls.prompt_tokens[drawn[wanted]] == calls.prompt_tokens[wanted]).all()
    assert np.abs(drawn[wanted] - wanted).max() < 0.15 * size


def test_what_was_never_served_there_has_no_donor() -> None:
    calls = logged({"provider": ["a"] * 300 + ["b"] * 300, "route": ["/x"] * 300 + ["/y"] * 300, "latency_ms": 1.0})
    donors = Donors(calls, calls.labels["provider"].equal("b"), np.arange(300))
    assert len(donors.without) == 300
    assert (donors.draw(np.random.default_rng(1)) == -1).all()


def test_tokens_without_a_reported_cost_are_priced_by_class() -> None:
    price = TokenPrice(provider="p", model="m", input=2.0, output=10.0, cached=1.0)
    calls = logged(
        {"provider": "p", "model": ["m", "other", "m"], "prompt_tokens": 1000, "cached_tokens": 400, "completion_tokens": 100,
         "cost_usd": [None, None, 7.0]},
        prices=PriceTable((price,)),
    )  # fmt: skip
    assert calls.cost_usd[0] == pytest.approx((600 * 2.0 + 400 * 1.0 + 100 * 10.0) / 1e6)
    assert np.isnan(calls.cost_usd[1])
    assert calls.cost_usd[2] == 7.0
