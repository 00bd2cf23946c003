"""One embedded store per module (opening takes a second), emptied before each test."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from storage.chdb_backend import ChdbStore
from storage.contract import Store
from storage.migrate import migrate

TABLES = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations'"
)


@pytest.fixture(scope="module")
def _module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = ChdbStore(tmp_path_factory.mktemp("store"), query_timeout=timedelta(seconds=60), max_memory_bytes=4 * 2**30)
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
    for name in store.arrow(TABLES).column("name").to_pylist():
        store.command(f"TRUNCATE TABLE {name}")
