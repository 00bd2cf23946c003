"""Dead letters over a real store: listed, shown, and replayed once however the replay is interrupted."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pytest

from core.clock import FakeClock
from core.config import CardinalitySettings, FormatSettings, StoreSettings
from core.errors import StoreUnavailable
from core.types import DeadLetter
from ingest.cardinality import CardinalityGuard, build_guard
from ingest.formats import Format, build_format
from ingest.replay import Replay, ReplayReport
from ingest.replay_target import CallTarget, SampleTarget
from storage.calls import insert_calls, read_calls
from storage.contract import Capabilities, Params, Store
from storage.dead_letters import LetterFilter, count_dead_letters, find_dead_letters, write_dead_letters
from storage.remote import RemoteStore
from tests.support.rollups import ROLLUP_TABLES
from tests.support.store_api import store_api
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch
from tests.unit.storage.conftest import empty

NOW = datetime.now(UTC).replace(microsecond=0)
CALLED = NOW - timedelta(minutes=10)
MAPPED = build_format("mapped", {"mapped": FormatSettings.model_validate({"fields": {"ts": "when", "route": "path"}})})
NATIVE = build_format("tpscope", {})
EVERYTHING = LetterFilter()


@pytest.fixture(scope="module")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("letters")) as opened:
        yield opened


@pytest.fixture
def store(_opened: Store) -> Store:
    empty(_opened)
    return _opened


def letter(offset: int, payload: bytes | None = None, **changes: Any) -> DeadLetter:
    """A record that only `MAPPED` can read, rejected by another format."""
    kept = orjson.dumps({"when": CALLED.timestamp() + offset, "path": f"/users/{offset}"}) if payload is None else payload
    given = DeadLetter(
        received_at=NOW,
        topic="gateway-calls",
        partition=3,
        offset=offset,
        reason="bad_ts",
        detail="ts: null is no time",
        payload=kept,
        size_bytes=len(kept),
    )
    return replace(given, **changes)


def replayed(store: Store, format_: Format = MAPPED, wanted: LetterFilter = EVERYTHING, **options: Any) -> ReplayReport:
    guard = options.pop("guard", CardinalityGuard({}))
    clock = options.pop("clock", FakeClock(datetime.now(UTC)))
    target = options.pop("target", CallTarget(format=format_, guard=guard, samples_topic="resources"))
    return Replay(store=store, target=target, clock=clock, **options).run(wanted)


def calls(store: Store) -> pd.DataFrame:
    found: pd.DataFrame = read_calls(store, CALLED - timedelta(days=1), CALLED + timedelta(days=1)).to_pandas()
    return found


TABLES = 1 + len(ROLLUP_TABLES)


def counted(store: Store) -> list[int]:
    """Calls in the table and in each rollup."""
    sql = "SELECT toInt64(count()) AS n FROM calls"
    rollups = (f"SELECT toInt64(sum(calls)) AS n FROM {name}" for name in ROLLUP_TABLES)
    return [int(store.arrow(one).column("n")[0].as_py()) for one in (sql, *rollups)]


def test_letters_come_into_the_calls_with_the_coordinates_of_their_records(store: Store) -> None:
    write_dead_letters(store, [letter(offset) for offset in range(5)] + [letter(9, b"{")])
    report = replayed(store)
    assert (report.replayed, dict(report.unreadable), report.cut) == (5, {"not_json": 1}, 0)
    assert report.left == 1
    assert "gateway-calls/3/9: not_json" in report.examples[0]
    frame = calls(store)
    assert list(frame["offset"]) == [0, 1, 2, 3, 4]
    assert set(frame["topic"]) == {"gateway-calls"}
    assert set(frame["partition"]) == {3}
    assert list(frame["route"]) == [f"/users/{offset}" for offset in range(5)]
    assert [(one.letter.offset, one.replayed_at is not None) for one in find_dead_letters(store, EVERYTHING, 10)] == [
        *((offset, True) for offset in range(5)),
        (9, False),
    ]
    assert list(count_dead_letters(store)["letters"]) == [1]
    again = replayed(store)
    assert (again.replayed, again.left) == (0, 1)
    assert counted(store) == [5] * TABLES


def test_what_cannot_be_read_yet_is_replayed_once_it_can(store: Store) -> None:
    write_dead_letters(store, [letter(1)])
    assert replayed(store, NATIVE).replayed == 0
    assert counted(store) == [0] * TABLES
    dry = replayed(store, MAPPED, dry_run=True)
    assert (dry.replayed, counted(store)) == (1, [0] * TABLES)
    assert replayed(store, MAPPED).replayed == 1
    assert counted(store) == [1] * TABLES


def test_through_the_api_of_the_process_that_owns_the_store(store: Store, tmp_path: Path) -> None:
    write_dead_letters(store, [letter(offset) for offset in range(3)] + [letter(7, bytes(range(256)))])
    (tmp_path / "token").write_text("secret")
    with store_api(store, "secret") as api, closing(RemoteStore(api.address, tmp_path / "token", StoreSettings())) as remote:
        report = replayed(remote, most_letters=2)
    assert (report.replayed, report.left) == (3, 1)
    assert counted(store) == [3] * TABLES


def test_a_letter_whose_bytes_were_cut_stays_dead(store: Store) -> None:
    whole = letter(1)
    write_dead_letters(store, [replace(whole, payload=whole.payload[:-3]), replace(whole, offset=2, size_bytes=10**6)])
    report = replayed(store)
    assert (report.replayed, report.cut, report.left) == (0, 2, 2)
    assert counted(store) == [0] * TABLES
    assert {one.cut for one in find_dead_letters(store, EVERYTHING, 10)} == {True}


def test_a_record_is_replayed_once_though_it_was_rejected_twice_or_came_in_since(store: Store) -> None:
    write_dead_letters(store, [letter(1), letter(1, received_at=NOW + timedelta(seconds=1), reason="bad_value"), letter(2)])
    insert_calls(
        store, batch([{"ts": CALLED + timedelta(seconds=2), "topic": "gateway-calls", "partition": 3}], first_offset=2)
    )
    report = replayed(store)
    assert (report.replayed, report.there_before) == (2, 1)
    assert list(calls(store)["offset"]) == [1, 2]
    assert counted(store) == [2] * TABLES
    assert count_dead_letters(store).empty


def test_a_topic_made_anew_has_other_letters_at_the_same_offsets(store: Store) -> None:
    write_dead_letters(store, [letter(1)])
    replayed(store)
    other = orjson.dumps({"when": CALLED.timestamp() + 90, "path": "/other"})
    write_dead_letters(store, [letter(1, other)])
    assert list(count_dead_letters(store)["letters"]) == [1]
    assert replayed(store).replayed == 1
    assert set(calls(store)["route"]) == {"/users/1", "/other"}


class Watched:
    """A store that something is done to at its n-th insert, before that is carried out or after."""

    def __init__(self, store: Store, at: int, event: Callable[[], object], *, after: bool) -> None:
        self._store, self._left, self._event, self._after = store, at, event, after

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        return self._store.frame(sql, params)

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        return self._store.arrow(sql, params)

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._event()
        self._store.insert(table, rows, token=token)
        if self._left == 0 and self._after:
            self._event()

    def command(self, sql: str, params: Params | None = None) -> None:
        self._store.command(sql, params)

    def close(self) -> None:
        raise AssertionError("not ours to close")


def break_off() -> None:
    raise StoreUnavailable("store: gone")


@pytest.mark.parametrize("insert", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_two_replays_at_once_write_each_letter_once(store: Store, insert: int, after: bool) -> None:
    """The second begins while the first is about to write its plan, its calls, or its marks, with batches of another size."""
    write_dead_letters(store, [letter(offset) for offset in range(8)])
    second = Watched(store, insert, lambda: replayed(store, most_letters=3), after=after)
    replayed(second, most_letters=4)
    replayed(store, most_letters=5)  # a third, soon after
    later = FakeClock(datetime.now(UTC) + timedelta(minutes=11))
    replayed(store, clock=later)  # takes up what they left to each other
    assert sorted(calls(store)["offset"]) == list(range(8))
    assert counted(store) == [8] * TABLES
    assert count_dead_letters(store).empty


@pytest.mark.parametrize("hours_later", [0, 5])
def test_an_interrupted_replay_is_finished_by_the_next(store: Store, hours_later: int) -> None:
    write_dead_letters(store, [letter(offset) for offset in range(7)])
    clock = FakeClock(datetime.now(UTC))
    points = [(insert, after) for insert in range(1, 10) for after in (False, True)]
    interrupted = 0
    for insert, after in points:  # three letters at a time: plan, calls, done, plan …
        try:
            replayed(Watched(store, insert, break_off, after=after), clock=clock, most_letters=3)
        except StoreUnavailable:
            interrupted += 1
        clock.advance(timedelta(hours=hours_later))
    replayed(store, clock=clock, most_letters=3)
    assert interrupted >= 6
    assert sorted(calls(store)["offset"]) == list(range(7))
    assert counted(store) == [7] * TABLES
    assert count_dead_letters(store).empty


def test_the_rows_are_bounded_like_those_of_the_consumer(store: Store) -> None:
    write_dead_letters(store, [letter(offset) for offset in range(4)])
    replayed(store, guard=build_guard(CardinalitySettings()))
    assert set(calls(store)["route"]) == {"/users/{id}"}


def test_only_the_letters_of_the_filter_are_replayed(store: Store) -> None:
    letters = [letter(1), letter(2, reason="too_old"), letter(3, topic="other"), letter(4, received_at=NOW - timedelta(days=2))]
    write_dead_letters(store, letters)
    wanted = LetterFilter(topic="gateway-calls", start=NOW - timedelta(days=1), without_reasons=("too_old",))
    assert replayed(store, wanted=wanted).replayed == 1
    assert list(calls(store)["offset"]) == [1]
    assert replayed(store, wanted=LetterFilter(reason="too_old")).replayed == 1
    page = find_dead_letters(store, LetterFilter(replayed=False), 1, skip=1)
    assert [one.letter.offset for one in page] == [4]
    assert [one.letter.offset for one in find_dead_letters(store, LetterFilter(replayed=True), 9)] == [1, 2]


def test_letters_of_the_topic_of_samples_become_samples(store: Store) -> None:
    records = [
        {"ts": CALLED.timestamp(), "values": {"cpu": 1, "disk": 2}},
        {"ts": CALLED.timestamp(), "name": "x", "value": "?"},
    ]
    write_dead_letters(store, [letter(at, orjson.dumps(one), topic="resources") for at, one in enumerate(records)])
    target = SampleTarget(topic="resources")
    for insert, after in ((2, False), (2, True), (9, False)):
        with contextlib.suppress(StoreUnavailable):
            replayed(Watched(store, insert, break_off, after=after), target=target)
    assert replayed(store, target=target, wanted=LetterFilter(topic="resources")).unreadable == {"bad_value": 1}
    found = store.arrow("SELECT name, value, topic, partition, offset FROM samples ORDER BY name").to_pylist()
    assert [(row["name"], row["value"], row["topic"], row["partition"], row["offset"]) for row in found] == [
        ("cpu", 1.0, "resources", 3, 0),
        ("disk", 2.0, "resources", 3, 0),
    ]
    assert counted(store) == [0] * TABLES
    assert replayed(store, NATIVE, wanted=LetterFilter(without_topics=("resources",))).replayed == 0
