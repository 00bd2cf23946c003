"""Waiting for a condition instead of sleeping for a guess."""

import time
from collections.abc import Callable

_SHORTEST_S, _LONGEST_S = 0.01, 0.2


def wait_until(
    predicate: Callable[[], bool], timeout_s: float, what: str = "the condition", step_s: float | None = None
) -> None:
    """Return as soon as `predicate()` is true.

    It is asked again after `step_s`, or else after a tenth of the time waited so far, within 10 to 200 ms: what comes at once
    is seen at once, and what takes long is not asked fifty times a second, which can take a third of a processor from it.

    Raises AssertionError naming `what` when it is still false after `timeout_s` seconds.
    """
    began = time.monotonic()
    while not predicate():
        waited = time.monotonic() - began
        if waited > timeout_s:
            raise AssertionError(f"{what} did not come true within {timeout_s:g} s")
        time.sleep(min(max(waited / 10, _SHORTEST_S), _LONGEST_S) if step_s is None else step_s)
