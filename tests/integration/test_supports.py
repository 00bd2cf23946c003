"""The engines that other tests rely on do what those tests take for granted."""

import contextlib
import math
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException
from kafka import KafkaConsumer, TopicPartition
from playwright.sync_api import Browser

from tests.support.browser import PHONE, BrowserPage
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.kafka_broker import KafkaBroker
from tests.support.receiver import Answer, Receiver
from tests.support.topics import produce, read_all
from tests.support.wait import wait_until
from tpscope.broker import CONSUMER_SETTINGS

Naming = Callable[[str], str]
RECORDS = [b"record %d" % number for number in range(1000)]
SPREAD = {number: RECORDS[number::3] for number in range(3)}  # as `produce` deals them out to three partitions


@contextlib.contextmanager
def connected(url: str, **options: Any) -> Iterator[Client]:
    client = Client.from_url(url)
    client.connection.send_receive_timeout = 30
    for name, value in options.items():
        setattr(client.connection, name, value)
    try:
        yield client
    finally:
        client.disconnect()


@pytest.fixture(params=[pytest.param(f"{name}_broker", marks=getattr(pytest.mark, name)) for name in ("kafka", "tansu")])
def broker(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_what_is_written_to_a_broker_is_read_back_in_order(broker: Any, unique_name: Naming) -> None:
    topic = unique_name("records")
    broker.create_topic(topic, partitions=3)
    produce(broker.bootstrap, topic, RECORDS, partitions=3)
    assert read_all(broker.bootstrap, topic, partitions=3) == SPREAD


def test_a_group_goes_on_where_it_committed(broker: Any, unique_name: Naming) -> None:
    topic, group = unique_name("records"), unique_name("group")
    broker.create_topic(topic)
    produce(broker.bootstrap, topic, RECORDS)

    def read(count: int) -> list[bytes]:
        values: list[bytes] = []
        with contextlib.closing(
            KafkaConsumer(
                topic,
                bootstrap_servers=broker.bootstrap,
                group_id=group,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                **CONSUMER_SETTINGS,
            )
        ) as consumer:

            def enough() -> bool:
                for records in consumer.poll(timeout_ms=100, max_records=count - len(values)).values():
                    values.extend(record.value for record in records)
                return len(values) >= count

            wait_until(enough, 60, f"{count} records for the group", step_s=0)  # polling is waiting
            consumer.commit()
            assert consumer.committed(TopicPartition(topic, 0)) == consumer.position(TopicPartition(topic, 0))
        return values

    assert read(400) == RECORDS[:400]
    assert read(600) == RECORDS[400:]


def test_kafka_keeps_its_records_through_a_crash_and_a_restart(own_kafka_broker: KafkaBroker) -> None:
    broker = own_kafka_broker
    broker.create_topic("records", partitions=3)
    produce(broker.bootstrap, "records", RECORDS, partitions=3)
    address = broker.bootstrap
    broker.kill()
    assert not broker.running
    broker.start()
    assert broker.bootstrap == address
    assert read_all(address, "records", partitions=3) == SPREAD
    broker.restart()
    assert read_all(address, "records", partitions=3) == SPREAD


def test_a_server_that_does_not_start_says_why(own_kafka_broker: KafkaBroker) -> None:
    own_kafka_broker.stop()
    (own_kafka_broker.folder / "data" / "meta.properties").write_text("version=9\n", "utf-8")
    with pytest.raises(RuntimeError, match=r"kafka did not start; its log ends with:(.|\n)*version"):
        own_kafka_broker.start()


MIDNIGHT = datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
COLUMN_VALUES: dict[str, list[Any]] = {
    "UInt8": [0, 255],
    "UInt16": [0, 65_535],
    "UInt32": [0, 2**32 - 1],
    "UInt64": [0, 2**64 - 1],
    "Int64": [-(2**63), 2**63 - 1],
    "UInt128": [0, 2**128 - 1],
    "Float32": [0.0, -1.5],
    "Float64": [0.1, math.inf],
    "Bool": [True, False],
    "String": ["", "Zürich\n'\\\t" + "x" * 300],
    "FixedString(4)": ["abcd", "efgh"],
    "Date": [date(1970, 1, 1), date(2149, 6, 6)],
    "DateTime('UTC')": [MIDNIGHT, datetime(1970, 1, 1, tzinfo=UTC)],
    "DateTime64(3, 'UTC')": [MIDNIGHT.replace(microsecond=123_000), datetime(1950, 1, 1, tzinfo=UTC)],
    "UUID": [UUID(int=0), UUID(int=2**128 - 1)],
    "IPv4": [IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255")],
    "IPv6": [IPv6Address("::"), IPv6Address("2001:db8::1")],
    "Decimal(9, 2)": [Decimal("-1.25"), Decimal("9999999.99")],
    "Decimal(38, 10)": [Decimal("0"), Decimal("1.0000000001")],
    "Enum8('none' = 0, 'it\\'s, (quoted)' = 1)": ["none", "it's, (quoted)"],
    "LowCardinality(String)": ["", "gateway-1"],
    "LowCardinality(Nullable(String))": [None, "gateway-1"],
    "Nullable(UInt16)": [None, 500],
    "Nullable(Float32)": [None, 12.5],
    "Nullable(Bool)": [None, True],
    "Nullable(DateTime64(3, 'UTC'))": [None, MIDNIGHT],
    "Array(String)": [[], ["a", ""]],
    "Array(Array(UInt8))": [[[], [1]], []],
    "Array(LowCardinality(String))": [[], ["a", "b", "a"]],
    "Array(Nullable(Float64))": [[None, 1.0], []],
    "Map(String, String)": [{}, {"key": "value", "": "x"}],
    "Map(LowCardinality(String), UInt64)": [{"a": 1, "b": 2}, {}],
    "Tuple(String, UInt8)": [("a", 1), ("", 0)],
    "Tuple(name LowCardinality(String), `a b` Array(UInt8))": [("x", [1]), ("y", [])],
    "SimpleAggregateFunction(sum, UInt64)": [1, 2],
}


@pytest.mark.parametrize("type_name", COLUMN_VALUES)
def test_a_column_comes_back_as_it_was_inserted(clickhouse_url: str, type_name: str) -> None:
    values = COLUMN_VALUES[type_name]
    rows = [(number, values[number % 2], number % 7) for number in range(1000)]
    with connected(clickhouse_url) as client:
        client.execute(f"CREATE TABLE t (n UInt32, v {type_name}, tail UInt8) ENGINE = MergeTree ORDER BY n")
        assert client.execute("INSERT INTO t VALUES", rows) == 1000
        result, columns = client.execute("SELECT n, v, tail FROM t ORDER BY n", with_column_types=True)
        assert result == rows
        assert columns == [("n", "UInt32"), ("v", type_name), ("tail", "UInt8")]


def test_blocks_of_random_data_are_the_same_at_both_revisions(clickhouse_native: ClickHouseNativeServer) -> None:
    names = [name for name in COLUMN_VALUES if "SimpleAggregate" not in name]
    structure = ", ".join(f"c{number} {name}" for number, name in enumerate(names)).replace("'", "''").replace("\\", "\\\\")
    query = f"SELECT * FROM generateRandom('{structure}', 7, 20, 5) LIMIT 3000 SETTINGS max_block_size = 1000, max_threads = 1"
    results = []
    for revision in (54_440, 54_459):
        with connected(clickhouse_native.url, client_revision=revision) as client:
            results.append(repr(client.execute(query)))
            assert client.connection.server_info.used_revision == revision
    assert results[0] == results[1]
    assert len(results[0]) > 100_000


def test_columns_of_numpy_go_in_and_come_out(clickhouse_url: str) -> None:
    columns = [
        numpy.arange(50_000, dtype="uint32"),
        numpy.array(["a", "b"] * 25_000, dtype=object),
        numpy.linspace(0, 1, 50_000),
    ]
    with connected(f"{clickhouse_url}?use_numpy=1&insert_block_size=20000") as client:
        client.execute("CREATE TABLE t (n UInt32, s LowCardinality(String), x Float64) ENGINE = MergeTree ORDER BY n")
        assert client.execute("INSERT INTO t (n, s, x) VALUES", columns, columnar=True) == 50_000
        got = client.execute("SELECT n, s, x FROM t ORDER BY n", columnar=True)
    assert all((ours == theirs).all() for ours, theirs in zip(columns, got, strict=True))


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("SELECT * FROM nowhere", 60, "nowhere"),
        ("SELECT nothing", 47, "nothing"),
        ("SELEC 1", 62, "Syntax error"),
        ("SELECT throwIf(number = 3) FROM numbers(5)", 395, "throwIf"),
        ("SELECT toUInt8('x')", 6, "'x'"),
        ("CREATE TABLE t (a UInt8) ENGINE = NoSuchEngine", 56, "NoSuchEngine"),
        ("SELECT sumState(1)", 48, "AggregateFunction"),
    ],
)
def test_an_error_has_its_code_and_the_server_goes_on(clickhouse_url: str, sql: str, code: int, words: str) -> None:
    with connected(clickhouse_url) as client:
        with pytest.raises(ServerException, match=words) as raised:
            client.execute(sql)
        assert raised.value.code == code
        assert client.execute("SELECT 1") == [(1,)]


def test_rows_that_a_table_refuses_are_an_error(clickhouse_url: str) -> None:
    with connected(clickhouse_url) as client:
        client.execute("CREATE TABLE t (n UInt32, CONSTRAINT small CHECK n < 100) ENGINE = MergeTree ORDER BY n")
        with pytest.raises(ServerException, match="small") as raised:
            client.execute("INSERT INTO t VALUES", [(1,), (100,)])
        assert raised.value.code == 469
        assert client.execute("SELECT count() FROM t") == [(0,)]


@pytest.mark.parametrize(("target", "code"), [("nowhere (n)", 60), ("t (missing)", 16)])
def test_an_insert_that_cannot_begin_says_why(clickhouse_url: str, target: str, code: int) -> None:
    with connected(clickhouse_url) as client:
        client.execute("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
        with pytest.raises(ServerException) as raised:
            client.execute(f"INSERT INTO {target} VALUES", [(1,)])
        assert raised.value.code == code


def test_results_without_rows_still_have_columns(clickhouse_url: str) -> None:
    with connected(clickhouse_url) as client:
        assert client.execute("SELECT 1 AS one WHERE 0", with_column_types=True) == ([], [("one", "UInt8")])
        assert client.execute("SHOW TABLES", with_column_types=True) == ([], [("name", "String")])
        assert client.execute("CREATE TABLE t (n UInt32) ENGINE = Memory", with_column_types=True) == ([], [])


def test_inserts_of_every_shape_arrive(clickhouse_url: str) -> None:
    with connected(clickhouse_url) as client:
        client.execute(
            "CREATE TABLE t (n UInt32, s String DEFAULT 'd', twice UInt32 MATERIALIZED n * 2) ENGINE = MergeTree ORDER BY n"
        )
        client.execute("INSERT INTO t (n) VALUES", [(1,)])
        client.execute("INSERT INTO t (* EXCEPT (s)) VALUES", [(2,)])
        client.execute("-- a comment\nINSERT INTO `t` FORMAT Native", [(3, "x")])
        client.execute("INSERT INTO t (n, s) SETTINGS max_threads = 1 VALUES", [{"n": 4, "s": "y"}])
        client.execute("INSERT INTO t (n, s) VALUES (5, 'in the text')")
        client.execute("INSERT INTO t (n) SELECT number FROM numbers(6, 2);")
        client.execute("INSERT INTO t VALUES", [])
        got = client.execute("SELECT n, s, twice FROM t ORDER BY n")
    assert got == [(n, {3: "x", 4: "y", 5: "in the text"}.get(n, "d"), 2 * n) for n in range(1, 8)]


def test_a_block_with_the_same_token_is_kept_once(clickhouse_url: str) -> None:
    with connected(clickhouse_url) as client:
        client.execute(
            "CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"
        )
        for token in ("first", "first", "second"):
            client.execute("INSERT INTO t VALUES", [(1,), (2,)], settings={"insert_deduplication_token": token})
        assert client.execute("SELECT count() FROM t") == [(4,)]
        client.execute("INSERT INTO t VALUES", [(3,), (4,)])
        client.execute("INSERT INTO t VALUES", [(5,), (6,)])  # no token is left over from a query before
        assert client.execute("SELECT count() FROM t") == [(8,)]


def test_an_insert_of_many_blocks_that_is_repeated_is_kept_once(clickhouse_url: str) -> None:
    rows = [(number,) for number in range(1000)]
    settings = {"insert_deduplication_token": "all", "insert_block_size": 300}
    with connected(clickhouse_url) as client:
        client.execute(
            "CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"
        )
        for _ in range(2):
            client.execute("INSERT INTO t VALUES", rows, settings=settings)
        assert client.execute("SELECT count(), uniqExact(n) FROM t") == [(1000, 1000)]


def test_deduplication_reaches_dependent_views_when_asked(clickhouse_url: str) -> None:
    window = "SETTINGS non_replicated_deduplication_window = 100"
    with connected(clickhouse_url) as client:
        client.execute(f"CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n {window}")
        client.execute(f"CREATE TABLE sums (total UInt64) ENGINE = MergeTree ORDER BY total {window}")
        client.execute("CREATE MATERIALIZED VIEW v TO sums AS SELECT sum(n) AS total FROM t")
        settings = {"insert_deduplication_token": "once", "deduplicate_blocks_in_dependent_materialized_views": 1}
        for _ in range(2):
            client.execute("INSERT INTO t VALUES", [(1,), (2,)], settings=settings)
        assert client.execute("SELECT total FROM sums") == [(3,)]


def test_settings_hold_for_their_query_only(clickhouse_url: str) -> None:
    with connected(clickhouse_url) as client:
        client.execute("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n PARTITION BY n")
        with pytest.raises(ServerException, match="Too many partitions") as raised:
            client.execute("INSERT INTO t VALUES", [(1,), (2,), (3,)], settings={"max_partitions_per_insert_block": 2})
        assert raised.value.code == 252
        assert client.execute("INSERT INTO t VALUES", [(1,), (2,), (3,)]) == 3
        read = "SELECT getSetting('max_block_size')"
        assert client.execute(read, settings={"max_block_size": 77, "no_such_setting": 1}) == [(77,)]
        assert client.execute(read) != [(77,)]


def test_parameters_are_filled_in_by_the_server(clickhouse_url: str) -> None:
    with connected(f"{clickhouse_url}?server_side_params=1") as client:
        given = {"text": "it's\n\\N {x:String}", "number": 7, "times": [1, 2]}
        got = client.execute("SELECT {text:String}, {number:UInt8}, {times:Array(UInt8)}", given)
    assert got == [(given["text"], 7, [1, 2])]


def test_clients_do_not_wait_for_one_another(clickhouse_native: ClickHouseNativeServer) -> None:
    with connected(clickhouse_native.url) as slow, connected(clickhouse_native.url) as quick:
        thread = threading.Thread(target=lambda: slow.execute("SELECT sleepEachRow(1) FROM numbers(2)"))
        begun = time.monotonic()
        thread.start()
        wait_until(lambda: _running_queries(quick) > 0, 60, "the slow query on the server")
        assert quick.execute("SELECT 1") == [(1,)]
        assert thread.is_alive()
        assert time.monotonic() - begun < 1.5
        thread.join(10)


def _running_queries(client: Client) -> int:
    return int(
        client.execute("SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow(1)%' AND query NOT LIKE '%LIKE%'")[
            0
        ][0]
    )


def test_rows_survive_a_crash_of_the_server_and_the_client_comes_back(own_clickhouse_native: ClickHouseNativeServer) -> None:
    server = own_clickhouse_native
    with connected(server.url) as client:
        client.execute("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
        client.execute("INSERT INTO t VALUES", [(number,) for number in range(1000)])
        server.kill()
        with pytest.raises((NetworkError, EOFError)):
            client.execute("SELECT 1")
        server.start()
        assert client.execute("SELECT count() FROM t") == [(1000,)]
        server.restart()
        assert client.execute("SELECT count() FROM t") == [(1000,)]


def test_an_insert_that_is_cut_off_writes_nothing(clickhouse_url: str) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield from ((number,) for number in range(2000))
        raise ValueError("the source broke")

    with connected(clickhouse_url) as client:
        client.execute("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
        with pytest.raises(ValueError, match="the source broke"):
            client.execute("INSERT INTO t VALUES", rows(), settings={"insert_block_size": 500})
        assert client.execute("SELECT count() FROM t") == [(0,)]


def test_only_the_named_user_gets_in_and_only_through_tls(tls_files: tuple[Path, Path]) -> None:
    with ClickHouseNativeServer(user="reader", password="s3cret", tls=tls_files) as server:
        trusting = f"?ca_certs={tls_files[0]}"
        with connected(server.url + trusting) as client:
            assert client.execute("SELECT 1") == [(1,)]
        with connected(server.url.replace("s3cret", "wrong") + trusting) as client:
            with pytest.raises(ServerException, match="Authentication failed") as raised:
                client.execute("SELECT 1")
            assert raised.value.code == 516
        with connected(server.url) as client, pytest.raises(NetworkError, match="CERTIFICATE_VERIFY_FAILED"):
            client.execute("SELECT 1")
        with connected(server.url + trusting) as client:
            client.execute("SELECT 1")
            begun = time.monotonic()
            server.stop()  # does not wait for a client that says nothing
            assert time.monotonic() - begun < 4.0


def test_an_unknown_database_is_refused(clickhouse_native: ClickHouseNativeServer) -> None:
    with connected(clickhouse_native.url_of("nowhere")) as client:
        with pytest.raises(ServerException, match="nowhere") as raised:
            client.execute("SELECT 1")
        assert raised.value.code == 81


def test_the_old_server_takes_and_gives_rows(clickhouse18_url: str) -> None:
    rows = [
        (number, f"route {number % 3}", MIDNIGHT, None if number % 2 else 0.5, ["a"] * (number % 3)) for number in range(1000)
    ]
    with connected(clickhouse18_url) as client:
        client.execute(
            "CREATE TABLE t (n UInt32, s String, at DateTime('UTC'), x Nullable(Float32), a Array(String))"
            " ENGINE = MergeTree ORDER BY n"
        )
        client.execute("INSERT INTO t VALUES", rows)
        assert client.execute("SELECT * FROM t ORDER BY n") == rows
        assert client.execute("SELECT version()")[0][0].startswith("18.16")
        with pytest.raises(ServerException, match="nowhere") as raised:
            client.execute("SELECT * FROM nowhere")
        assert raised.value.code == 60


def _post(url: str, timeout_s: float = 5.0) -> int:
    request = urllib.request.Request(url, data=b'{"text": "hello"}', headers={"X-Key": "k"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_the_receiver_keeps_requests_and_answers_as_told(receiver: Receiver) -> None:
    receiver.answer(503, Answer(drop=True), Answer(delay_s=10), otherwise=201)
    assert _post(receiver.url + "/hook") == 503
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        _post(receiver.url + "/hook")
    with pytest.raises(TimeoutError):
        _post(receiver.url + "/hook", timeout_s=0.2)
    assert _post(receiver.url + "/hook?last") == 201
    kept = receiver.wait_for(4, timeout_s=5)
    assert [one.path for one in kept] == ["/hook"] * 3 + ["/hook?last"]
    assert all(one.json == {"text": "hello"} and one.headers["x-key"] == "k" and one.method == "POST" for one in kept)
    assert sorted(one.at_s for one in kept) == [one.at_s for one in kept]


def test_the_browser_tells_what_is_wrong_with_a_page(browser: Browser, receiver: Receiver, tmp_path: Path) -> None:
    html = b"""<!doctype html><link rel="icon" href="data:,"><h1>Page</h1>"""
    faulty = html + b"""<script>console.error('bad'); fetch('http://example.invalid/x').catch(() => 0); nothing()</script>"""
    receiver.answer(otherwise=Answer(body=html, headers={"content-type": "text/html"}))
    with BrowserPage(browser, width=PHONE) as clean:
        assert clean.open(receiver.url).text_content("h1") == "Page"
        clean.assert_clean()
        clean.screenshot(tmp_path / "shots" / "page.png")
        assert clean.requested == [receiver.url + "/"]
    assert (tmp_path / "shots" / "page.png").read_bytes().startswith(b"\x89PNG")
    receiver.answer(otherwise=Answer(body=faulty, headers={"content-type": "text/html"}))
    with BrowserPage(browser) as page:
        page.open(receiver.url)
        assert page.requests_that_left == ["http://example.invalid/x"]
        complaints = "\n".join(page.complaints)
        assert "error: bad" in complaints
        assert "uncaught: " in complaints
        assert "ERR_NAME_NOT_RESOLVED" in complaints
        with pytest.raises(AssertionError, match=r"example\.invalid"):
            page.assert_clean()
