"""Opens the store for a command that only reads."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.config import Settings
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store


@contextmanager
def reading(settings: Settings) -> Iterator[Store]:
    """The store, through its owner's API where it has one; a new embedded one gets its tables, and so reads as empty."""
    store = open_store(settings.store, owner=False)
    try:
        if store.capabilities.owner:
            migrate(store, settings.retention)
        yield store
    finally:
        store.close()
