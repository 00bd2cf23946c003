"""What to do where an engine of the tests is not on this machine."""

import os
from collections.abc import Callable
from typing import NoReturn, TypeVar

import pytest

from core.errors import NotInstalledError

Engine = TypeVar("Engine")


class EngineMissing(Exception):
    """An engine of the tests is not on this machine; the message says what to install."""


def started(start: Callable[[], Engine]) -> Engine:
    """What `start` gives; where an engine is missing the test is skipped, or fails when TPSCOPE_REQUIRE_ENGINES is set."""
    try:
        return start()
    except (EngineMissing, NotInstalledError) as missing:
        give_up(str(missing))


def give_up(reason: str) -> NoReturn:
    """Skip the test, or fail it when TPSCOPE_REQUIRE_ENGINES=1: there, a skipped engine would be a hole."""
    if os.environ.get("TPSCOPE_REQUIRE_ENGINES", "0") not in ("", "0"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
