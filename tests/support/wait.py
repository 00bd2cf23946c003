"""Waiting for a condition instead of sleeping for a guess."""

import time
from collections.abc import Callable


def wait_until(predicate: Callable[[], bool], timeout_s: float, what: str = "the condition", step_s: float = 0.02) -> None:
    """Return as soon as `predicate()` is true.

    Raises AssertionError naming `what` when it is still false after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout_s:g} s")
        time.sleep(step_s)
