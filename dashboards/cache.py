"""A small cache that several requests share: one of them asks the store, the others wait for its answer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from core.errors import QuestionAbandoned, StoreUnavailable, TpscopeError
from storage.asking import current_asker, unfinished

T = TypeVar("T")

_WAIT_S = 60.0
"""Longest wait for another request's answer; the store's own query limit ends it earlier."""


class SharedCache:
    """Answers by key, each kept for a while. Safe from several threads; an error is handed to all who wait, but not kept."""

    def __init__(self, entries: int = 512, clock: Callable[[], float] = time.monotonic) -> None:
        self._entries = entries
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Future[Any]]] = OrderedDict()

    def get(self, key: Hashable, keep_s: float, ask: Callable[[], T]) -> T:
        """The answer to `key`, at most `keep_s` seconds old; `ask` is called by one caller at a time.

        Where that one leaves before the answer, the next who waits for it asks.
        """
        while True:
            future, mine = self._find(key, keep_s)
            try:
                return self._answer(key, future, ask) if mine else _wait(future)
            except QuestionAbandoned:
                if mine or _left():
                    raise

    def _find(self, key: Hashable, keep_s: float) -> "tuple[Future[Any], bool]":
        """The answer that is there or on its way, and whether the caller has to bring it."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None and self._clock() < found[0]:
                self._kept.move_to_end(key)
                future, mine = found[1], False
            else:
                future, mine = Future(), True
                self._kept[key] = (self._clock() + keep_s, future)
                self._kept.move_to_end(key)
                while len(self._kept) > self._entries:
                    self._kept.popitem(last=False)
        return future, mine

    def _answer(self, key: Hashable, future: "Future[Any]", ask: Callable[[], T]) -> T:
        try:
            answer = ask()
        except BaseException as error:
            unfinished()
            with self._lock:
                if self._kept.get(key, (0.0, None))[1] is future:
                    del self._kept[key]
            future.set_exception(error)
            raise
        future.set_result(answer)
        return answer


def _wait(future: "Future[Any]") -> Any:
    try:
        return future.result(timeout=_WAIT_S)
    except QuestionAbandoned:
        raise
    except TpscopeError:
        unfinished()
        raise
    except FutureTimeout:
        unfinished()
        raise StoreUnavailable(f"store: gave no answer within {_WAIT_S:g} s; try again") from None


def _left() -> bool:
    """Whether whoever asks here has left; somebody who stays, as a job, never has."""
    asker = current_asker()
    return asker is not None and bool(asker.why)
