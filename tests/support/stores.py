"""Stores for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.config import RetentionSettings, StoreSettings
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store


@contextmanager
def chdb_store(folder: Path, retention: RetentionSettings | None = None) -> Iterator[Store]:
    """A migrated embedded store below `folder` (a test's `tmp_path`), closed at the end: a process can have one open."""
    store = open_store(StoreSettings(url=f"chdb://{folder / 'store'}"), owner=True)
    try:
        migrate(store, retention)
        yield store
    finally:
        store.close()
