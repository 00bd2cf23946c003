"""Counters of transactions are what pandas counts, are made again after late data, and are never compared across versions."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from core.config import TransactionSettings
from core.errors import VersionsDiffer
from core.transactions import Transaction
from storage.calls import insert_calls
from storage.contract import Store
from storage.transaction_series import (
    TRANSACTION_METRICS,
    definition_of,
    read_counts,
    read_transaction_series,
    refuse_other_version,
)
from storage.transactions import count_transactions, read_definitions, stale_minutes, write_definitions
from tests.unit.storage.batches import START, at, batch, rows_strategy
from tests.unit.storage.conftest import empty

MINUTE, HOUR, SPAN = timedelta(minutes=1), timedelta(hours=1), timedelta(hours=3)
LIMITS = (1.0, 500.0, 30_000.0)


def definition(**parts: Any) -> Transaction:
    return TransactionSettings.model_validate({"name": "chat", **parts}).definition


CHAT = definition(
    selector={"service": "ch?t", "route": ["/a"]},
    success={"statuses": ["2xx", 404], "error_types": ["timeout"], "max_latency": "50s"},
    thresholds=["1ms", "500ms", "30s"],
    weight=2,
)
ALL = definition(name="all")


def counted_by_pandas(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """CHAT by the rule as it is written: bad where anything known is bad, unknown where something is missing, else good."""
    names = ["seen", "total", "known", "good", "limited", "timed", "u0", "u1", "u2"]
    found: dict[Any, dict[str, int]] = {}
    for row in rows:
        minute = row["ts"].replace(second=0, microsecond=0)
        sums = found.setdefault(minute, dict.fromkeys(names, 0))
        sums["seen"] += 1
        if row["service"] != "chat" or row["route"] != "/a":
            continue
        status, kind, latency = row["status"], row["error_type"], row["latency_ms"]
        bad = (status is not None and not (200 <= status < 300 or status == 404)) or kind not in ("", "timeout")
        bad = bad or (latency is not None and latency > 50_000)
        unknown = (status is None and kind == "") or latency is None
        good = not bad and not unknown
        sums["total"] += 1
        sums["known"] += bad or good
        sums["good"] += good
        sums["limited"] += status == 429 or kind == "rate_limit"
        sums["timed"] += bad or good
        for place, limit in enumerate(LIMITS):
            sums[f"u{place}"] += good and latency <= limit
    return pd.DataFrame.from_dict(found, orient="index", columns=names, dtype="int64").sort_index()


@given(rows=rows_strategy)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_counters_equal_pandas_and_a_repeat_changes_nothing(store: Store, rows: list[dict[str, Any]]) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    wanted = counted_by_pandas(rows)
    due = stale_minutes(store, [CHAT, ALL], START, START + SPAN, START)
    assert due == [(minute, name, calls) for minute, calls in wanted["seen"].items() for name in ("all", "chat")]
    for _ in range(2):
        assert count_transactions(store, [ALL, CHAT], START, START + SPAN, 1) == 2 * len(wanted)
    found = read_counts(store, CHAT, START, START + SPAN)
    names = ["seen", "total", "known", "good", "rate_limited", "timed", *(f"good_under_{limit:g}ms" for limit in LIMITS)]
    np.testing.assert_array_equal(found[names].to_numpy(), wanted.to_numpy().reshape(len(wanted), len(names)))
    assert stale_minutes(store, [CHAT, ALL], START, START + SPAN, START) == []
    everything = read_counts(store, ALL, START, START + SPAN, 3600)
    assert everything["total"].sum() == everything["seen"].sum() == len(rows)


def test_late_calls_make_their_minute_due_again(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(60), "service": "chat", "route": "/a"}, {"ts": at(200)}]))
    count_transactions(store, [CHAT], START, START + HOUR, 1)
    insert_calls(store, batch([{"ts": at(70), "service": "chat", "route": "/a"}], 10))
    assert stale_minutes(store, [CHAT], START, START + HOUR, START) == [(START + MINUTE, "chat", 2)]
    series = read_transaction_series(store, CHAT, "tps", START, START + 5 * MINUTE)
    assert list(series["counted"]) == [False, False, True, True, False], "nothing before the first call and after the last"
    assert np.isnan(series["value"][1]), "half of a minute is no count"
    assert series["value"][2] == 0.0, "no call at all is a zero"
    count_transactions(store, [CHAT], START, START + HOUR, 1)
    again = read_transaction_series(store, CHAT, "tps", START, START + 5 * MINUTE)
    assert again["value"][1] == pytest.approx(2 / 60)
    assert list(again["weight"]) == [0.0, 4.0, 0.0, 0.0, 0.0]
    assert np.isnan(read_transaction_series(store, CHAT, "error_rate", START, START + 5 * MINUTE)["value"]).all()


def test_what_an_ousted_process_counts_does_not_hold(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(0), "service": "chat", "route": "/a"}]))
    count_transactions(store, [CHAT], START, START + HOUR, 5)
    insert_calls(store, batch([{"ts": at(1), "service": "chat", "route": "/a"}], 5))
    count_transactions(store, [CHAT], START, START + HOUR, 4)
    assert list(read_counts(store, CHAT, START, START + HOUR)["total"]) == [1]


def test_percentiles_and_rates_of_an_hour(store: Store) -> None:
    rows = [{"ts": at(n), "service": "chat", "route": "/a", "latency_ms": float(n + 1), "status": 200} for n in range(1000)]
    rows += [{"ts": at(n), "service": "chat", "route": "/a", "latency_ms": 1.0, "status": 500} for n in range(250)]
    insert_calls(store, batch(rows))
    count_transactions(store, [CHAT], START, START + HOUR, 1)
    values = {
        metric: read_transaction_series(store, CHAT, metric, START, START + HOUR, 3600)["value"][0]
        for metric in TRANSACTION_METRICS
    }
    assert values["tps"] == pytest.approx(1250 / 3600)
    assert values["error_rate"] == pytest.approx(0.2)
    assert values["latency_p50"] == pytest.approx(375, rel=0.01)
    assert values["latency_p99"] == pytest.approx(988, rel=0.01)
    assert values["concurrency"] == pytest.approx((500_500 + 250) / 1000 / 3600)


@pytest.mark.parametrize(
    ("metric", "step_s", "words"), [("ttft_p95", 60, "no metric of a transaction"), ("tps", 90, "whole number")]
)
def test_what_cannot_be_told_is_refused(store: Store, metric: str, step_s: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_transaction_series(store, CHAT, metric, START, START + HOUR, step_s)


def test_versions_are_kept_and_never_compared(store: Store) -> None:
    stricter = definition(selector={"service": "ch?t", "route": ["/a"]}, success={"statuses": ["2xx"]})
    heavier = definition(selector={"route": ["/a", "/a"], "service": "ch?t"}, success={"statuses": [299, "200-298"]}, weight=5)
    assert stricter.version == heavier.version, "the weight, the order and the spelling decide no count"
    write_definitions(store, [CHAT], START, 1)
    write_definitions(store, [stricter], START + HOUR, 1)
    assert [one.version for one in read_definitions(store, "chat")] == [stricter.version, CHAT.version]
    assert definition_of(store, "chat") == stricter
    assert definition_of(store, "chat", CHAT.version) == CHAT
    refuse_other_version(store, "chat", CHAT.version, CHAT.version)
    with pytest.raises(VersionsDiffer, match="another successful statuses and another successful error types"):
        refuse_other_version(store, "chat", CHAT.version, stricter.version)
    with pytest.raises(VersionsDiffer, match="not known here"):
        refuse_other_version(store, "chat", CHAT.version, "abc")


def test_each_engine_is_asked_with_bound_values(store: Store) -> None:
    nasty = definition(name="nasty", selector={"tenant": ["it's", "100%_*", "back\\slash"]})
    rows = [{"ts": at(0), "tenant": name} for name in ("it's", "100%_x", "100ab", "back\\slash", "other")]
    insert_calls(store, batch(rows))
    count_transactions(store, [nasty], START, START + HOUR, 1)
    assert list(read_counts(store, nasty, START, START + HOUR)["total"]) == [3]
