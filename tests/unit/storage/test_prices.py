"""Costs against sums that were computed by hand, one file a price class, from every table that answers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config import PriceSettings
from core.prices import PriceTable
from core.series import Selector
from core.types import SeriesRequest
from storage.calls import insert_calls
from storage.contract import Store
from storage.hours import read_hours, refresh_hours
from storage.prices import read_prices, unpriced_models, write_prices
from storage.series import read_panel, read_series
from storage.spent import read_spent
from storage.windows import read_windows
from tests.unit.storage.batches import START, batch

GOLDEN = sorted((Path(__file__).parent / "golden_costs").glob("*.json"))
DAY = timedelta(days=1)
END = START + 2 * DAY


def _table(prices: list[dict[str, Any]]) -> PriceTable:
    return PriceSettings.model_validate({"tokens": prices}).read_table()


def _insert(store: Store, calls: list[dict[str, Any]]) -> None:
    rows = [
        {"ts": START + DAY * call.get("day", 0) + timedelta(hours=5, seconds=7 * number), "service": "chat", "kind": "llm"}
        | {name: value for name, value in call.items() if name != "day"}
        for number, call in enumerate(calls)
    ]
    insert_calls(store, batch(rows))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_costs_are_those_computed_by_hand(store: Store, path: Path) -> None:
    golden = json.loads(path.read_text())
    _insert(store, golden["calls"])
    write_prices(store, _table(golden["prices"]), START, 1)
    expected = pytest.approx(golden["cost_usd"], rel=1e-9)
    for step_s in (60, 3600, 86400):
        by_step = read_panel(store, START, END, step_s, (), ("cost_per_h",))
        assert (by_step["cost_per_h"].dropna() * step_s / 3600).sum() == expected
    by_tenant = read_panel(store, START, END, 60, ("tenant", "model"), ("cost_per_h",))
    assert by_tenant["cost_per_h"].sum() / 60 == expected
    by_method = read_panel(store, START, END, 60, ("method",), ("cost_per_h",))  # from single calls
    assert by_method["cost_per_h"].sum() / 60 == expected
    for by in ((), ("tenant",), ("tenant", "model")):
        assert read_spent(store, "cost", START, END, Selector(), by)["spent"].sum() == expected
    refresh_hours(store, START, END, ((), ("service",)), 1)
    assert read_hours(store, "cost_per_h", START, END, Selector.of(service="chat"))["value"].sum() == expected


def test_what_is_spent_is_counted_from_the_start_to_the_end(store: Store) -> None:
    calls = [{"tenant": tenant, "prompt_tokens": 100, "completion_tokens": 7, "day": day} for tenant in "ab" for day in (0, 1)]
    _insert(store, [*calls, {"tenant": "plain", "status": 200}])
    found = read_spent(store, "tokens", START, START + DAY, Selector(), ("tenant",))
    assert dict(zip(found["tenant"], found["spent"], strict=True)) == pytest.approx(
        {"a": 107, "b": 107, "plain": np.nan}, nan_ok=True
    )
    assert read_spent(store, "tokens", START, END, Selector.of(tenant="a"))["spent"].tolist() == pytest.approx([214])
    assert read_spent(store, "cost", START, START + timedelta(minutes=1)).empty


def test_a_window_of_a_rule_is_priced(store: Store) -> None:
    _insert(store, [{"provider": "a", "model": "m", "prompt_tokens": 1000}])
    write_prices(store, _table([{"model": "m", "input": 2.0, "output": 2.0}]), START, 1)
    ends = START + timedelta(hours=5, minutes=1)
    found = read_windows(store, "cost_per_h", ends, ends, timedelta(minutes=1))
    assert found["value"].tolist() == pytest.approx([0.002 * 60])


def test_a_corrected_table_prices_history_anew(store: Store) -> None:
    _insert(store, [{"provider": "a", "model": "m", "prompt_tokens": 1_000_000}])
    request = SeriesRequest(metric="cost_per_h", start=START, end=START + DAY, step_s=3600)
    assert read_series(store, request)["value"].dropna().sum() == 0.0
    assert unpriced_models(store, START, END) == {("a", "m"): 1}
    for price in (2.0, 3.0):
        assert write_prices(store, _table([{"model": "m", "input": price, "output": 0.0}]), START, 1)
        assert read_series(store, request)["value"].dropna().sum() == pytest.approx(price)
    assert unpriced_models(store, START, END) == {}


def test_the_same_table_is_written_once(store: Store) -> None:
    table = _table([{"provider": "a", "model": "m", "input": 1.0, "output": 1.0, "valid_from": "2026-01-01"}])
    assert not write_prices(store, PriceTable(), START, 1)
    assert write_prices(store, table, START, 1)
    assert not write_prices(store, table, START, 1)
    assert read_prices(store) == table


def test_names_come_before_patterns_and_later_dates_before_earlier() -> None:
    table = _table(
        [
            {"provider": "*", "model": "gpt-*", "input": 1.0, "output": 1.0, "valid_from": "2026-02-01"},
            {"provider": "*", "model": "gpt-4o", "input": 2.0, "output": 1.0},
            {"provider": "azure", "model": "gpt-4o", "input": 3.0, "output": 1.0, "valid_from": "2026-02-01"},
        ]
    )
    march, january = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)

    def price(provider: str, model: str, moment: datetime) -> float | None:
        found = table.at(provider, model, moment)
        return found.input if found else None

    assert price("azure", "gpt-4o", march) == 3.0
    assert price("azure", "gpt-4o", january) == 2.0
    assert price("openai", "gpt-5", march) == 1.0
    assert price("openai", "gpt-5", january) is None
