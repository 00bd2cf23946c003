from datetime import UTC, datetime

from storage.calls import insert_calls
from storage.contract import Store
from storage.health import ping, stats, table_sizes
from tests.unit.storage.batches import at, batch


def test_an_empty_store_has_no_span(store: Store) -> None:
    found = stats(store)
    assert (found.calls, found.first_ts, found.last_ts) == (0, None, None)
    assert found.version == store.capabilities.version != ""


def test_what_is_kept_is_counted(store: Store) -> None:
    before = stats(store).bytes_on_disk
    now = datetime.now(UTC).replace(microsecond=0)
    insert_calls(store, batch([{"ts": at(0)}, {"ts": now, "topic": "gateway-calls"}]))
    found = stats(store)
    assert (found.calls, found.first_ts, found.last_ts) == (2, at(0), now)
    assert found.bytes_on_disk > before


def test_ping_returns(store: Store) -> None:
    ping(store)


def test_tables_are_told_by_their_size(store: Store) -> None:
    insert_calls(store, batch([{"ts": at(0)}]))
    found = table_sizes(store)
    assert [one.bytes for one in found] == sorted((one.bytes for one in found), reverse=True)
    calls = next(one for one in found if one.name == "calls")
    assert calls.rows >= 1
    assert calls.parts >= 1
