from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.config import CardinalitySettings
from core.record import OTHER
from storage.calls import insert_calls
from storage.cardinality import known_values, other_calls
from storage.contract import Store
from tests.unit.storage.batches import batch

NOW = datetime.now(UTC).replace(microsecond=0)


def call(minutes_ago: float, **values: Any) -> dict[str, Any]:
    return {"ts": NOW - timedelta(minutes=minutes_ago), **values}


def test_values_come_by_use_and_without_what_is_not_one(store: Store) -> None:
    rows = [
        *[call(1, tenant="busy", route="/a", region="eu")] * 3,
        call(2, tenant="quiet", route="/b", region="us"),
        call(3, tenant=OTHER, route=""),
        call(90, tenant="yesterday", region="ap"),
        call(60 * 24 * 8, tenant="gone"),
    ]
    insert_calls(store, batch(rows))
    found = known_values(store, CardinalitySettings().limits, NOW)
    assert set(found) == set(CardinalitySettings().limits)
    assert found["tenant"] == ["busy", "quiet", "yesterday"]
    assert found["route"] == ["/a", "/b"]
    assert found["region"] == ["eu", "us"]  # no rollup has it: the last hour
    assert known_values(store, {"tenant": 1}, NOW) == {"tenant": ["busy"]}


def test_calls_that_were_too_much_are_counted_by_column(store: Store) -> None:
    rows = [*[call(5, tenant=OTHER, region=OTHER)] * 2, call(6, route=OTHER), call(7), call(120, model=OTHER)]
    insert_calls(store, batch(rows))
    assert other_calls(store, CardinalitySettings().limits, NOW) == {"region": 2, "tenant": 2, "route": 1}


def test_an_empty_store_and_what_is_no_dimension(store: Store) -> None:
    assert known_values(store, {"route": 5}, NOW) == {"route": []}
    assert other_calls(store, ["route", "region"], NOW) == {}
    with pytest.raises(ValueError, match="'colour' is no dimension"):
        known_values(store, {"colour": 1}, NOW)
