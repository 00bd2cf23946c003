"""The server engine when the server goes away, answers get lost, or lets us in only with TLS and a password."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from core.config import StoreSettings
from core.errors import ConfigError, StoreError, StoreUnavailable
from core.secrets import Secret
from storage.contract import Params, Store
from storage.open import open_store
from tests.support.clickhouse18 import ClickHouse18
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.engines import started
from tests.support.proxy import proxy

TABLE = """CREATE TABLE {name} (n UInt32, text String) ENGINE = MergeTree ORDER BY n
SETTINGS non_replicated_deduplication_window = 100"""
BATCH = pa.table({"n": pa.array(range(5000), pa.uint32()), "text": ["x" * 60] * 5000})  # more than the proxy's threshold


def address(port: int, database: str = "default") -> str:
    return f"clickhouse://default@127.0.0.1:{port}/{database}"


@contextmanager
def opened(url: str, *, retries: int = 5, timeout_s: float = 30, **more: object) -> Iterator[Store]:
    settings = StoreSettings.model_validate(
        {"url": url, "retries": retries, "connect_timeout": "2s", "query_timeout": timedelta(seconds=timeout_s), **more}
    )
    store = open_store(settings, owner=True)
    try:
        yield store
    finally:
        store.close()


def count(store: Store, name: str) -> int:
    return int(store.arrow(f"SELECT count() AS n FROM {name}").column("n")[0].as_py())


def test_a_server_that_comes_back_is_found_again(own_clickhouse_native: ClickHouseNativeServer) -> None:
    server = own_clickhouse_native
    with opened(server.url, retries=20) as store:
        store.command(TABLE.format(name="kept"))
        store.insert("kept", BATCH, token="1")
        server.kill()
        with opened_fails(server.url):
            pass
        server.start()
        assert count(store, "kept") == 5000
        store.insert("kept", BATCH, token="1")  # the table remembers the token across the crash
        assert count(store, "kept") == 5000


@contextmanager
def opened_fails(url: str) -> Iterator[None]:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as refused, opened(url, retries=2):
        pass
    assert time.monotonic() - begun < 10
    assert "cannot be reached" in str(refused.value)
    assert "\n" not in str(refused.value)
    yield


def test_a_server_that_is_not_there_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(StoreUnavailable) as refused, opened(address(port), retries=1):
        pass
    assert str(refused.value).startswith(f"store: 127.0.0.1:{port} cannot be reached (Connection refused")
    assert str(refused.value).endswith("check store.url and the server")


def test_an_insert_with_a_token_survives_a_lost_answer(
    clickhouse_native: ClickHouseNativeServer, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("lost")
    with proxy(clickhouse_native.port) as between, opened(address(between.port)) as store:
        store.command(TABLE.format(name=name))
        between.lose = 1
        store.insert(name, BATCH, token="lost/1")
        assert between.lose == 0
        assert between.connections == 2
        assert count(store, name) == 5000


def test_an_insert_without_a_token_is_not_repeated(
    clickhouse_native: ClickHouseNativeServer, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("once")
    with proxy(clickhouse_native.port) as between, opened(address(between.port)) as store:
        store.command(TABLE.format(name=name))
        between.lose = 1
        with pytest.raises(StoreUnavailable, match=rf"^store: the connection to 127.0.0.1:{between.port} broke"):
            store.insert(name, BATCH)
        assert count(store, name) in (0, 5000)  # written or not, but never twice


def test_lost_answers_are_not_repeated_for_ever(
    clickhouse_native: ClickHouseNativeServer, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("often")
    with proxy(clickhouse_native.port) as between, opened(address(between.port), retries=2) as store:
        store.command(TABLE.format(name=name))
        between.lose = 100
        with pytest.raises(StoreUnavailable, match="broke"):
            store.insert(name, BATCH, token="often/1")
        assert between.lose == 97
        between.lose = 0
        store.insert(name, BATCH, token="often/1")
        assert count(store, name) == 5000


def test_a_silent_server_is_given_up(clickhouse_native: ClickHouseNativeServer) -> None:
    with proxy(clickhouse_native.port) as between, opened(address(between.port), timeout_s=0.5, retries=1) as store:
        store.arrow("SELECT 1 AS one")
        between.stall = True
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.arrow("SELECT 1 AS one")
        assert time.monotonic() - begun < 20


@pytest.fixture(scope="module")
def guarded(tls_files: tuple[Path, Path]) -> Iterator[ClickHouseNativeServer]:
    """A server with TLS and a password."""
    with ClickHouseNativeServer(user="reader", password="o'pen\\sesame", tls=tls_files) as server:
        yield server


def secure(server: ClickHouseNativeServer) -> str:
    return f"clickhouses://reader@127.0.0.1:{server.port}/guarded"


def test_tls_and_password(guarded: ClickHouseNativeServer, tls_files: tuple[Path, Path]) -> None:
    with opened(secure(guarded), password=Secret("o'pen\\sesame"), tls_ca=str(tls_files[0])) as store:
        assert store.arrow("SELECT currentDatabase() AS name").to_pylist() == [{"name": "guarded"}]
        store.command(TABLE.format(name="t"))
        store.insert("t", BATCH)
        assert count(store, "t") == 5000


def test_an_unknown_authority_is_not_trusted(guarded: ClickHouseNativeServer) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"), opened(secure(guarded), password=Secret("x"), retries=0):
        pass


def test_a_wrong_password_is_one_line_without_it(guarded: ClickHouseNativeServer, tls_files: tuple[Path, Path]) -> None:
    with (
        pytest.raises(StoreError) as refused,
        opened(secure(guarded), password=Secret("wrong-secret"), tls_ca=str(tls_files[0])),
    ):
        pass
    assert refused.value.code in (193, 194, 516)
    assert "wrong-secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "more", "problem"),
    [
        ("clickhouse:///db", {}, "must look like clickhouse://user@host:9000/database"),
        ("clickhouse://host:port/db", {}, "clickhouse://host:port/db"),
        ("clickhouse://host/a-b", {}, "'a-b' is no name"),
        ("clickhouse://host/db?x=1", {}, "must look like"),
        ("clickhouses://host/db", {"tls_ca": "/nowhere/ca.pem"}, "store.tls_ca: '/nowhere/ca.pem' is no file"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, more: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError) as refused, opened(url, **more):  # type: ignore[arg-type]
        pass
    assert problem in str(refused.value)


OLD_COLUMNS = (
    """a UInt8, text String, f Nullable(Float32), at DateTime('UTC'), texts Array(String), d Date, i Nullable(Int64)"""
)
OLD_ROWS = pa.table(
    {
        "a": pa.array([1, 2], pa.uint8()),
        "text": ["it's \0 \\", "ü" * 200],
        "f": pa.array([None, 1.5], pa.float32()),
        "at": pa.array(
            [datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)], pa.timestamp("s", tz="UTC")
        ),
        "texts": pa.array([[], ["a", ""]], pa.list_(pa.string())),
        "d": pa.array([0, 20_000], pa.int32()).cast(pa.date32()),
        "i": pa.array([-(2**63), None], pa.int64()),
    }
)


def test_a_real_old_server_speaks_with_us(clickhouse18_url: str) -> None:
    with opened(clickhouse18_url) as store:
        assert store.capabilities.version == "18.16.1"
        store.command(f"CREATE TABLE old ({OLD_COLUMNS}) ENGINE = MergeTree ORDER BY a")
        store.insert("old", OLD_ROWS)
        store.insert("old", OLD_ROWS.slice(1), token="a token means nothing to it")
        back = store.arrow("SELECT a, text, f, at, texts, d, i FROM old ORDER BY a")
        assert back.to_pylist() == [*OLD_ROWS.to_pylist(), OLD_ROWS.to_pylist()[1]]
        assert [field.nullable for field in back.schema] == [False, False, True, False, False, False, True]
        span: Params = {"start": datetime(2026, 3, 29, 1, tzinfo=UTC), "names": ["a", "'"], "text": "it's \0 \\"}
        sql = """SELECT count() AS rows FROM old WHERE at >= {start:DateTime} OR text = {text:String}
        OR has({names:Array(String)}, text)"""
        assert store.frame(sql, span)["rows"].tolist() == [3]
        for statement, code in (("SELECT nosuch FROM old", 47), ("SELECT 1 FROM nosuch", 60), ("SELEC", 62)):
            with pytest.raises(StoreError) as refused:
                store.arrow(statement)
            assert (refused.value.code, "\n" in str(refused.value)) == (code, False)
        big = pa.table({"a": pa.array([7] * 200_000, pa.uint8()), "text": [f"row {n}" for n in range(200_000)]})
        store.insert("old", big)
        assert store.arrow("SELECT text FROM old WHERE a = 7").num_rows == 200_000


@pytest.mark.server18
def test_an_old_server_that_was_killed_is_found_again() -> None:
    with started(ClickHouse18) as server, opened(server.url, retries=20) as store:
        assert store.arrow("SELECT 1 AS one").num_rows == 1
        server.kill()
        server.start()
        assert store.arrow("SELECT 1 AS one").num_rows == 1
