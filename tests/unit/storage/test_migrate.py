"""The schema is brought up to date once, whoever starts how often; and refused where it is another version's."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from core.config import RetentionSettings, StoreSettings
from core.errors import StoreError
from storage.contract import Store
from storage.migrate import load_migrations, migrate, pending_migrations, split_statements
from storage.open import open_store
from storage.retention import apply_retention
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.data import REPOSITORY
from tests.support.rollups import ROLLUP_TABLES

TABLES = "SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name"
TTL = "SELECT engine_full AS engine FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An embedded store that nothing was applied to."""
    opened = open_store(StoreSettings(url=f"chdb://{tmp_path}"), owner=True)
    yield opened
    opened.close()


def names() -> list[str]:
    return [file.name for file in load_migrations()]


def record(store: Store, name: str, checksum: str) -> None:
    row = {"name": name, "checksum": checksum, "applied_at": datetime.now(UTC)}
    schema = pa.schema([("name", pa.string()), ("checksum", pa.string()), ("applied_at", pa.timestamp("ms", tz="UTC"))])
    store.insert("migrations", pa.Table.from_pylist([row], schema=schema))


def ttl(store: Store, name: str) -> str:
    engine = str(store.arrow(TTL, {"name": name}).column("engine")[0].as_py())
    return engine.partition(" TTL ")[2].partition(" SETTINGS ")[0]


def test_files_are_numbered_and_sorted() -> None:
    assert names() == sorted(names())
    assert [name[:4] for name in names()] == [f"{number:04d}" for number in range(1, len(names()) + 1)]
    assert all(file.statements for file in load_migrations())


def test_statements_are_split_where_they_end() -> None:
    script = "-- a; comment\nCREATE TABLE a (s String DEFAULT 'x;y--z') ; -- more\n\nSELECT 'it\\'s;'\n;\n-- end"
    assert list(split_statements(script)) == ["CREATE TABLE a (s String DEFAULT 'x;y--z')", "SELECT 'it\\'s;'"]


def test_everything_is_applied_once(store: Store) -> None:
    assert migrate(store) == names()
    tables = store.arrow(TABLES).column("name").to_pylist()
    assert {"calls", "hours", "baselines", "incidents", *ROLLUP_TABLES} <= set(tables)
    assert migrate(store) == []
    assert pending_migrations(store) == []
    assert store.arrow(TABLES).column("name").to_pylist() == tables


def test_what_was_broken_off_is_finished(store: Store) -> None:
    first = next(load_migrations())
    store.command(first.statements[0])  # a crash after the first statement: nothing is recorded
    assert migrate(store) == names()


def test_a_store_of_a_newer_version_is_refused(store: Store) -> None:
    migrate(store)
    record(store, "0099_later.sql", "x")
    with pytest.raises(StoreError, match=r"^store: was made by a newer tpscope \(it has migration '0099_later.sql'\); upgrade"):
        migrate(store)


def test_a_changed_file_is_refused(store: Store) -> None:
    migrate(store)
    record(store, names()[0], "another checksum")
    with pytest.raises(StoreError, match=rf"migration '{names()[0]}' has another text than when it was applied"):
        migrate(store)


def test_an_old_server_is_refused(clickhouse18_url: str) -> None:
    store = open_store(StoreSettings(url=clickhouse18_url), owner=True)
    with pytest.raises(StoreError, match=r"^store: ClickHouse 18\.16\.1 is too old; 24\.8 or later is needed$"):
        migrate(store)
    assert store.arrow(TABLES).num_rows == 0
    store.close()


PROGRAM = """
import sys
from core.config import RetentionSettings, StoreSettings
from storage.migrate import migrate
from storage.open import open_store
store = open_store(StoreSettings(url=sys.argv[1]), owner=True)
print("ready", flush=True)
sys.stdin.readline()
migrate(store, RetentionSettings())
store.close()
"""


def test_several_processes_may_start_at_once(clickhouse_native: ClickHouseNativeServer) -> None:
    url = clickhouse_native.url_of("started_together")
    command = [sys.executable, "-W", "error", "-c", PROGRAM, url]
    started = [
        subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    store = open_store(StoreSettings(url=url), owner=True)
    assert migrate(store) == []
    assert sorted(set(store.arrow("SELECT name FROM migrations").column("name").to_pylist())) == names()
    store.close()


def test_the_defaults_are_what_the_files_say(store: Store) -> None:
    migrate(store)
    assert apply_retention(store, RetentionSettings()) == []


def test_retention_is_changed_only_where_it_differs(store: Store) -> None:
    migrate(store)
    assert apply_retention(store, RetentionSettings(calls=timedelta(days=7), seconds=timedelta(hours=36))) == [
        "calls",
        "calls_1s",
    ]
    assert ttl(store, "calls") == "toDateTime(ts) + toIntervalSecond(604800) WHERE origin != 'import'"
    assert ttl(store, "calls_1s") == "second + toIntervalSecond(129600) WHERE origin != 'import'"
    assert apply_retention(store, RetentionSettings(calls=timedelta(days=7), seconds=timedelta(hours=36))) == []


def test_imported_history_may_lose_its_exemption(store: Store) -> None:
    migrate(store)
    imports_too = RetentionSettings(keep_imported=False)
    counting = {"calls", "unpriced_1m", *ROLLUP_TABLES}
    assert set(apply_retention(store, imports_too)) == counting
    assert "origin" not in ttl(store, "calls") + ttl(store, "route_1m")
    assert ttl(store, "dead_letters") == "toDateTime(received_at) + toIntervalDay(30)"
    assert apply_retention(store, imports_too) == []
    assert set(apply_retention(store, RetentionSettings())) == counting


def test_old_rows_go_and_imported_ones_stay(store: Store) -> None:
    migrate(store, RetentionSettings(calls=timedelta(days=7)))
    now = datetime.now(UTC)
    rows = [
        {"ts": now - timedelta(days=age), "topic": topic, "ingested_at": now}
        for age in (1, 8)
        for topic in ("gateway-calls", "import:abc")
    ]
    schema = pa.schema(
        [("ts", pa.timestamp("ms", tz="UTC")), ("topic", pa.string()), ("ingested_at", pa.timestamp("ms", tz="UTC"))]
    )
    store.insert("calls", pa.Table.from_pylist(rows, schema=schema))
    store.command("OPTIMIZE TABLE calls FINAL")  # what a merge does sooner or later
    kept = store.arrow("SELECT origin, dateDiff('day', ts, now('UTC')) AS age FROM calls ORDER BY origin, age").to_pylist()
    assert kept == [{"origin": "import", "age": 1}, {"origin": "import", "age": 8}, {"origin": "live", "age": 1}]
