"""One suite for every engine: the embedded one, a server, and the embedded one through its owner's API."""

import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from core.config import RetentionSettings, StoreSettings
from core.errors import StoreError, StoreUnavailable
from core.record import CALL_SCHEMA
from storage.contract import Store
from storage.migrate import migrate
from storage.open import api_token, open_store
from storage.remote import RemoteStore
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.rollups import ROLLUP_TABLES
from tests.support.store_api import store_api
from tests.support.stores import chdb_store

NASTY = (
    "",
    " ",
    "'",
    "''",
    "\\",
    "\\'",
    "\\\\' OR 1=1 --",
    "{other:String}",
    "a\0b",
    "\0",
    "\n\t\r",
    "ü 中文 🙂",
    "\\N",
    "\\0",
    '`"%s%d{}',
    "/* */ -- ;",
)
_names = itertools.count(1)


@contextmanager
def _server_store(url: str) -> Iterator[Store]:
    store = open_store(StoreSettings(url=url), owner=True)
    try:
        migrate(store)
        yield store
    finally:
        store.close()


@contextmanager
def _remote_store(folder: Path) -> Iterator[Store]:
    with chdb_store(folder) as owner, store_api(owner, api_token(owner)) as api:
        remote = RemoteStore(api.address, folder / "store" / "tpscope.token", StoreSettings())
        try:
            yield remote
        finally:
            remote.close()


@pytest.fixture(scope="module", params=["chdb", "remote", "clickhouse"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A migrated store of each engine."""
    if request.param == "chdb":
        opened = chdb_store(tmp_path_factory.mktemp("chdb"))
    elif request.param == "remote":
        opened = _remote_store(tmp_path_factory.mktemp("remote"))
    else:
        server: ClickHouseNativeServer = request.getfixturevalue("clickhouse_native")
        opened = _server_store(server.url_of("store_contract"))
    with opened as one:
        yield one


@pytest.fixture
def table(store: Store) -> Callable[[str], str]:
    """Makes a table of the given columns and tells its name."""

    def make(columns: str, rest: str = "ENGINE = MergeTree ORDER BY tuple()") -> str:
        name = f"contract_{next(_names)}"
        store.command(f"CREATE TABLE {name} ({columns}) {rest}")
        return name

    return make


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def call(**values: object) -> dict[str, object]:
    """A call with every column given, so that the table needs no default."""
    blank: dict[str, object] = {}
    for field in CALL_SCHEMA:
        if pa.types.is_string(field.type):
            blank[field.name] = ""
        elif pa.types.is_map(field.type):
            blank[field.name] = []
        elif pa.types.is_timestamp(field.type):
            blank[field.name] = datetime.now(UTC).replace(microsecond=0)
        else:
            blank[field.name] = None if field.nullable else 0
    return blank | values


def calls(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=CALL_SCHEMA)


def totals(store: Store) -> dict[str, int]:
    """Calls in the table and in each rollup."""
    counted = {"calls": int(store.arrow("SELECT count() AS n FROM calls").column("n")[0].as_py())}
    for name in ROLLUP_TABLES:
        counted[name] = int(store.arrow(f"SELECT sum(calls) AS n FROM {name}").column("n")[0].as_py())
    return counted


def grown(before: dict[str, int], by: int) -> dict[str, int]:
    return {name: count + by for name, count in before.items()}


def test_it_says_what_it_is(store: Store) -> None:
    assert store.capabilities.name in ("chdb", "clickhouse", "remote")
    assert store.capabilities.version == store.arrow("SELECT version() AS v").column("v")[0].as_py()
    assert store.capabilities.owner == (store.capabilities.name == "chdb")


COLUMNS = """
    t3 DateTime64(3, 'UTC'), t9 DateTime64(9, 'UTC'), t0 DateTime('UTC'), d Date,
    i8 Int8, u8 UInt8, i16 Int16, u16 UInt16, i32 Int32, u32 UInt32, i64 Int64, u64 UInt64, f32 Float32, f64 Float64, b Bool,
    s String, lc LowCardinality(String), lcn LowCardinality(Nullable(String)),
    n_u16 Nullable(UInt16), n_f32 Nullable(Float32), n_b Nullable(Bool), n_s Nullable(String),
    n_t Nullable(DateTime64(3, 'UTC')),
    m Map(String, String), a_s Array(String), a_f Array(Float64), a_u Array(UInt32), a_lc Array(LowCardinality(String))
"""
EVERYTHING = pa.schema(
    [
        ("t3", pa.timestamp("ms", tz="UTC")),
        ("t9", pa.timestamp("ns", tz="UTC")),
        ("t0", pa.timestamp("s", tz="UTC")),
        ("d", pa.date32()),
        *((name, getattr(pa, kind)()) for name, kind in
          (("i8", "int8"), ("u8", "uint8"), ("i16", "int16"), ("u16", "uint16"), ("i32", "int32"), ("u32", "uint32"),
           ("i64", "int64"), ("u64", "uint64"), ("f32", "float32"), ("f64", "float64"), ("b", "bool_"))),
        *((name, pa.string()) for name in ("s", "lc", "lcn")),
        ("n_u16", pa.uint16()),
        ("n_f32", pa.float32()),
        ("n_b", pa.bool_()),
        ("n_s", pa.string()),
        ("n_t", pa.timestamp("ms", tz="UTC")),
        ("m", pa.map_(pa.string(), pa.string())),
        ("a_s", pa.list_(pa.string())),
        ("a_f", pa.list_(pa.float64())),
        ("a_u", pa.list_(pa.uint32())),
        ("a_lc", pa.list_(pa.string())),
    ]
)  # fmt: skip
NULLABLE = {"lcn", "n_u16", "n_f32", "n_b", "n_s", "n_t"}
LOW = {
    "t3": utc(1969, 12, 31, 23, 59, 59, 999000), "t9": utc(2000, 1, 1), "t0": utc(1970, 1, 1), "d": date(1970, 1, 1),
    "i8": -(2**7), "u8": 0, "i16": -(2**15), "u16": 0, "i32": -(2**31), "u32": 0, "i64": -(2**63), "u64": 0,
    "f32": -math.inf, "f64": 5e-324, "b": False, "s": "", "lc": "", "lcn": None,
    "n_u16": None, "n_f32": None, "n_b": None, "n_s": None, "n_t": None, "m": [], "a_s": [], "a_f": [], "a_u": [], "a_lc": [],
}  # fmt: skip
HIGH = {
    "t3": utc(2105, 7, 8, 9, 10, 11, 123000), "t9": utc(2026, 3, 4, 5, 6, 7, 89), "t0": utc(2106, 2, 7), "d": date(2149, 6, 6),
    "i8": 2**7 - 1, "u8": 2**8 - 1, "i16": 2**15 - 1, "u16": 2**16 - 1, "i32": 2**31 - 1, "u32": 2**32 - 1, "i64": 2**63 - 1,
    "u64": 2**64 - 1, "f32": 1.5, "f64": 1.7976931348623157e308, "b": True, "s": "a\0b'\\\n🙂", "lc": "ü" * 300, "lcn": "",
    "n_u16": 0, "n_f32": 0.0, "n_b": False, "n_s": "", "n_t": utc(1970, 1, 1), "m": [("k'", "v\0"), ("", "")],
    "a_s": ["", "x" * 20_000, "'"], "a_f": [math.inf, -0.0, 0.1], "a_u": [1, 2, 3], "a_lc": ["a", "b", "a"],
}  # fmt: skip


def test_every_type_comes_back_as_it_went_in(store: Store, table: Callable[[str], str]) -> None:
    name = table(COLUMNS)
    rows = pa.Table.from_pylist([LOW, HIGH], schema=EVERYTHING)
    store.insert(name, rows)
    back = store.arrow(f"SELECT * FROM {name} ORDER BY u8")
    assert back.schema.names == EVERYTHING.names
    assert {field.name for field in back.schema if field.nullable} == NULLABLE
    assert back.to_pylist() == rows.to_pylist()
    for field in EVERYTHING:
        assert _alike(back.schema.field(field.name).type, field.type), field.name


def _alike(one: pa.DataType, other: pa.DataType) -> bool:
    """Equal but for whether elements may be NULL, which engines say differently."""
    if pa.types.is_list(one) and pa.types.is_list(other):
        return bool(one.value_type == other.value_type)
    return bool(one == other or (pa.types.is_map(one) and pa.types.is_map(other)))


def test_not_a_number_is_a_value(store: Store, table: Callable[[str], str]) -> None:
    name = table("f Float64, n Nullable(Float64)")
    store.insert(name, pa.table({"f": [math.nan], "n": [math.nan]}))
    back = store.arrow(f"SELECT f, n, isNull(n) AS missing FROM {name}").to_pylist()[0]
    assert math.isnan(back["f"])
    assert math.isnan(back["n"])
    assert back["missing"] == 0


def test_dictionaries_slices_and_chunks_are_columns_too(store: Store, table: Callable[[str], str]) -> None:
    name = table("k UInt32, lc LowCardinality(String), s String, n Nullable(String), m Map(String, String), a Array(UInt8)")
    text = pa.array([f"v{number % 300}" for number in range(1000)])
    whole = pa.table(
        {
            "k": pa.array(range(1000), pa.uint32()),
            "lc": text.dictionary_encode(),
            "s": text.dictionary_encode(),
            "n": pa.array([None if number % 7 == 0 else f"{number}" for number in range(1000)]).dictionary_encode(),
            "m": pa.array(
                [[(f"{key}", "x") for key in range(number % 3)] for number in range(1000)], pa.map_(pa.string(), pa.string())
            ),
            "a": pa.array([[number % 256] * (number % 4) for number in range(1000)], pa.list_(pa.uint8())),
        }
    )
    other = whole.slice(0, 10).set_column(1, "lc", pa.array(["new"] * 10).dictionary_encode())
    rows = pa.concat_tables([whole.slice(3, 500), whole.slice(700, 299), other])
    store.insert(name, rows)
    back = store.arrow(f"SELECT k, lc, s, n, m, a FROM {name} ORDER BY k, lc")
    expected = sorted(rows.to_pylist(), key=lambda row: (row["k"], row["lc"]))
    assert back.to_pylist() == expected


def test_missing_columns_get_their_defaults(store: Store, table: Callable[[str], str]) -> None:
    name = table("a UInt8, b String DEFAULT 'given', c Nullable(UInt8), d UInt16 MATERIALIZED a + 1")
    store.insert(name, pa.table({"a": pa.array([1], pa.uint8())}))
    assert store.arrow(f"SELECT a, b, c, d FROM {name}").to_pylist() == [{"a": 1, "b": "given", "c": None, "d": 2}]


def test_columns_are_matched_by_name(store: Store, table: Callable[[str], str]) -> None:
    name = table("first UInt8, offset String, values String")
    store.insert(name, pa.table({"values": ["v"], "offset": ["o"], "first": pa.array([1], pa.uint8())}))
    assert store.arrow(f"SELECT first, offset, values FROM {name}").to_pylist() == [{"first": 1, "offset": "o", "values": "v"}]


def test_no_row_is_nothing_to_insert(store: Store, table: Callable[[str], str]) -> None:
    name = table("a UInt8")
    store.insert(name, pa.table({"a": pa.array([], pa.uint8())}))
    store.insert(name, pa.table({"a": pa.chunked_array([], pa.uint8())}))
    assert store.arrow(f"SELECT count() AS n FROM {name}").to_pylist() == [{"n": 0}]


def test_an_empty_result_keeps_its_columns(store: Store, table: Callable[[str], str]) -> None:
    name = table(COLUMNS)
    empty = store.arrow(f"SELECT * FROM {name}")
    assert (empty.num_rows, empty.schema.names) == (0, EVERYTHING.names)
    assert empty.schema.field("t0").type == pa.timestamp("s", tz="UTC")
    frame = store.frame(f"SELECT t3, t0, u16, n_u16, s FROM {name}")
    assert [str(kind) for kind in frame.dtypes] == ["datetime64[ms, UTC]", "datetime64[ms, UTC]", "uint16", "float64", "str"]


def test_frames_have_one_set_of_dtypes(store: Store, table: Callable[[str], str]) -> None:
    name = table(COLUMNS)
    store.insert(name, pa.Table.from_pylist([HIGH], schema=EVERYTHING))
    frame = store.frame(f"SELECT * FROM {name}")
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert list(frame.index) == [0]
    assert {kinds[name] for name in ("t3", "t9", "t0", "n_t")} == {"datetime64[ms, UTC]"}
    assert (kinds["u64"], kinds["f32"], kinds["b"], kinds["n_b"]) == ("uint64", "float32", "bool", "object")
    assert (kinds["n_u16"], kinds["lc"], kinds["n_s"]) == ("float64", "str", "str")
    assert frame["m"][0] == {"k'": "v\0", "": ""}
    assert frame["a_u"][0].tolist() == [1, 2, 3]


def test_parameters_arrive_as_they_are(store: Store) -> None:
    moment = utc(2026, 3, 4, 5, 6, 7, 891000)
    row = store.arrow(
        """SELECT {s:String} AS s, {i:Int64} AS i, {u:UInt64} AS u, {f:Float64} AS f, {b:Bool} AS b, {n:Nullable(String)} AS n,
        {t3:DateTime64(3)} AS t3, {t0:DateTime} AS t0, {a_s:Array(String)} AS a_s, {a_f:Array(Float64)} AS a_f,
        {empty:Array(UInt8)} AS empty""",
        {
            "s": "it's", "i": -(2**63), "u": 2**64 - 1, "f": 0.1, "b": True, "n": None, "t3": moment, "t0": moment,
            "a_s": list(NASTY), "a_f": [1e-300, math.inf], "empty": [],
        },
    ).to_pylist()[0]  # fmt: skip
    assert row == {
        "s": "it's", "i": -(2**63), "u": 2**64 - 1, "f": 0.1, "b": True, "n": None, "t3": moment,
        "t0": moment.replace(microsecond=0), "a_s": list(NASTY), "a_f": [1e-300, math.inf], "empty": [],
    }  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_a_text_cannot_leave_its_place(store: Store, text: str) -> None:
    row = store.arrow("SELECT {text:String} AS text, {other:String} AS other", {"text": text, "other": "kept"}).to_pylist()[0]
    assert row == {"text": text, "other": "kept"}


def test_times_compare_with_columns(store: Store, table: Callable[[str], str]) -> None:
    name = table("ts DateTime64(3, 'UTC'), minute DateTime('UTC')")
    start = utc(2026, 3, 29, 0)  # clocks change in Europe on this day
    moments = [start + timedelta(minutes=30 * step) for step in range(8)]
    column = pa.array(moments, pa.timestamp("ms", tz="UTC"))
    store.insert(name, pa.table({"ts": column, "minute": column.cast(pa.timestamp("s", tz="UTC"))}))
    span = {"start": moments[2], "end": moments[5]}
    for column_name, kind in (("ts", "DateTime64(3)"), ("minute", "DateTime")):
        sql = f"SELECT {column_name} AS t FROM {name} WHERE t >= {{start:{kind}}} AND t < {{end:{kind}}} ORDER BY t"
        assert store.arrow(sql, span).column("t").to_pylist() == moments[2:5]


def test_long_lists_fit_into_a_statement(store: Store) -> None:
    texts = [f"selector-{number:05d}-{'x' * 30}" for number in range(20_000)]
    sql = "SELECT length({texts:Array(String)}) AS n, has({texts:Array(String)}, {one:String}) AS found"
    assert store.arrow(sql, {"texts": texts, "one": texts[-1]}).to_pylist() == [{"n": 20_000, "found": 1}]


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT {a:UInt8} AS a", {}),
        ("SELECT {a:UInt8} AS a", {"a": 256}),
        ("SELECT {a:UInt8} AS a", {"a": "1"}),
        ("SELECT {a:String} AS a", {"a": None}),
        ("SELECT {a:DateTime} AS a", {"a": datetime(2026, 1, 1)}),  # noqa: DTZ001 - a naive time is what is refused
        ("SELECT 1 AS a", {"a": 1}),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(store: Store, sql: str, params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"param|time zone"):
        store.arrow(sql, params)  # type: ignore[arg-type]


def test_large_results_come_whole(store: Store) -> None:
    back = store.arrow("SELECT number AS n, toString(number) AS s FROM numbers(300000) ORDER BY n")
    assert back.num_rows == 300_000
    assert np.array_equal(back.column("n").to_numpy(), np.arange(300_000))
    assert back.column("s")[299_999].as_py() == "299999"


def test_a_batch_reaches_the_calls_and_every_rollup(store: Store) -> None:
    before = totals(store)
    store.insert("calls", calls([call(service=f"s{number % 3}", latency_ms=float(number)) for number in range(60)]))
    assert totals(store) == grown(before, 60)


def test_a_token_lets_a_batch_in_once(store: Store) -> None:
    before = totals(store)
    batch = calls([call(service="token", offset=number) for number in range(10)])
    store.insert("calls", batch, token="contract/0/0-10")
    store.insert("calls", batch, token="contract/0/0-10")
    assert totals(store) == grown(before, 10)
    store.insert("calls", batch, token="contract/0/10-20")
    assert totals(store) == grown(before, 20)


def test_without_tokens_equal_batches_are_two(store: Store) -> None:
    before = totals(store)
    batch = calls([call(service="twice", offset=number) for number in range(10)])
    store.insert("calls", batch)
    store.insert("calls", batch)
    assert totals(store) == grown(before, 20)


def test_a_token_covers_all_days_of_a_batch(store: Store) -> None:
    before = int(store.arrow("SELECT count() AS n FROM calls").column("n")[0].as_py())
    first = utc(2020, 1, 1)
    batch = calls([call(ts=first + timedelta(days=day), topic="import:contract", offset=day) for day in range(120)])
    for _ in range(2):
        store.insert("calls", batch, token="import/contract/0")
    assert int(store.arrow("SELECT count() AS n FROM calls").column("n")[0].as_py()) == before + 120


def test_all_rows_or_none(store: Store, table: Callable[[str], str]) -> None:
    name = table("a UInt32, CONSTRAINT small CHECK a < 299999")
    with pytest.raises(StoreError) as refused:
        store.insert(name, pa.table({"a": pa.array(range(300_000), pa.uint32())}))
    assert refused.value.code == 469  # VIOLATED_CONSTRAINT
    assert store.arrow(f"SELECT count() AS n FROM {name}").to_pylist() == [{"n": 0}]


def test_a_repeat_completes_what_failed_half_way(store: Store, table: Callable[..., str]) -> None:
    """The table has the rows and a rollup does not: the same token lets in what is missing, and only that."""
    source = table("k UInt8, n UInt32", "ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100")
    target = "ENGINE = SummingMergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 100"
    good, bad = table("k UInt8, calls UInt64", target), table("k UInt8, calls UInt64", target)
    fails = table("now UInt8")
    store.command(f"CREATE MATERIALIZED VIEW {good}_mv TO {good} AS SELECT k, count() AS calls FROM {source} GROUP BY k")
    store.command(
        f"""CREATE MATERIALIZED VIEW {bad}_mv TO {bad} AS
        SELECT k, count() + throwIf((SELECT count() FROM {fails}) > 0) AS calls FROM {source} GROUP BY k"""
    )
    rows = pa.table({"k": pa.array([1, 1, 2], pa.uint8()), "n": pa.array([1, 2, 3], pa.uint32())})
    store.command(f"INSERT INTO {fails} VALUES (1)")
    with pytest.raises(StoreError):
        store.insert(source, rows, token="half")
    store.command(f"TRUNCATE TABLE {fails}")
    for _ in range(2):
        store.insert(source, rows, token="half")
        assert store.arrow(f"SELECT count() AS n FROM {source}").to_pylist() == [{"n": 3}]
        for name in (good, bad):
            assert store.arrow(f"SELECT sum(calls) AS n FROM {name}").to_pylist() == [{"n": 3}], name


def test_a_null_is_refused_where_the_column_takes_none(store: Store, table: Callable[[str], str]) -> None:
    name = table("a UInt8")
    with pytest.raises(StoreError, match=r"NULL|Null"):
        store.insert(name, pa.table({"a": pa.array([1, None], pa.uint8())}))
    assert store.arrow(f"SELECT count() AS n FROM {name}").to_pylist() == [{"n": 0}]


@pytest.mark.parametrize(
    ("sql", "code"),
    [("SELECT nosuch FROM calls", 47), ("SELECT 1 FROM nosuch", 60), ("SELEC", 62), ("SELECT throwIf(1, 'my words')", 395)],
)
def test_a_refused_statement_is_one_line_with_a_code(store: Store, sql: str, code: int) -> None:
    with pytest.raises(StoreError) as refused:
        store.arrow(sql)
    assert refused.value.code in (code, 47)  # the embedded parser takes a lone word for an expression
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("store: ")
    assert "Stack trace" not in str(refused.value)


def test_a_refused_command_and_insert_say_so(store: Store, table: Callable[[str], str]) -> None:
    name = table("a UInt8")
    with pytest.raises(StoreError) as twice:
        store.command(f"CREATE TABLE {name} (a UInt8) ENGINE = MergeTree ORDER BY a")
    assert twice.value.code == 57
    rows = pa.table({"a": pa.array([1], pa.uint8()), "b": ["x"]})
    with pytest.raises(StoreError):
        store.insert(name, rows)
    with pytest.raises(StoreError) as unknown:
        store.insert("nosuch", rows)
    assert unknown.value.code == 60
    assert store.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]  # the connection is good for more


@pytest.mark.parametrize("name", ["", "a b", "a`b", "calls; DROP TABLE calls", "système", "1a", "system.one"])
def test_only_plain_names_are_tables(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a table"):
        store.insert(name, pa.table({"a": [1]}))
    with pytest.raises(ValueError, match="no name of a table"):
        store.insert("calls", pa.table({name: [1]}))


def test_a_query_beyond_its_time_is_ended(store: Store) -> None:
    slow = "SELECT count() AS n FROM numbers(100000000000) WHERE sipHash64(number) = 0 SETTINGS max_execution_time = 0.3"
    with pytest.raises(StoreUnavailable, match=r"^store: .*\b(T|t)imeout"):
        store.arrow(slow)
    assert store.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_what_a_failed_query_had_put_out_is_gone(store: Store) -> None:
    for _ in range(10):  # through every connection
        with pytest.raises(StoreError):
            store.arrow("SELECT number AS n, throwIf(number = 3000) AS t FROM numbers(10000) SETTINGS max_block_size = 100")
        assert store.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_threads_get_their_own_answers(store: Store, table: Callable[[str], str]) -> None:
    name = table("thread UInt8, n UInt32")

    def work(thread: int) -> int:
        for n in range(10):
            store.insert(name, pa.table({"thread": pa.array([thread] * 5, pa.uint8()), "n": pa.array([n] * 5, pa.uint32())}))
            row = store.arrow("SELECT {thread:UInt8} AS thread, {n:UInt32} AS n, sleep(0.001) AS z", {"thread": thread, "n": n})
            assert row.to_pylist() == [{"thread": thread, "n": n, "z": 0}]
        return thread

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(12))) == list(range(12))
    counted = store.arrow(f"SELECT thread, count() AS rows FROM {name} GROUP BY thread ORDER BY thread").to_pylist()
    assert counted == [{"thread": thread, "rows": 50} for thread in range(12)]


def test_migrations_and_retention_are_safe_to_repeat(store: Store) -> None:
    assert migrate(store, RetentionSettings()) == []
    changed = RetentionSettings(calls=timedelta(days=7), keep_imported=False)
    assert migrate(store, changed) == []
    ttl = store.arrow("SELECT engine_full AS e FROM system.tables WHERE database = currentDatabase() AND name = 'calls'")
    assert "toIntervalSecond(604800)" in ttl.column("e")[0].as_py()
    assert "origin" not in ttl.column("e")[0].as_py().split(" TTL ")[1]
    assert migrate(store, RetentionSettings()) == []


def test_a_closed_server_store_says_so(clickhouse_native: ClickHouseNativeServer) -> None:
    with _server_store(clickhouse_native.url_of("closed")) as server:
        assert server.arrow("SELECT 1 AS one").num_rows == 1
    server.close()  # a second time
    with pytest.raises(StoreUnavailable, match="closed"):
        server.arrow("SELECT 1")
