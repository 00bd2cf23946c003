"""Connections are lent to one call at a time, up to a limit, and ended with care."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import StoreUnavailable
from storage.pool import Pool
from tests.support.wait import wait_until


class Connections:
    """Makes numbered connections and remembers which were ended."""

    def __init__(self) -> None:
        self.made = 0
        self.ended: list[int] = []

    def make(self) -> int:
        self.made += 1
        return self.made

    def pool(self, limit: int = 2, wait_s: float = 0.05) -> Pool[int]:
        return Pool(self.make, self.ended.append, limit=limit, wait_s=wait_s)


def test_one_after_the_other_shares_a_connection() -> None:
    connections = Connections()
    pool = connections.pool()
    for _ in range(3):
        with pool.lend() as connection:
            assert connection == 1


def test_at_once_each_has_its_own_up_to_the_limit() -> None:
    connections = Connections()
    pool = connections.pool(limit=2)
    with pool.lend() as one, pool.lend() as other:
        assert {one, other} == {1, 2}
        with pytest.raises(StoreUnavailable, match="all 2 connections are busy"), pool.lend():
            pytest.fail("a third connection was lent")
    with pool.lend() as again:
        assert again in (1, 2)


def test_whoever_waits_gets_what_is_given_back() -> None:
    connections = Connections()
    pool = connections.pool(limit=3, wait_s=30)
    inside, most = set[int](), [0]

    def call(number: int) -> int:
        with pool.lend() as connection:
            assert connection not in inside
            inside.add(connection)
            most[0] = max(most[0], len(inside))
            threading.Event().wait(0.001)
            inside.remove(connection)
        return number

    with ThreadPoolExecutor(12) as threads:
        assert sorted(threads.map(call, range(200))) == list(range(200))
    assert most[0] <= 3
    assert connections.made <= 3


def test_a_connection_whose_call_failed_is_not_lent_again() -> None:
    connections = Connections()
    pool = connections.pool()
    with pytest.raises(RuntimeError, match="broken"), pool.lend():
        raise RuntimeError("broken")
    assert connections.ended == [1]
    with pool.lend() as connection:
        assert connection == 2


def test_a_connection_that_cannot_be_made_takes_no_place() -> None:
    def fail() -> int:
        raise ConnectionError("nobody there")

    pool: Pool[int] = Pool(fail, print, limit=1, wait_s=0.05)
    for _ in range(3):
        with pytest.raises(ConnectionError), pool.lend():
            pytest.fail("a connection was lent")


def test_closing_ends_what_is_idle_and_refuses_the_rest() -> None:
    connections = Connections()
    pool = connections.pool()
    with pool.lend(), pool.lend():
        pass
    pool.close()
    pool.close()
    assert sorted(connections.ended) == [1, 2]
    with pytest.raises(StoreUnavailable, match="closed"), pool.lend():
        pytest.fail("a connection was lent")


def test_closing_waits_for_calls_in_progress() -> None:
    connections = Connections()
    pool = connections.pool(wait_s=30)
    closer = threading.Thread(target=pool.close)
    with pool.lend():
        closer.start()
        wait_until(lambda: _refuses(pool), 60, "the closing of the pool")
        assert connections.ended == []
    closer.join(10)
    assert connections.ended == [1]


def test_a_call_that_outlasts_the_closing_ends_its_own_connection() -> None:
    connections = Connections()
    pool = connections.pool(wait_s=0.01)
    with pool.lend():
        pool.close()
        assert connections.ended == []
    assert connections.ended == [1]


def _refuses(pool: Pool[int]) -> bool:
    try:
        with pool.lend():
            return False
    except StoreUnavailable:
        return True
