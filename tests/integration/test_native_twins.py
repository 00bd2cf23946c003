"""ClickHouse's own C++ client reads from the test server what our driver reads, and each reads what the other has written.

Else the test server and the driver could be wrong in the same way. The client is that of the embedded engine, with which one
ClickHouse server asks another (`cluster(…)`, which is `remote(…)` with a choice: here without compression).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from chdb.state.sqlitelike import connect

from benchmarks.sparse_calls import sparse_calls
from core.config import StoreSettings
from core.errors import StoreError
from core.record import CALL_SCHEMA
from storage.calls import insert_calls
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.rollups import ROLLUP_TABLES

DATABASE = "default"
START = (datetime.now(UTC) - timedelta(hours=6)).replace(microsecond=0)
ROWS = 3_000
Query = Callable[[str], pa.Table]


@pytest.fixture(scope="module")
def server() -> Iterator[ClickHouseNativeServer]:
    with ClickHouseNativeServer() as running:
        yield running


@pytest.fixture(scope="module")
def store(server: ClickHouseNativeServer) -> Iterator[Store]:
    """Our driver, with calls, also some at the limits of their types."""
    opened = open_store(StoreSettings(url=server.url_of(DATABASE)), owner=True)
    try:
        migrate(opened)
        insert_calls(opened, sparse_calls(ROWS, 0, start=START))
        insert_calls(opened, extreme_calls())
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def twin(server: ClickHouseNativeServer) -> Iterator[Query]:
    """The C++ client: runs SQL in an engine in memory, where `{name}` stands for a table of the server."""
    replica = "remote_servers.tested.shard.replica"
    options = {"host": "127.0.0.1", "port": str(server.port), "user": "default", "compression": "false"}
    address = ":memory:?" + "&".join(f"{replica}.{key}={value}" for key, value in options.items())
    keeper = connect(address)

    def run(sql: str) -> pa.Table:
        text = re.sub(r"\{(\w+)\}", rf"cluster(tested, {DATABASE}, \1)", sql)
        with closing(connect(address)) as connection:  # what a failed query had put out stands before the next answer
            connection.query("SET session_timezone = 'UTC', output_format_arrow_compression_method = 'none'")
            answer = connection.query(text, "Arrow").bytes()
        return pa.ipc.open_file(pa.py_buffer(answer)).read_all() if answer else pa.table({})

    yield run
    keeper.close()


def extreme_calls() -> pa.Table:
    """Calls with nothing but what they must have, and with as much as there can be."""
    rows = sparse_calls(2, ROWS, start=START).to_pylist(maps_as_pydicts="strict")
    for name in CALL_SCHEMA.names:
        if CALL_SCHEMA.field(name).nullable:
            rows[0][name] = None
    rows[0] |= {
        "attributes": {},
        "request_id": "",
        "tenant": "",
        "route": "",
        "prompt_hash": 0,
        "offset": 2**62,
        "partition": 0,
    }
    rows[1] |= {
        "attributes": {f"key {n}": "ü€😀'\\\n\t\0" * n for n in range(20)}, "request_id": "x" * 5000,
        "tenant": "ü€😀 'quoted' \\ \n",
        "status": 999, "bytes_in": 2**64 - 1, "prompt_tokens": 2**32 - 1, "retries": 255, "prompt_hash": 2**64 - 1,
        "cost_usd": 1e9, "latency_ms": 1e10, "cache_hit": True, "partition": 2**31 - 1, "offset": 2**63 - 1,
    }  # fmt: skip
    return pa.Table.from_pylist(rows, schema=CALL_SCHEMA)


def same(ours: pa.Table, theirs: pa.Table) -> None:
    """Equal values in equally named columns; the types are brought to ours, for the engines' Arrow differs in spelling."""
    assert theirs.column_names == ours.column_names
    for name in ours.column_names:
        known = theirs.column(name)
        if pa.types.is_timestamp(ours.schema.field(name).type) and pa.types.is_integer(known.type):
            known = known.cast(pa.int64())
        cast = known.cast(ours.schema.field(name).type)
        assert repr(cast.to_pylist()) == repr(ours.column(name).to_pylist()), name  # so that NaN equals NaN


def columns_of(store: Store, table: str) -> str:
    """All columns; of quantile states what they say."""
    sql = (
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} ORDER BY position"
    )
    found = store.arrow(sql, {"table": table}).to_pylist()
    return ", ".join(
        f"finalizeAggregation({one['name']}) AS {one['name']}" if one["type"].startswith("AggregateFunction") else one["name"]
        for one in found
    )


def test_every_column_of_the_calls(store: Store, twin: Query) -> None:
    sql = f"SELECT {columns_of(store, 'calls')} FROM {{table}} ORDER BY topic, partition, offset"
    ours = store.arrow(sql.format(table="calls"))
    assert ours.num_rows == ROWS + 2
    assert all(ours.column(name).null_count > 0 for name in CALL_SCHEMA.names if CALL_SCHEMA.field(name).nullable)
    same(ours, twin(sql.format(table="{calls}")))


@pytest.mark.parametrize("table", ROLLUP_TABLES)
def test_every_column_of_the_rollups(store: Store, twin: Query, table: str) -> None:
    columns = columns_of(store, table)
    sql = f"SELECT {columns} FROM {{table}} ORDER BY ALL"
    ours = store.arrow(sql.format(table=table))
    assert ours.num_rows > 10
    same(ours, twin(sql.format(table=f"{{{table}}}")))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT tenant, status, count() AS n, avg(latency_ms) AS mean FROM {calls} GROUP BY tenant, status ORDER BY ALL",
        "SELECT toStartOfHour(ts) AS hour, uniqExact(request_id) AS n FROM {calls} GROUP BY hour ORDER BY hour",
        "SELECT sum(calls) AS n, sum(cost_usd) > 0 AS paid FROM {model_1m}",
        "SELECT offset, attributes FROM {calls} WHERE mapContains(attributes, 'key 3')",
        "SELECT ts, tenant FROM {calls} WHERE tenant = 'nobody'",
        "SELECT max(seq) AS seq, count() AS n FROM {watermarks}",
    ],
)
def test_questions(store: Store, twin: Query, sql: str) -> None:
    same(store.arrow(re.sub(r"\{(\w+)\}", r"\1", sql)), twin(sql))


def test_quantiles_are_merged_alike(store: Store, twin: Query) -> None:
    merged = f"""SELECT service, quantilesBFloat16Merge(0.5, 0.9, 0.95, 0.99)(latency_q) AS q
    FROM {DATABASE}.route_1m GROUP BY service"""
    ours = store.arrow(f"{merged} ORDER BY service")
    assert ours.num_rows > 1
    same(ours, twin(f"SELECT service, q FROM cluster(tested, view({merged})) ORDER BY service"))


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT throwIf(offset = 5, 'a fault') AS x FROM {calls}", 395),
        ("SELECT nosuch FROM {calls}", 47),
        ("SELECT toUInt8(request_id || 'x') AS x FROM {calls}", 6),
    ],
)
def test_errors_have_their_codes(store: Store, twin: Query, sql: str, code: int) -> None:
    with pytest.raises(StoreError) as ours:
        store.arrow(re.sub(r"\{(\w+)\}", r"\1", sql))
    with pytest.raises(RuntimeError, match=f"Code: {code}[.]"):
        twin(sql)
    assert ours.value.code == code
    assert twin("SELECT count() AS n FROM {calls}").to_pylist() == [{"n": ROWS + 2}]


def test_each_reads_what_the_other_has_written(store: Store, twin: Query) -> None:
    columns = ", ".join(CALL_SCHEMA.names)
    store.command("CREATE TABLE copied AS calls")
    twin(f"INSERT INTO FUNCTION {{copied}} ({columns}) SELECT {columns} FROM {{calls}}")
    sql = f"SELECT {columns} FROM {{table}} ORDER BY topic, partition, offset"
    wanted = store.arrow(sql.format(table="calls"))
    same(wanted, store.arrow(sql.format(table="copied")))
    same(wanted, twin(sql.format(table="{copied}")))
