"""Windows are counted from the calls exactly, and outlive them when they are frozen."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from core.config import TransactionSettings
from core.series import Selector
from storage.calls import insert_calls
from storage.contract import Store
from storage.frozen import list_frozen, read_frozen, read_window, window_is_kept, write_frozen
from tests.unit.storage.batches import START, at, batch, rows_strategy
from tests.unit.storage.conftest import empty

SPAN, MINUTE = timedelta(hours=3), timedelta(minutes=1)
CHAT = Selector.of(service="chat")
COUNTS = ("calls", "known", "errors", "rate_limited", "tokens", "tokens_known", "cost_usd", "priced")


@given(rows=rows_strategy)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_hold_what_the_calls_do(store: Store, rows: list[dict[str, Any]]) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    found = read_window(store, START, START + SPAN, CHAT)
    mine = [row for row in rows if row["service"] == "chat"]
    block = [int((row["ts"] - START) / (SPAN / 48)) for row in mine]
    np.testing.assert_array_equal(found.calls, np.bincount(block, minlength=48))
    latencies = [row["latency_ms"] for row in mine if row["latency_ms"] is not None]
    assert found.latency_calls.sum() == len(latencies)
    told = np.repeat(found.latency_ms, found.latency_calls.sum(axis=0).astype(int))
    np.testing.assert_allclose(told, np.sort(latencies), rtol=0.0011)
    tokens = [(row["prompt_tokens"] or 0) + (row["completion_tokens"] or 0) for row in mine]
    assert found.tokens.sum() == sum(tokens)


def test_a_transaction_is_counted_by_its_own_rule(store: Store) -> None:
    rows = [{"ts": at(n), "service": "chat", "status": status} for n, status in enumerate((200, 404, 404, 500, None, 429))]
    insert_calls(store, batch(rows))
    strict = TransactionSettings.model_validate({"name": "t", "selector": {"service": "c*"}, "success": {"statuses": ["2xx"]}})
    found = read_window(store, START, START + 20 * MINUTE, transaction=strict.definition)
    assert (found.blocks, found.version) == (20, strict.definition.version)
    assert (found.calls.sum(), found.known.sum(), found.errors.sum()) == (6, 5, 4)
    plain = read_window(store, START, START + 20 * MINUTE)
    assert (plain.known.sum(), plain.errors.sum(), plain.rate_limited.sum()) == (5, 1, 1)
    with pytest.raises(ValueError, match="nothing lies between"):
        read_window(store, START, START)


def test_what_is_frozen_outlives_the_calls_and_is_replaced_by_name(store: Store) -> None:
    rows = [{"ts": at(n), "service": "chat", "status": 200, "latency_ms": float(n + 1), "cost_usd": 0.5} for n in range(900)]
    insert_calls(store, batch(rows))
    assert window_is_kept(store, START, START + 15 * MINUTE)
    found = read_window(store, START, START + 15 * MINUTE, CHAT)
    write_frozen(store, read_window(store, START, START + 10 * MINUTE), "release-42", "bob", START)
    write_frozen(store, found, "release-42", "ada", START + SPAN)
    store.command("ALTER TABLE calls DELETE WHERE 1 SETTINGS mutations_sync = 2")
    assert not window_is_kept(store, START, START + 15 * MINUTE)
    again = read_frozen(store, "release-42")
    assert again is not None
    assert (again.name, again.who, again.selector, again.end) == ("release-42", "ada", CHAT, START + 15 * MINUTE)
    for name in (*COUNTS, "latency_ms", "latency_calls"):
        np.testing.assert_allclose(getattr(again, name), getattr(found, name), err_msg=name)
    listed = list_frozen(store)
    assert listed["name"].tolist() == ["release-42"]
    assert pd.Timestamp(listed["first"][0]) == pd.Timestamp(START)
    assert read_frozen(store, "nosuch") is None
