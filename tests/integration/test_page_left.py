"""A browser that leaves in the middle of a page's answer ends the question in the engine."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest

from core.clock import SystemClock
from core.config import Settings
from dashboards.run import serve
from dashboards.server import create_app
from storage.contract import Params, Store
from tests.support.stores import chdb_store
from tests.support.wait import wait_until

SLOW = "SELECT sum(sleepEachRow(1)) AS s FROM numbers(120) SETTINGS max_block_size = 1"
RUNNING = "SELECT count() AS n FROM system.processes WHERE query LIKE '%sleepEachRow(1)%' AND query NOT LIKE '%processes%'"
LAYOUT = {
    "output": "page.children",
    "outputs": {"id": "page", "property": "children"},
    "inputs": [{"id": "url", "property": "pathname", "value": "/"}],
    "state": [{"id": "url", "property": "search", "value": ""}],
    "changedPropIds": ["url.pathname"],
}
STATUS = {
    "output": "..status.children...foot.children..",
    "outputs": [{"id": "status", "property": "children"}, {"id": "foot", "property": "children"}],
    "inputs": [
        {"id": "tick", "property": "n_intervals", "value": 1},
        {"id": "look", "property": "data", "value": {"mode": "light", "ready": True}},
    ],
    "changedPropIds": ["tick.n_intervals"],
}


class Slow:
    """A store whose every answer takes two minutes."""

    def __init__(self, store: Store) -> None:
        self._store, self.asked = store, threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def arrow(self, sql: str, params: Params | None = None) -> Any:
        self.asked.set()
        self._store.arrow(SLOW)
        return self._store.arrow(sql, params)

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        self.asked.set()
        self._store.arrow(SLOW)
        return self._store.frame(sql, params)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(Path(tmp_path_factory.mktemp("left"))) as opened:
        yield opened


def running(store: Store) -> int:
    return int(store.arrow(RUNNING).column("n")[0].as_py())


def asked(address: str, question: dict[str, Any]) -> socket.socket:
    """A connection over which a page's question was sent, as a browser does."""
    host = urlsplit(address)
    body = json.dumps(question).encode()
    head = f"POST /_dash-update-component HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Type: application/json\r\n"
    line = socket.create_connection((host.hostname or "", host.port or 0), timeout=10)
    line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return line


@pytest.mark.parametrize("question", [LAYOUT, STATUS], ids=["layout", "status"])
def test_the_question_of_a_browser_that_leaves_is_ended_when_nobody_else_waits(store: Store, question: dict[str, Any]) -> None:
    slow: Any = Slow(store)
    server = serve(create_app(slow, Settings(), SystemClock(), token=None), "127.0.0.1", 0)
    try:
        lines = [asked(server.address, question) for _ in range(2 if question is STATUS else 1)]
        wait_until(lambda: running(store) > 0, timeout_s=20)
        if len(lines) > 1:  # who has the same page open waits for the same answer
            before = running(store)
            lines.pop().close()
            lines[0].settimeout(1.5)
            with pytest.raises(TimeoutError):
                lines[0].recv(1)
            assert running(store) == before
        lines[0].close()
        wait_until(lambda: running(store) == 0, timeout_s=20)
    finally:
        server.stop()
