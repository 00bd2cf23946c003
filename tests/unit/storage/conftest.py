"""One embedded store per module (opening takes a second), emptied before each test."""

from collections.abc import Iterator

import pytest

from storage.contract import Store
from tests.support.stores import chdb_store

TABLES = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != 'migrations'"
)


@pytest.fixture(scope="module")
def _module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("storage")) as store:
        yield store


@pytest.fixture
def store(_module_store: Store) -> Store:
    empty(_module_store)
    return _module_store


def empty(store: Store) -> None:
    """Remove all rows, also within a test that runs many examples."""
    for name in store.arrow(TABLES).column("name").to_pylist():
        store.command(f"TRUNCATE TABLE {name}")
