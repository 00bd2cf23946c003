"""The web application over a filled store, served on this machine: what API and page tests ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.clock import FakeClock
from core.config import Settings
from dashboards.run import serve
from dashboards.server import create_app
from storage.contract import Store
from tests.support.fill import Filled, fill
from tests.support.stores import chdb_store
from tpscope.predicting import predictor_of

TOKEN = "a-token-for-tests"

OBJECTIVES = (
    {"name": "orders", "metric": "tps", "at_least": 50, "description": "What the flash sale needs"},
    {"name": "fast", "metric": "latency_p99", "at_most": 2500, "description": "Promised to the shop"},
    {"name": "few errors", "metric": "error_rate", "at_most": 0.05},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A served application and what is in it."""

    address: str
    store: Store
    filled: Filled
    settings: Settings
    clock: FakeClock


@contextmanager
def filled_service(folder: Path, *, days: int, per_minute: int, **settings: Any) -> Iterator[Service]:
    """The service over a filled embedded store below `folder`; its clock stands at `filled.now`."""
    with chdb_store(folder) as store:
        filled = fill(store, days=days, per_minute=per_minute)
        with served(store, filled, settings) as service:
            yield service


@contextmanager
def served(store: Store, filled: Filled, settings: dict[str, Any]) -> Iterator[Service]:
    """The application over `store`, on a free port of this machine."""
    whole = Settings.model_validate({"objectives": OBJECTIVES, **settings})
    clock = FakeClock(filled.now)
    server = serve(create_app(store, whole, clock, token=TOKEN, predictor=predictor_of(store)), "127.0.0.1", 0)
    try:
        yield Service(address=server.address, store=store, filled=filled, settings=whole, clock=clock)
    finally:
        server.stop()
