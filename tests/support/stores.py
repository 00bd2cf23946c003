"""Stores for tests."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from core.config import RetentionSettings, StoreSettings
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store


@contextmanager
def chdb_store(folder: Path, retention: RetentionSettings | None = None) -> Iterator[Store]:
    """A migrated embedded store below `folder` (a test's `tmp_path`), closed at the end: a process can have one open.

    What is there already is opened again.
    """
    if not (folder / "store").exists():
        lay_store(folder)
    with _opened(folder / "store", retention) as store:
        yield store


def lay_store(folder: Path) -> None:
    """Put a migrated store that nobody has open below `folder`, for another process: its own migrations take seconds."""
    shutil.copytree(_migrated().name, folder / "store", symlinks=True)


@cache
def _migrated() -> tempfile.TemporaryDirectory[str]:
    """An empty migrated store, made once: to copy one takes a third of the time that the migrations take."""
    folder = tempfile.TemporaryDirectory(prefix="tpscope-test-")
    with _opened(Path(folder.name)):
        pass
    return folder


@contextmanager
def _opened(directory: Path, retention: RetentionSettings | None = None) -> Iterator[Store]:
    store = open_store(StoreSettings(url=f"chdb://{directory}"), owner=True)
    try:
        migrate(store, retention)
        yield store
    finally:
        store.close()
