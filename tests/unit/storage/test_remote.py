"""The embedded store through its owner's API: what is repeated, what is not, and what the user reads."""

import math
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import StoreSettings
from core.errors import StoreError, StoreUnavailable
from storage.contract import Store
from storage.remote import RemoteStore, answer, authorised, handle_command, handle_insert, handle_query
from storage.wire import decode_error, decode_request, decode_rows, encode_error, encode_request, encode_rows
from tests.support.store_api import Fault, store_api
from tests.support.stores import chdb_store

TOKEN = "the-owner's-token"
PATIENT = StoreSettings(retries=3, connect_timeout=timedelta(seconds=2), query_timeout=timedelta(seconds=10))
ROWS = pa.table({"a": pa.array([1, 2], pa.uint8())})


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("remote")) as store:
        yield store


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


@pytest.fixture
def empty(owner: Store) -> Store:
    owner.command("DROP TABLE IF EXISTS t")
    owner.command("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100")
    return owner


def count(store: Store) -> int:
    return int(store.arrow("SELECT count() AS n FROM t").column("n")[0].as_py())


def breaks(action: str, where: str, times: int = 1) -> Fault:
    """The first `times` requests of `action` break off there."""
    left = [times]

    def fault(asked: str, number: int) -> str:
        if asked != action or left[0] == 0:
            return ""
        left[0] -= 1
        return where

    return fault


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_query_whose_answer_is_lost_is_asked_again(empty: Store, token_file: Path, where: str) -> None:
    fault = breaks("arrow", where, 2)
    with store_api(empty, TOKEN, fault) as api:
        store = RemoteStore(api.address, token_file, PATIENT)  # asks for the version: the fault meets this one
        assert store.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        assert api.requests == ["arrow"] * 4
        store.close()


@pytest.mark.parametrize("where", ["before", "after"])
def test_an_insert_with_a_token_is_sent_again_and_written_once(empty: Store, token_file: Path, where: str) -> None:
    with store_api(empty, TOKEN, breaks("insert", where)) as api:
        store = RemoteStore(api.address, token_file, PATIENT)
        store.insert("t", ROWS, token=f"once/{where}")
        assert api.requests.count("insert") == 2
        store.close()
    assert count(empty) == 2


@pytest.mark.parametrize(("where", "written"), [("before", 0), ("after", 2)])
def test_an_insert_without_a_token_is_never_sent_twice(empty: Store, token_file: Path, where: str, written: int) -> None:
    with store_api(empty, TOKEN, breaks("insert", where)) as api:
        store = RemoteStore(api.address, token_file, PATIENT)
        with pytest.raises(StoreUnavailable, match="whether it was carried out is not known"):
            store.insert("t", ROWS)
        assert api.requests.count("insert") == 1
        store.close()
    assert count(empty) == written


def test_a_command_is_never_sent_twice(empty: Store, token_file: Path) -> None:
    with store_api(empty, TOKEN, breaks("command", "after")) as api:
        store = RemoteStore(api.address, token_file, PATIENT)
        with pytest.raises(StoreUnavailable, match="not known"):
            store.command("INSERT INTO t VALUES (1)")
        store.close()
    assert count(empty) == 1


def test_repeats_are_bounded(empty: Store, token_file: Path) -> None:
    with store_api(empty, TOKEN, breaks("arrow", "before", 100)) as api:
        with pytest.raises(StoreUnavailable, match=rf"^store: the owner's API at {api.address} does not answer \(.+\)$"):
            RemoteStore(api.address, token_file, StoreSettings(retries=2))
        assert len(api.requests) == 3


def test_nobody_there_is_one_line(token_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(StoreUnavailable) as refused:
        RemoteStore(address, token_file, StoreSettings(retries=1))
    assert str(refused.value).startswith(f"store: the owner's API at {address} does not answer (")
    assert "\n" not in str(refused.value)


def test_a_new_owner_at_the_same_address_is_recognised(empty: Store, token_file: Path) -> None:
    with store_api(empty, TOKEN) as api:
        store = RemoteStore(api.address, token_file, PATIENT)
        api.token = "the-next-owner's-token"
        token_file.write_text(api.token)
        assert store.arrow("SELECT 1 AS one").num_rows == 1
        api.token = "yet-another"
        with pytest.raises(StoreUnavailable, match="refused the token"):
            store.arrow("SELECT 1 AS one")
        store.close()


def test_an_owner_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="its owner is gone"):
        RemoteStore("http://127.0.0.1:1", tmp_path / "no-token", PATIENT)


def test_a_closed_store_says_so(empty: Store, token_file: Path) -> None:
    with store_api(empty, TOKEN) as api:
        store = RemoteStore(api.address, token_file, PATIENT)
        store.close()
        store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            store.arrow("SELECT 1 AS one")


def test_proxies_of_the_environment_are_not_used(empty: Store, token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with store_api(empty, TOKEN) as api:
        store = RemoteStore(api.address, token_file, PATIENT)
        assert store.arrow("SELECT 1 AS one").num_rows == 1
        store.close()


def test_the_handlers_take_and_give_bytes(empty: Store) -> None:
    handle_insert(empty, encode_rows(ROWS), {"table": "t", "token": "bytes"})
    handle_command(empty, encode_request("INSERT INTO t SELECT {a:UInt8}", {"a": 9}))
    answered = handle_query(empty, encode_request("SELECT a FROM t WHERE a < {a:UInt8} ORDER BY a", {"a": 9}))
    assert decode_rows(answered).to_pylist() == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("action", "body", "params", "status"),
    [
        ("arrow", b"", {}, 400),
        ("arrow", b"[]", {}, 400),
        ("arrow", b'{"sql": 1}', {}, 400),
        ("arrow", b'{"sql": "SELECT 1", "params": []}', {}, 400),
        ("arrow", b'{"sql": "SELECT {a:UInt8}", "params": {"a": {"b": 1}}}', {}, 400),
        ("arrow", b'{"sql": "SELECT {a:UInt8}"}', {}, 400),
        ("arrow", b'{"sql": "SELECT nosuch"}', {}, 422),
        ("insert", b"", {"table": "t"}, 400),
        ("insert", encode_rows(ROWS), {}, 400),
        ("insert", encode_rows(ROWS), {"table": "a b"}, 400),
        ("insert", encode_rows(ROWS), {"table": "nosuch"}, 422),
        ("other", b"", {}, 400),
    ],
)
def test_bad_requests_are_answered_not_raised(
    empty: Store, action: str, body: bytes, params: dict[str, str], status: int
) -> None:
    reply = answer(empty, action, body, params)
    assert (reply.status, reply.media_type) == (status, "application/json")
    assert set(orjson.loads(reply.body)) == {"error", "message", "code"}


@pytest.mark.parametrize(
    ("header", "good"),
    [(f"Bearer {TOKEN}", True), (TOKEN, True), ("Bearer ", False), (None, False), ("", False), (f"Bearer {TOKEN}x", False),
     (f"Bearer {TOKEN[:-1]}", False), ("Bearer ü", False)],
)  # fmt: skip
def test_only_the_token_opens(header: str | None, good: bool) -> None:
    assert authorised(header, TOKEN) == good
    assert not authorised("", "")  # no token, no entry
    assert not authorised(None, "")


@pytest.mark.parametrize(
    "error", [StoreError("store: no such table", 60), StoreUnavailable("store: busy"), ValueError("parameter 'a': too large")]
)
def test_errors_arrive_as_they_left(error: Exception) -> None:
    back = decode_error(*encode_error(error))
    assert (type(back), str(back), getattr(back, "code", 0)) == (type(error), str(error), getattr(error, "code", 0))


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"error": "refused"}'])
def test_another_servers_errors_are_told_apart(body: bytes) -> None:
    assert "answered with status 502" in str(decode_error(502, body))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])),
)


@given(params=st.dictionaries(st.text("abc", min_size=1), st.one_of(VALUES, st.lists(VALUES, max_size=4))))
@settings(max_examples=200)
def test_values_travel_unchanged(params: dict[str, object]) -> None:
    sql, back = decode_request(encode_request("SELECT 1", params))  # type: ignore[arg-type]
    assert sql == "SELECT 1"
    assert back.keys() == params.keys()
    assert all(_same(back[name], params[name]) for name in params)


def _same(one: object, other: object) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(other):
        return math.isnan(one)
    return one == other and isinstance(one, type(other))


def test_a_time_without_a_zone_does_not_travel() -> None:
    with pytest.raises(ValueError, match="time zone"):
        encode_request("SELECT 1", {"a": datetime(2026, 1, 1)})  # noqa: DTZ001 - a naive time is what is refused
