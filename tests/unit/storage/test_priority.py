"""Jobs use the store over connections of their own, whose statements give way and can be cut short."""

import threading
import time
from pathlib import Path

import pytest

from core.errors import StoreError, StoreUnavailable
from storage.contract import Store
from storage.priority import COMMANDS, LONG_JOBS, PEOPLE, SHORT_JOBS, apart, parted
from tests.support.stores import chdb_store
from tests.support.wait import wait_until

ENDLESS = "SELECT sum(sleepEachRow(1)) AS s FROM numbers(120) SETTINGS max_block_size = 1"
RUNNING = "SELECT count() AS n FROM system.processes WHERE query LIKE '%sleepEachRow(1)%' AND query NOT LIKE '%processes%'"


def setting(store: Store, name: str) -> int:
    return int(store.arrow(f"SELECT toInt64(getSetting('{name}')) AS value").column("value")[0].as_py())


def test_long_jobs_come_after_people_and_take_half_of_the_processors(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        short, long = apart(store, SHORT_JOBS), apart(store, LONG_JOBS)
        assert [setting(one, "priority") for one in (store, short, long)] == [PEOPLE, PEOPLE, PEOPLE + 1]
        assert setting(long, "max_threads") == LONG_JOBS.settings["max_threads"] < setting(store, "max_threads")
        assert setting(long, "max_execution_time") == 600
        short.close()
        long.close()


def test_a_command_has_as_long_and_all_of_the_machine(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        with parted(store, COMMANDS) as part:
            assert setting(part, "max_execution_time") == 600
            assert [setting(part, name) for name in ("priority", "max_threads")] == [PEOPLE, setting(store, "max_threads")]
        with pytest.raises(StoreUnavailable, match="closed"):
            part.arrow("SELECT 1 AS one")


def test_closing_a_part_cuts_short_what_runs_there_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    with chdb_store(tmp_path) as store:
        part, other = apart(store, LONG_JOBS), apart(store, LONG_JOBS)
        failed: list[Exception] = []

        def ask() -> None:
            try:
                part.arrow(ENDLESS)
            except StoreError as error:
                failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: store.arrow(RUNNING).column("n")[0].as_py() == 1, timeout_s=10)
        begun = time.monotonic()
        part.close()
        asking.join(10)
        assert time.monotonic() - begun < 10
        assert [type(error) for error in failed] == [StoreError]
        with pytest.raises(StoreUnavailable, match="closed"):
            part.arrow("SELECT 1 AS one")
        for open_still in (other, store):
            assert open_still.arrow("SELECT 1 AS one").num_rows == 1
        other.close()
