"""The bound on values over a real store: what was let through before a restart is let through after it, and status says so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.config import CardinalitySettings
from core.record import OTHER
from ingest.cardinality import CardinalityGuard, build_guard
from storage.calls import insert_calls
from storage.cardinality import known_values
from storage.contract import Store
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch
from tpscope.status import read_status

NOW = datetime.now(UTC).replace(microsecond=0)
SETTINGS = CardinalitySettings(tenant=3, route=2)


def write(store: Store, guard: CardinalityGuard, *rows: dict[str, Any]) -> list[tuple[str, str]]:
    """Write calls as ingest does; returns what became of their tenants and routes."""
    bounded = guard.apply(batch([{"ts": NOW - timedelta(minutes=5), **row} for row in rows]))
    insert_calls(store, bounded)
    return list(zip(bounded.column("tenant").to_pylist(), bounded.column("route").to_pylist(), strict=True))


def test_a_restart_knows_what_was_known(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        first = build_guard(SETTINGS)
        rows = [{"tenant": f"t{number % 5}", "route": f"/users/{number}"} for number in range(5)]
        before = write(store, first, *rows, *[{"tenant": "t0", "route": "/a"}] * 3, {"tenant": "t1", "route": "/b"})
        assert {tenant for tenant, _ in before} == {"t0", "t1", "t2", OTHER}
        assert {route for _, route in before} == {"/users/{id}", "/a", OTHER}
        second = build_guard(SETTINGS)
        second.seed(known_values(store, SETTINGS.limits, NOW))
        assert {name: second.known[name] for name in ("tenant", "route")} == {"tenant": 3, "route": 2}
        after = write(store, second, {"tenant": "t3", "route": "/b"}, {"tenant": "t2", "route": "/users/9"})
        assert after == [(OTHER, OTHER), ("t2", "/users/{id}")]
        assert read_status(store)["other_values"] == {"tenant": 3, "route": 2}
