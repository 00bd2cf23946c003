"""One tenant's data is deleted, and all else is as if it had never been there."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from core.clock import SystemClock
from core.config import Settings, StoreSettings
from core.errors import StoreUnavailable
from core.record import OTHER
from core.series import Selector
from core.types import DeadLetter
from dashboards.run import serve
from dashboards.server import create_app
from storage.audit import read_audit
from storage.calls import insert_calls
from storage.contract import Capabilities, Params, Store
from storage.dead_letters import LetterFilter, find_dead_letters, write_dead_letters
from storage.hours import insert_hours, read_hours_by, refresh_hours
from storage.remote import RemoteStore
from storage.rollups import BY_TIME, PERCENTILES, ROLLUPS, SUMS_OF_CALLS
from storage.tenants import DONE, STARTED, delete_tenant, traces_of
from tests.support.store_api import store_api
from tests.support.stores import chdb_store
from tests.support.wait import wait_until
from tests.unit.storage.batches import batch
from tests.unit.storage.conftest import empty

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR0 = NOW.replace(minute=0, second=0) - timedelta(hours=30)
LONG_AGO = HOUR0 - timedelta(days=200)
SCOPES: tuple[tuple[str, ...], ...] = ((), ("service",), ("tenant",), ("provider", "service"), ("region",))
GONE = 'a"b\\'
"""A name that needs escaping everywhere."""


@pytest.fixture(scope="module")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("tenants")) as opened:
        yield opened


@pytest.fixture
def store(_opened: Store) -> Store:
    empty(_opened)
    return _opened


def calls_of(tenants: list[str], count: int, *, history: bool = False) -> list[dict[str, Any]]:
    """Calls of yesterday, with `history` also of long ago (imported), of several tenants in the same minutes and alone."""
    random = np.random.default_rng(3)
    rows = []
    for number in range(count):
        tenant = tenants[int(random.integers(len(tenants)))]
        imported = history and number % 4 == 0
        begin = LONG_AGO if imported else HOUR0
        # The last hour is one tenant's alone; elsewhere they share minutes and seconds.
        second = float(random.integers(0, 3 * 3600)) if number % 3 else float(random.integers(0, 120))
        rows.append(
            {
                "ts": begin + timedelta(seconds=second + (4 * 3600 if tenant == GONE and number % 10 == 1 else 0)),
                "topic": "import:file" if imported else "gateway-calls",
                "tenant": tenant,
                "gateway": "gw",
                "service": str(random.choice(["chat", "search"])),
                "route": str(random.choice(["/a", "/b"])),
                "region": str(random.choice(["eu", "us"])),
                "provider": str(random.choice(["", "openai"])),
                "model": str(random.choice(["", "m"])),
                "status": int(random.choice([200, 200, 429, 503])),
                "latency_ms": float(random.lognormal(5)),
                "upstream_ms": float(random.lognormal(4)) if number % 2 else None,
                "prompt_tokens": int(random.integers(0, 900)),
                "cost_usd": float(random.integers(0, 9)) / 4 if number % 3 else None,
                "offset": number,
                "ingested_at": NOW - timedelta(minutes=5),
            }
        )
    return rows


def snapshot(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Everything that is counted of the calls, as numbers that can be compared."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rollup in (*ROLLUPS, *BY_TIME):
        names = sorted(rollup.dimensions)
        columns = [name for name in (*SUMS_OF_CALLS, *PERCENTILES) if name in rollup.columns]
        values = ", ".join(f"toFloat64({rollup.column(name)}) AS {name}" for name in columns)
        keys = ", ".join(f"t.{name} AS {name}" for name in names)
        sql = f"SELECT toString(t.{rollup.time}) AS bucket, {keys}, t.origin AS origin, {values} FROM {rollup.table} AS t"
        rows = store.arrow(f"{sql} GROUP BY bucket, {', '.join(names)}, origin ORDER BY ALL").to_pylist()
        found[rollup.table] = [{name: None if value != value else value for name, value in row.items()} for row in rows]
    stored = ", ".join(f"toFloat64(h.{name}) AS {name}" for name in (*SUMS_OF_CALLS, *PERCENTILES, "peak_tps"))
    keys = "toString(h.hour) AS hour, h.scope AS scope, h.selector AS selector, h.origin AS origin"
    sql = f"SELECT {keys}, {stored} FROM hours AS h FINAL"
    found["hours"] = store.arrow(f"{sql} ORDER BY ALL").to_pylist()
    return found


def number(store: Store, sql: str) -> int:
    return int(store.arrow(sql).column("n")[0].as_py())


def make_hours(store: Store) -> None:
    for begin in (LONG_AGO, HOUR0):
        refresh_hours(store, begin, begin + timedelta(hours=30), SCOPES, 7)


def without(rows: list[dict[str, Any]], tenant: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["tenant"] != tenant]


def expected_of(store: Store, rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What a store knows that never saw the tenant."""
    insert_calls(store, batch(without(rows, GONE)))
    make_hours(store)
    found = snapshot(store)
    empty(store)
    return found


def assert_same(found: dict[str, list[dict[str, Any]]], expected: dict[str, list[dict[str, Any]]]) -> None:
    for name, rows in expected.items():
        assert len(found[name]) == len(rows), name
        for one, other in zip(found[name], rows, strict=True):
            assert one.keys() == other.keys()
            for key in one:
                same = one[key] == other[key] or one[key] == pytest.approx(other[key], rel=1e-9, abs=1e-9)
                assert same, f"{name}: {key} of {one} is not that of {other}"


def test_all_else_is_as_if_the_tenant_had_never_been(store: Store) -> None:
    rows = calls_of([GONE, "b", "c"], count=400, history=True)
    expected = expected_of(store, rows)
    for part in (rows[:150], rows[150:]):
        insert_calls(store, batch(part, first_offset=part[0]["offset"]))
    make_hours(store)
    assert traces_of(store, GONE).calls == len(rows) - len(without(rows, GONE))
    deletion = delete_tenant(store, GONE, actor="test", now=NOW)
    assert deletion.complete
    assert deletion.hours > 0
    assert not traces_of(store, GONE).any
    assert_same(snapshot(store), expected)
    again = delete_tenant(store, GONE, actor="test", now=NOW)
    assert (again.complete, again.hours, again.removed.any) == (True, 0, False)
    assert_same(snapshot(store), expected)
    assert number(store, "SELECT count() AS n FROM deletion_keys") == 0


class Watched:
    """A store that something is done to at its n-th statement, before that is carried out."""

    def __init__(self, store: Store, at: int, event: Callable[[], object], word: str = "") -> None:
        self._store, self._left, self._event, self._word = store, at, event, word

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        return self._store.frame(sql, params)

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        return self._store.arrow(sql, params)

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        self._store.insert(table, rows, token=token)

    def command(self, sql: str, params: Params | None = None) -> None:
        if self._word in sql:
            self._left -= 1
            if self._left == 0:
                self._event()
        self._store.command(sql, params)

    def close(self) -> None:
        raise AssertionError("not ours to close")


def break_off() -> None:
    raise StoreUnavailable("store: gone")


STATEMENTS = (
    "INSERT INTO deletion_keys",
    "INSERT INTO route_1m",
    "INSERT INTO service_1m",
    "INSERT INTO calls_1s",
    "ALTER TABLE calls DELETE",
    "ALTER TABLE tenant_1m",
    "INSERT INTO hours",
    "ALTER TABLE hours DELETE WHERE seq",
)


def test_an_interrupted_deletion_is_carried_on(store: Store) -> None:
    rows = calls_of([GONE, "b"], count=60)
    expected = expected_of(store, rows)
    insert_calls(store, batch(rows))
    make_hours(store)
    for word in STATEMENTS:
        with pytest.raises(StoreUnavailable):
            delete_tenant(Watched(store, 1, break_off, word), GONE, actor="test", now=NOW)
    assert delete_tenant(store, GONE, actor="test", now=NOW).complete
    assert_same(snapshot(store), expected)
    assert not traces_of(store, GONE).any


def test_calls_that_come_in_meanwhile_are_counted(store: Store) -> None:
    """Another tenant's late calls, into the very minutes that are made anew."""
    rows = calls_of([GONE, "b"], count=80)
    late = [row | {"tenant": "b", "offset": 1_000 + at, "ingested_at": NOW} for at, row in enumerate(rows[:20])]
    expected = expected_of(store, rows + late)
    insert_calls(store, batch(rows))
    make_hours(store)
    arriving = Watched(store, 1, lambda: insert_calls(store, batch(late)), "INSERT INTO route_1m")
    waits: list[float] = []
    deletion = delete_tenant(arriving, GONE, actor="test", now=NOW, wait=waits.append)
    assert deletion.complete
    assert_same(snapshot(store), expected)


def test_a_tenant_that_goes_on_calling_is_not_lost_from_the_counts(store: Store) -> None:
    rows = calls_of([GONE, "b"], count=60)
    insert_calls(store, batch(rows))
    more = [row | {"offset": 2_000 + at, "ingested_at": NOW + timedelta(seconds=1)} for at, row in enumerate(rows[:5])]
    new = [row for row in more if row["tenant"] == GONE]
    assert new
    arriving = Watched(store, 1, lambda: insert_calls(store, batch(more)), "INSERT INTO model_1m")
    deletion = delete_tenant(arriving, GONE, actor="test", now=NOW)
    assert not deletion.complete
    assert deletion.left == len(new)
    counted = {
        table: number(store, f"SELECT toInt64(sum(calls)) AS n FROM {table}")
        for table in ("route_1m", "model_1m", "service_1m", "provider_1m", "calls_1s")
    }
    assert set(counted.values()) == {len(without(rows, GONE)) + len(more)}
    assert delete_tenant(store, GONE, actor="test", now=NOW + timedelta(minutes=1)).complete
    assert number(store, "SELECT toInt64(sum(calls)) AS n FROM route_1m") == len(without(rows + more, GONE))


def test_numbers_whose_single_calls_are_gone_already_stay(store: Store) -> None:
    rows = calls_of([GONE, "b"], count=60)
    insert_calls(store, batch(rows))
    make_hours(store)
    # What retention does: of some minutes a part of the calls, of the rollups nothing.
    store.command("ALTER TABLE calls DELETE WHERE offset % 5 = 0 SETTINGS mutations_sync = 1")
    before = number(store, "SELECT toInt64(sum(calls)) AS n FROM route_1m")
    kept_whole = store.arrow(
        "SELECT minute FROM route_1m GROUP BY minute, gateway, service, route, origin HAVING sum(calls) = 1"
    ).num_rows
    assert kept_whole
    delete_tenant(store, GONE, actor="test", now=NOW)
    table = number(store, "SELECT toInt64(sum(calls)) AS n FROM route_1m")
    of_others = len(without(rows, GONE))
    assert of_others < table < before  # of the others nothing is lost
    assert not traces_of(store, GONE).any
    hours = read_hours_by(store, "tps", HOUR0, HOUR0 + timedelta(hours=30), ())
    assert hours["calls"].sum() >= sum(1 for row in without(rows, GONE) if row["topic"] != "import:file")


def test_an_hour_that_was_not_made_yet_is_left_to_its_job(store: Store) -> None:
    insert_calls(store, batch(calls_of([GONE, "b"], count=40)))
    refresh_hours(store, HOUR0, HOUR0 + timedelta(hours=1), SCOPES, 7)
    assert delete_tenant(store, GONE, actor="test", now=NOW).hours == 1
    hours = store.arrow("SELECT DISTINCT hour FROM hours").column("hour").to_pylist()
    assert hours == [HOUR0]


def test_imported_hours_are_not_made_smaller(store: Store) -> None:
    insert_calls(store, batch(calls_of([GONE, "b"], count=40)))
    frame = pd.DataFrame({"hour": [HOUR0], "scope": ["global"], "selector": [""], "calls": [5_000]})
    insert_hours(store, frame, origin="import", epoch=9)
    delete_tenant(store, GONE, actor="test", now=NOW)
    assert read_hours_by(store, "tps", HOUR0, HOUR0 + timedelta(hours=1), ())["calls"].tolist() == [5_000]


def test_what_carries_the_name_goes_and_others_stay(store: Store) -> None:
    selector, other = str(Selector.of(tenant=GONE)), str(Selector.of(tenant="b"))
    at = NOW.strftime("%Y-%m-%d %H:%M:%S")
    for place, one in enumerate((selector, other, str(Selector.of(service="chat")))):
        params: dict[str, Any] = {
            "selector": one,
            "id": f"id{place}",
            "json": json.dumps([{"selector": selector}, {"selector": other}]),
        }
        explanation = {"text": f"TPS of tenant {GONE} is low, of tenant {GONE}x too."}
        store.command(
            f"INSERT INTO anomalies (id, started_at, selector, contributions, explanation) SELECT {{id:String}}, '{at}', "
            "{selector:String}, {json:String}, {text:String}",
            params | explanation,
        )
        for table, time in (("baselines", "built_at"), ("forecasts", "made_at")):
            sql = f"INSERT INTO {table} (version, selector, {time}) SELECT 'v', {{selector:String}}, '{at}'"
            store.command(sql, {"selector": one})
        labels = {"tenant": "" if place == 2 else (GONE, "b")[place], "id": f"id{place}"}
        store.command(
            f"INSERT INTO incidents (id, started_at, labels, title) SELECT {{id:String}}, '{at}', "
            "map('tenant', {tenant:String}), concat('low TPS of tenant ', {tenant:String})",
            labels,
        )
        sql = f"INSERT INTO notifications (id, incident_id, created_at) SELECT {{id:String}}, {{id:String}}, '{at}'"
        store.command(sql, {"id": f"id{place}"})
        store.command(
            f"INSERT INTO samples (ts, name, labels, value) SELECT '{at}', 'depth', map('tenant', {{tenant:String}}), 1",
            {"tenant": labels["tenant"]},
        )
    letter = DeadLetter(
        received_at=NOW, topic="t", partition=0, offset=0, reason="bad_ts", detail="", payload=b"", size_bytes=0
    )
    payloads = [json.dumps({"team": GONE}), json.dumps({"team": "b", "note": f"not {GONE}"}), "{"]
    write_dead_letters(store, [replace(letter, offset=at, payload=text.encode()) for at, text in enumerate(payloads)])
    delete_tenant(store, GONE, actor="somebody", now=NOW)

    def ids(table: str, column: str = "id") -> list[Any]:
        return list(store.arrow(f"SELECT {column} AS x FROM {table} ORDER BY x").column("x").to_pylist())

    assert ids("anomalies") == ids("incidents") == ids("notifications") == ["id1", "id2"]
    assert ids("baselines", "selector") == ids("forecasts", "selector") == [str(Selector.of(service="chat")), other]
    assert ids("samples", "labels['tenant']") == ["", "b"]
    assert [one.letter.offset for one in find_dead_letters(store, LetterFilter(), 9)] == [1, 2]
    for text in ids("anomalies", "contributions"):
        assert [part["selector"] for part in json.loads(text)] == ['tenant="__deleted__"', other]
    assert set(ids("anomalies", "explanation")) == {f"TPS of tenant (deleted) is low, of tenant {GONE}x too."}
    done, started = read_audit(store)
    assert (done.action, started.action, done.actor, done.subject) == (DONE, STARTED, "somebody", GONE)
    assert json.loads(started.detail)["incidents"] == 1


@pytest.mark.parametrize("name", ["", OTHER])
def test_a_name_that_stands_for_many_is_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="is no tenant's name"):
        delete_tenant(store, name, actor="test", now=NOW)
    assert read_audit(store) == []


def test_through_the_api_of_the_process_that_owns_the_store(store: Store, tmp_path: Path) -> None:
    rows = calls_of([GONE, "b"], count=40)
    insert_calls(store, batch(rows))
    (tmp_path / "token").write_text("secret")
    with store_api(store, "secret") as api, closing(RemoteStore(api.address, tmp_path / "token", StoreSettings())) as remote:
        assert delete_tenant(remote, GONE, actor="test", now=NOW).complete
    assert not traces_of(store, GONE).any
    assert number(store, "SELECT toInt64(sum(calls)) AS n FROM route_1m") == len(without(rows, GONE))


def test_over_the_api_one_at_a_time_with_the_token(store: Store) -> None:
    rows = calls_of([GONE, "b"], count=40)
    insert_calls(store, batch(rows))
    server = serve(create_app(store, Settings(), SystemClock(), token="secret"), "127.0.0.1", 0)
    try:
        with httpx.Client(base_url=server.address + "/internal/v1/tenants", timeout=30, trust_env=False) as client:
            assert client.post("/delete", json={"tenant": GONE}).status_code == 401
            assert client.get("/deletions").status_code == 401
            client.headers["Authorization"] = "Bearer secret"
            assert client.post("/delete", json={"tenant": OTHER}).status_code == 400
            assert client.post("/delete", json={"name": GONE}).status_code == 400
            assert client.post("/delete", json={"tenant": "nobody"}).status_code == 404
            begun = client.post("/delete", json={"tenant": GONE, "actor": "privacy desk"})
            assert begun.status_code == 202
            assert begun.json()["calls"] == len(rows) - len(without(rows, GONE))
            assert client.post("/delete", json={"tenant": "b"}).status_code == 409
            wait_until(lambda: len(client.get("/deletions").json()["deletions"]) == 2, 60, "the deletion")
            done, started = client.get("/deletions").json()["deletions"]
        assert (done["action"], started["action"], done["actor"], done["tenant"]) == (DONE, STARTED, "privacy desk", GONE)
    finally:
        server.stop()
    assert traces_of(store, "b").calls == len(without(rows, GONE))
    assert not traces_of(store, GONE).any
