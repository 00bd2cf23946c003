import threading

import pytest

from core.errors import StoreUnavailable
from dashboards.cache import SharedCache


class Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_for_its_time_only() -> None:
    clock, asked = Ticks(), iter(range(10))
    cache = SharedCache(clock=clock)
    assert [cache.get("a", 5, lambda: next(asked)) for _ in range(2)] == [0, 0]
    clock.now = 5.0
    assert cache.get("a", 5, lambda: next(asked)) == 1


def test_one_asks_and_the_others_wait() -> None:
    cache, asked, release = SharedCache(), threading.Event(), threading.Event()
    calls: list[int] = []

    def slow() -> str:
        calls.append(1)
        asked.set()
        assert release.wait(5)
        return "answer"

    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(cache.get("a", 60, slow))) for _ in range(5)]
    threads[0].start()
    assert asked.wait(5)
    for thread in threads[1:]:
        thread.start()
    release.set()
    for thread in threads:
        thread.join(5)
    assert answers == ["answer"] * 5
    assert calls == [1]


def test_an_error_is_not_kept() -> None:
    cache = SharedCache()

    def fail() -> str:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        cache.get("a", 60, fail)
    assert cache.get("a", 60, lambda: "back") == "back"


def test_the_oldest_entries_go_first() -> None:
    cache = SharedCache(entries=2)
    asked = iter(range(10))
    for key in ("a", "b", "a", "c"):
        cache.get(key, 60, lambda: next(asked))
    assert cache.get("a", 60, lambda: -1) == 0
    assert cache.get("b", 60, lambda: -1) == -1
