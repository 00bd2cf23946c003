"""Opens the store that the settings name: the embedded engine, its owner's API, or a server."""

from pathlib import Path

from core.config import StoreSettings
from storage.chdb_backend import ChdbStore
from storage.contract import Store

_UNITS = {"MiB": 2**20, "GiB": 2**30}


def open_store(settings: StoreSettings, *, owner: bool, api: str = "") -> Store:
    rest = settings.url.partition("://")[2]
    directory = Path(rest)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return ChdbStore(directory, query_timeout=settings.query_timeout, max_memory_bytes=memory_bytes(settings.max_memory))


def memory_bytes(text: str) -> int:
    """`4GiB` in bytes."""
    return int(text[:-3]) * _UNITS[text[-3:]]
