"""What is free goes back to the system while batches come and go."""

import gc
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import StoreError, StoreUnavailable
from storage.contract import Capabilities
from tests.unit.analytics.conftest import Offline
from tpscope.memory import MemoryKeeper, give_memory_back, lean_memory, resident_bytes

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc and /proc are Linux's")

MIB = 2**20
_MUCH = 400 * MIB
"""More than what earlier tests of this process left, and what goes back to the system just now by itself."""


class Engine(Offline):
    """An engine that is asked for what it keeps, and answers with an error if it is given one."""

    def __init__(self, name: str = "chdb", error: Exception | None = None) -> None:
        self.name, self.error, self.asked = name, error, list[str]()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name=self.name, version="1", arrow=True, owner=True)

    def command(self, sql: str, params: Any = None) -> None:
        self.asked.append(sql)
        if self.error is not None:
            raise self.error


@pytest.fixture
def seldom_collected() -> Iterator[None]:
    """Cycles stay, as they do for long in the service."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def grow(size: int) -> None:
    """Leave memory that nobody uses, and that only the garbage collector can find."""
    cycle: list[object] = [b"\1" * size]
    cycle.append(cycle)


@pytest.mark.usefixtures("seldom_collected")
def test_what_lies_in_cycles_is_given_back_after_growth_and_not_before() -> None:
    give_memory_back()
    engine = Engine()
    keeper = MemoryKeeper(engine)
    grow(8 * MIB)
    keeper.look()
    assert engine.asked == []
    grow(_MUCH)
    grown = resident_bytes()
    keeper.look()
    assert engine.asked == ["SYSTEM JEMALLOC PURGE"]
    assert resident_bytes() < grown - 3 * _MUCH // 4


@pytest.mark.usefixtures("seldom_collected")
@pytest.mark.parametrize(
    ("engine", "asked"),
    [
        (Engine(error=StoreError("no jemalloc in this build")), 1),
        (Engine(error=StoreUnavailable("every connection is busy")), 2),
        (Engine(name="clickhouse"), 0),
    ],
)
def test_an_engine_that_cannot_is_left_alone_and_one_that_is_busy_is_asked_again(engine: Engine, asked: int) -> None:
    keeper = MemoryKeeper(engine)
    for _ in range(2):
        grow(_MUCH)
        keeper.look()
    assert len(engine.asked) == asked


def test_a_command_ends_its_watch_even_when_it_fails() -> None:
    before = threading.active_count()

    def interrupted() -> None:
        with lean_memory(Engine()):
            assert threading.active_count() == before + 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert threading.active_count() == before
