"""A question is ended in the engine when whoever asked it has left."""

import threading
import time
from contextvars import copy_context

import pytest

from core.errors import QuestionAbandoned
from storage.asking import Asker, asking, current_asker, unfinished
from storage.contract import Store
from tests.support.wait import wait_until

ENDLESS = "SELECT sum(sleepEachRow(1)) AS s FROM numbers(120) SETTINGS max_block_size = 1"
RUNNING = "SELECT count() AS n FROM system.processes WHERE query LIKE '%sleepEachRow(1)%' AND query NOT LIKE '%processes%'"


def running(store: Store) -> int:
    return int(store.arrow(RUNNING).column("n")[0].as_py())


def test_the_engine_ends_what_nobody_waits_for_and_leaves_the_rest_alone(store: Store) -> None:
    mine, other = Asker(), Asker()
    raised: list[Exception] = []

    def ask() -> None:
        try:
            store.arrow(ENDLESS)
        except QuestionAbandoned as error:
            raised.append(error)

    threads = []
    for asker in (mine, other):
        with asking(asker):
            threads.append(threading.Thread(target=copy_context().run, args=(ask,)))
            threads[-1].start()
    wait_until(lambda: running(store) == 2, timeout_s=10)
    begun = time.monotonic()
    mine.leave("they left")
    threads[0].join(10)
    assert (time.monotonic() - begun < 10, [str(one) for one in raised], running(store)) == (True, ["they left"], 1)
    other.leave("they left too")
    threads[1].join(10)
    wait_until(lambda: running(store) == 0, timeout_s=10)
    assert store.arrow("SELECT 1 AS one").num_rows == 1


def test_who_has_left_asks_nothing_more_and_who_stays_is_not_marked(store: Store) -> None:
    gone = Asker()
    gone.leave("no time left")
    with asking(gone), pytest.raises(QuestionAbandoned, match="no time left") as caught:
        store.frame("SELECT 1 AS one")
    assert caught.value.sentence == "No time left."
    assert current_asker() is None
    unfinished()
    assert not gone.failed
    with asking(gone):
        unfinished()
    assert gone.failed
