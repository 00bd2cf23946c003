"""Objectives of transactions are judged by exactly what was counted; a transaction is read like any other selection."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from core.config import ObjectiveSettings, Settings
from core.series import Selector
from core.types import SeriesRequest
from storage.calls import insert_calls
from storage.causes import read_parts
from storage.contract import Store
from storage.objectives import read_shares
from storage.series import read_panel, read_series
from storage.spans import read_spans
from storage.standing import read_standing
from storage.transactions import count_transactions, write_definitions
from storage.windows import read_windows
from tests.unit.storage.batches import START, at, batch, rows_strategy
from tests.unit.storage.conftest import empty

MINUTE, HOUR, SPAN = timedelta(minutes=1), timedelta(hours=1), timedelta(hours=3)
SPANS = [(START, START + SPAN), (START + HOUR, START + 2 * HOUR), (START + 90 * MINUTE, START + 95 * MINUTE)]
CONFIGURED = Settings.model_validate(
    {
        "transactions": [{"name": "chat", "selector": {"service": "chat"}}],
        "objectives": [
            {"name": "good", "transaction": "chat", "target": "99%", "window": "week"},
            {"name": "fast", "transaction": "chat", "target": "90%", "under": "500ms", "window": "1d"},
            {"name": "tps", "transaction": "chat", "target": "95%", "at_least": 1 / 60},
        ],
    }
)
FEW = settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], phases=[Phase.generate]
)  # fmt: skip
CHAT = CONFIGURED.definitions[0]
GOOD, FAST, TPS = CONFIGURED.objectives


def filled(store: Store, rows: list[dict[str, Any]]) -> None:
    insert_calls(store, batch(rows))
    write_definitions(store, [CHAT], START, 1)
    count_transactions(store, [CHAT], START, START + SPAN, 1)


def by_hand(rows: list[dict[str, Any]], objective: ObjectiveSettings) -> list[tuple[float, float]]:
    """What was counted and what of it was bad, over each of `SPANS`."""
    mine = [row for row in rows if row["service"] == "chat"]
    found: list[tuple[float, float]] = []
    for start, end in SPANS:
        inside = [row for row in mine if start <= row["ts"] < end]
        known = [row for row in inside if row["status"] is not None or row["error_type"]]
        bad = [row for row in known if row["error_type"] or row["status"] in (429, 500, 503)]
        if objective is FAST:
            timed = [row for row in known if row in bad or row["latency_ms"] is not None]
            found.append((len(timed), sum(row in bad or row["latency_ms"] > 500 for row in timed)))
        else:
            found.append((len(known), len(bad)))
    return found


@given(rows=rows_strategy)
@FEW
def test_shares_are_those_of_the_single_calls(store: Store, rows: list[dict[str, Any]]) -> None:
    empty(store)
    filled(store, rows)
    for objective in (GOOD, FAST):
        found = read_shares(store, objective, CHAT, SPANS).set_index("span").reindex(range(3)).fillna(0.0)
        assert list(zip(found["calls"], found["bad"], strict=True)) == by_hand(rows, objective)


@given(rows=rows_strategy)
@FEW
def test_a_transaction_is_read_like_the_service_that_it_is(store: Store, rows: list[dict[str, Any]]) -> None:
    """With the usual rule, but for rate limiting, which is not good and no error."""
    empty(store)
    filled(store, [{**row, "status": row["status"] if row["status"] != 429 else 200} for row in rows])
    chat, service = CHAT.selection, Selector.of(service="chat")
    for metric in ("tps", "latency_p95"):
        ours, theirs = (read_spans(store, metric, SPANS, one) for one in (chat, service))
        pd.testing.assert_frame_equal(ours, theirs[["span", "calls", "value"]])
        ours, theirs = (read_windows(store, metric, START + MINUTE, START + SPAN, 5 * MINUTE, one) for one in (chat, service))
        pd.testing.assert_frame_equal(ours, theirs[["end", "value", "calls"]])
        ours, theirs = (read_panel(store, START, START + SPAN, 60, (), (metric,), selector=one) for one in (chat, service))
        pd.testing.assert_frame_equal(ours, theirs)
        request = SeriesRequest(metric=metric, start=START, end=START + SPAN, step_s=300, selector=chat)
        values = read_series(store, request)["value"].to_numpy()
        assert np.isnan(values).all() or np.nanmin(values) >= 0.0


def test_a_minute_is_good_by_its_calls_and_an_empty_one_is_bad(store: Store) -> None:
    minutes = [minute for minute in range(60) if not 30 <= minute < 40]
    filled(store, [{"ts": at(60 * n), "service": "chat" if n % 3 else "mail", "status": 200} for n in minutes])
    found = read_shares(store, TPS, CHAT, [(START, START + HOUR), (START + HOUR - MINUTE, START + HOUR)])
    held = sum(minute % 3 > 0 for minute in minutes)
    assert found["calls"].tolist() == [60.0, 1.0]
    assert found["bad"].tolist() == [60.0 - held, 0.0]
    later = read_shares(store, TPS, CHAT, [(START + HOUR, START + 2 * HOUR)])
    assert later["bad"].tolist() == [60.0], "all that arrived was counted: nothing came any more"
    insert_calls(store, batch([{"ts": at(3600), "service": "chat", "status": 200}], 100))
    assert read_shares(store, TPS, CHAT, [(START + HOUR, START + 2 * HOUR)]).empty, "what is not counted is not known"


def test_windows_that_are_not_counted_yet_are_unknown_and_not_empty(store: Store) -> None:
    filled(store, [{"ts": at(30), "service": "chat", "status": 200}])
    insert_calls(store, batch([{"ts": at(90), "service": "mail", "status": 200}], 1))
    found = read_windows(store, "tps", START + MINUTE, START + 2 * MINUTE, MINUTE, CHAT.selection)
    assert found["calls"].tolist() == [1, 1]
    assert found["value"].isna().tolist() == [False, True]
    with pytest.raises(ValueError, match="no metric of a transaction"):
        read_spans(store, "tokens_per_s", SPANS, CHAT.selection)
    with pytest.raises(ValueError, match=r"transaction chat \(version other\) was never counted here"):
        read_spans(store, "tps", SPANS, Selector.of({"transaction": "chat", "version": "other"}))


def test_causes_of_a_transaction_go_by_its_own_rule(store: Store) -> None:
    slow = Settings.model_validate(
        {"transactions": [{"name": "chat", "selector": {"service": "ch*"}, "success": {"max_latency": "1s"}}]}
    ).definitions[0]
    rows = [
        {"ts": at(n), "service": "chat", "status": 200, "tenant": "ab"[n % 2], "latency_ms": 3000.0 * (n % 2)} for n in range(8)
    ]
    insert_calls(store, batch([*rows, {"ts": at(1), "service": "mail", "status": 500, "tenant": "a"}]))
    write_definitions(store, [slow], START, 1)
    found = read_parts(store, "tenant", START, START + MINUTE, MINUTE, slow.selection)
    assert found[["value", "calls", "errors"]].values.tolist() == [["a", 4.0, 0.0], ["b", 4.0, 4.0]]


def test_a_standing_has_the_budget_of_its_window_and_says_since_when_is_counted(store: Store) -> None:
    filled(
        store,
        [{"ts": at(60 * n), "service": "chat", "status": 503 if n % 50 == 0 else 200, "latency_ms": 9.0} for n in range(180)],
    )
    good, fast, tps = (read_standing(store, CONFIGURED, one, START + SPAN) for one in CONFIGURED.objectives)
    assert (good.calls, good.bad, good.kept, good.version) == (180.0, 4.0, False, CHAT.version)
    assert good.window.elapsed == pytest.approx(3 / (7 * 24))
    assert good.budget is not None
    assert good.budget.left == pytest.approx(1.0 - 4 / 180 / 0.01 * good.window.elapsed)
    assert (good.counted_from, fast.counted_from) == (None, START), "of a calendar period all is counted, of a day not"
    assert (fast.kept, tps.kept, good.low_traffic, fast.low_traffic) == (True, True, False, False)
