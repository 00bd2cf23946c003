"""One store per module (opening takes a second), emptied before each test.

Embedded, or with TPSCOPE_TEST_ENGINE=clickhouse a server in a child process, reached over the native protocol: what these
tests say holds for both.
"""

import os
from collections.abc import Iterator

import pytest

from core.config import StoreSettings
from storage.contract import Store
from storage.migrate import migrate
from storage.server_backend import ServerStore
from tests.support.clickhouse_native import ClickHouseNativeServer
from tests.support.stores import chdb_store

WRITTEN = (
    "SELECT DISTINCT table AS name FROM system.parts WHERE database = currentDatabase()"
    " AND table NOT IN ('migrations', 'counted_since')"
)
"""Tables that have parts, those too whose rows are gone already: most have none, and to empty one takes a millisecond."""


@pytest.fixture(scope="module")
def _module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if os.environ.get("TPSCOPE_TEST_ENGINE", "chdb") == "clickhouse":
        yield from _server_store()
        return
    with chdb_store(tmp_path_factory.mktemp("storage")) as store:
        yield store


def _server_store() -> Iterator[Store]:
    with ClickHouseNativeServer() as server:
        store = ServerStore(StoreSettings(url=f"clickhouse://default@127.0.0.1:{server.port}/tpscope"))
        try:
            migrate(store)
            yield store
        finally:
            store.close()


@pytest.fixture
def store(_module_store: Store) -> Store:
    empty(_module_store)
    return _module_store


def empty(store: Store) -> None:
    """Remove all rows, also within a test that runs many examples."""
    for name in store.arrow(WRITTEN).column("name").to_pylist():
        store.command(f"TRUNCATE TABLE {name}")
