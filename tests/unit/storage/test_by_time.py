"""Rollups in the order of time: which questions they answer, and that they answer as the others do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from core.series import METRICS
from storage import by_time
from storage.by_time import COUNTED_SINCE, choose
from storage.calls import insert_calls
from storage.contract import Store
from storage.frames import epoch_s
from storage.hours import HOUR_S
from storage.migrate import load_migrations
from storage.rollups import BY_TIME, CALLS, MODEL_1M, PROVIDER_1M, ROUTE_1M, SERVICE_1M, Rollup, needed, pick
from storage.steps import DAY_S, Question, read_steps
from tests.unit.storage.batches import START, batch, rows_strategy
from tests.unit.storage.conftest import empty

MINUTE = 60
END_S = epoch_s(START + timedelta(hours=4))


@pytest.mark.parametrize(
    ("dimensions", "metric", "step_s", "expected"),
    [
        ((), "latency_p95", 60, SERVICE_1M),
        (("service",), "tps", 120, SERVICE_1M),
        (("model", "provider"), "cost_per_h", 60, PROVIDER_1M),
        (("model", "service"), "tps", 60, MODEL_1M),
        (("route",), "tps", 60, ROUTE_1M),
        (("provider",), "tps", 1, CALLS),
    ],
)
def test_small_rollups_come_first(
    store: Store, dimensions: tuple[str, ...], metric: str, step_s: int, expected: Rollup
) -> None:
    assert choose(store, dimensions, needed([metric]), step_s, 0) is expected


@given(rows=rows_strategy)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_they_answer_as_the_others_do(store: Store, rows: list[dict[str, Any]]) -> None:
    empty(store)
    insert_calls(store, batch(rows))
    metrics = tuple(sorted(METRICS))
    for by in ((), ("service",), ("provider",), ("model", "provider")):
        question = Question(first_s=epoch_s(START), end_s=END_S, step_s=MINUTE, metrics=metrics, by=by)
        ours, other = choose(store, by, question.columns, MINUTE, 0), pick(by, question.columns, MINUTE)
        assert ours is not other
        assert read_steps(store, question, ours).equals(read_steps(store, question, other))


def test_what_a_store_counted_before_it_had_them_is_asked_of_the_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (migration,) = [one for one in load_migrations() if one.name == "0020_minutes_in_order.sql"]
    insert_calls(store, batch([{"ts": START}]))
    store.command(migration.statements[-1])
    since = {str(row["name"]): epoch_s(row["since"]) for row in store.arrow(COUNTED_SINCE).to_pylist()}
    now_s = epoch_s(datetime.now(UTC))
    assert since.keys() == {one.table for one in BY_TIME}
    assert all(one % DAY_S == 0 and now_s + HOUR_S - 60 <= one <= now_s + DAY_S + HOUR_S for one in since.values())
    columns, first_s = needed(["tps"]), since[SERVICE_1M.table]
    monkeypatch.setitem(by_time._since, store, since)
    assert choose(store, (), columns, MINUTE, first_s) is SERVICE_1M
    assert choose(store, (), columns, MINUTE, first_s - MINUTE) is MODEL_1M
