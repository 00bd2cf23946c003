"""Calls by every combination of dimensions: what is counted, where the spans begin and end, and that samples stay a sample."""

import math
from datetime import timedelta

import pytest

from core.transactions import Transaction
from storage.calls import insert_calls
from storage.contract import Store
from storage.leaves import LEAF_DIMENSIONS, LEAF_SUMS, read_leaves
from tests.unit.storage.batches import at, batch

CHAT = {"service": "chat", "route": "/a", "provider": "openai", "model": "m", "tenant": "t1", "gateway": "gw"}


def test_calls_are_counted_before_and_inside_and_the_gap_is_left_out(store: Store) -> None:
    rows = [
        {**CHAT, "ts": at(0), "status": 200, "latency_ms": 100.0, "prompt_tokens": 3, "completion_tokens": 4, "cost_usd": 0.5},
        {**CHAT, "ts": at(59.9), "status": 429},
        {**CHAT, "ts": at(90), "status": 500},  # between the spans
        {**CHAT, "ts": at(120), "status": 503, "latency_ms": 200.0, "cache_hit": False},
        {**CHAT, "ts": at(130), "status": 200, "latency_ms": 400.0, "cache_hit": True},
        {**CHAT, "ts": at(131), "tenant": "t2"},
        {**CHAT, "ts": at(180)},  # after the end
    ]
    insert_calls(store, batch(rows))
    found = read_leaves(store, at(0), at(60), at(120), at(180))
    frame = found.frame
    assert (found.inside_share, found.before_share) == (1.0, 1.0)
    assert list(frame.columns) == ["inside", *LEAF_DIMENSIONS, *LEAF_SUMS]
    sums = {(row.inside, row.tenant): row for row in frame.itertuples()}
    before, inside, other = sums[(False, "t1")], sums[(True, "t1")], sums[(True, "t2")]
    assert (before.calls, before.errors, before.rate_limited, before.status_known) == (2, 0, 1, 2)
    assert (before.tokens_known, before.cost_known) == (1, 1)
    assert before.tokens_log == pytest.approx(math.log(8))
    assert (inside.calls, inside.errors, inside.cache_hits, inside.cache_known) == (2, 1, 1, 2)
    assert inside.latency_log == pytest.approx(math.log(200) + math.log(400))
    assert inside.latency_log2 == pytest.approx(math.log(200) ** 2 + math.log(400) ** 2)
    assert (other.calls, other.status_known, other.latency_known) == (1, 0, 0)
    assert len(frame) == 3


def test_too_many_calls_are_sampled_span_by_span(store: Store) -> None:
    rows = [{**CHAT, "ts": at(number / 10), "status": 200} for number in range(700)]
    insert_calls(store, batch(rows))
    found = read_leaves(store, at(0), at(60), at(60), at(120), most_calls=100)
    inside = found.frame["inside"]
    assert [found.inside_share, found.before_share] == pytest.approx([1.0, 1 / 6])
    assert found.frame.loc[inside, "calls"].sum() == 100
    assert 60 < found.frame.loc[~inside, "calls"].sum() < 140


def test_of_a_transaction_its_own_calls_are_counted_by_its_own_rule(store: Store) -> None:
    slow_is_bad = Transaction(name="ask", selector=(("route", ("/a*",)),), max_latency_ms=1_000.0)
    rows = [
        {**CHAT, "ts": at(10), "status": 200, "latency_ms": 5_000.0},
        {**CHAT, "ts": at(70), "status": 200, "latency_ms": 100.0},
        {**CHAT, "ts": at(71), "status": 200, "latency_ms": 3_000.0, "route": "/ab"},
        {**CHAT, "ts": at(72), "status": 200},  # how long it took is not known, so whether it was good is not
        *({**CHAT, "ts": at(73), "status": 500, "route": "/b"} for _ in range(50)),
    ]
    insert_calls(store, batch(rows))
    found = read_leaves(store, at(0), at(60), at(60), at(120), slow_is_bad, most_calls=3)
    assert (found.inside_share, found.before_share) == (1.0, 1.0), "calls of others make no sample of it"
    sums = found.frame.groupby("inside")[["calls", "errors", "status_known"]].sum()
    assert sums.to_numpy().tolist() == [[1, 1, 1], [3, 1, 2]]
    assert set(found.frame["route"]) == {"/a", "/ab"}


def test_a_span_without_calls_is_empty(store: Store) -> None:
    assert read_leaves(store, at(0), at(60), at(60), at(60) + timedelta(minutes=1)).frame.empty
