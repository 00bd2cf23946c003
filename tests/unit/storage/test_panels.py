"""All scopes in one question a table are what each says alone, priced as well."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings

from core.config import PriceSettings
from core.series import METRICS
from storage.calls import insert_calls
from storage.contract import Store
from storage.panels import busy_values, read_scopes
from storage.prices import write_prices
from storage.series import read_panel
from tests.unit.storage.batches import START, batch, rows_strategy
from tests.unit.storage.conftest import empty

SCOPES = ((), ("gateway",), ("service",), ("route",), ("provider",), ("model",), ("tenant",), ("provider", "model"))
BY_MINUTE = tuple(name for name in METRICS if name != "peak_tps")
END = START + timedelta(hours=2)


def assert_as_alone(store: Store, metrics: tuple[str, ...]) -> None:
    together = dict(read_scopes(store, START, END, SCOPES, metrics))
    assert set(together) == set(SCOPES)
    for by, frame in together.items():
        pd.testing.assert_frame_equal(frame, read_panel(store, START, END, 60, by, metrics), check_exact=False)
    for scope in SCOPES[:2]:
        ((by, frame),) = read_scopes(store, START, END, [scope], metrics)
        assert by == scope
        pd.testing.assert_frame_equal(frame, together[scope])


@given(rows=rows_strategy)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scopes_together_are_as_each_alone(store: Store, rows: list[dict[str, Any]]) -> None:
    empty(store)
    if rows:
        insert_calls(store, batch(rows))
    assert_as_alone(store, BY_MINUTE)


def test_costs_are_priced_by_scope(store: Store) -> None:
    call = {"ts": START, "provider": "a", "model": "m", "tenant": "t", "service": "s", "route": "/", "gateway": "g"}
    insert_calls(store, batch([{**call, "prompt_tokens": 1000}, {**call, "tenant": "u", "cost_usd": 0.5}]))
    prices = PriceSettings.model_validate({"tokens": [{"model": "m", "input": 2.0, "output": 2.0}]})
    write_prices(store, prices.read_table(), START, 1)
    assert_as_alone(store, ("cost_per_h",))
    by_tenant = dict(read_scopes(store, START, END, SCOPES, ("cost_per_h",)))[("tenant",)]
    assert by_tenant["cost_per_h"].tolist() == pytest.approx([0.002 * 60, 0.5 * 60])


def test_a_peak_needs_more_than_minutes(store: Store) -> None:
    with pytest.raises(ValueError, match="peak_tps is not made of minutes"):
        list(read_scopes(store, START, END, SCOPES, ("peak_tps",)))


def test_a_part_of_the_values_is_read_as_all_of_them_are_and_who_calls_seldom_is_no_value(store: Store) -> None:
    empty(store)
    call = {"provider": "a", "model": "m", "service": "s", "route": "/", "gateway": "g", "prompt_tokens": 1000}
    tenants = ["often"] * 30 + ["it's"] * 24 + ["seldom"] * 23 + [""] * 50
    insert_calls(store, batch([{**call, "ts": START + timedelta(minutes=n % 7), "tenant": of} for n, of in enumerate(tenants)]))
    prices = PriceSettings.model_validate({"tokens": [{"model": "m", "input": 2.0, "output": 2.0}]})
    write_prices(store, prices.read_table(), START, 1)
    metrics, scope = ("tps", "latency_p95", "cost_per_h"), ("tenant",)
    busy = busy_values(store, START, START + timedelta(days=3), ("tenant", "gateway"), 1.0)
    assert busy == {"tenant": [], "gateway": ["g"]}, "127 calls in 72 hours are often enough, 30 are not"
    busy = busy_values(store, START - timedelta(days=3), START + timedelta(hours=2), ("tenant",), 1.0)
    assert busy == {"tenant": ["it's", "often"]}, "who came a day ago or later is measured by a day"
    ((_, whole),) = read_scopes(store, START, END, [scope], metrics)
    ((by, part),) = read_scopes(store, START, END, [scope], metrics, ("it's", "seldom"))
    assert by == scope
    wanted = whole[whole["tenant"].isin(["it's", "seldom"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, wanted, check_exact=True)
    assert part["cost_per_h"].gt(0).all()
