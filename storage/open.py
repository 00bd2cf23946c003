"""Opens the store that the settings name: the embedded engine, its owner's API, or a server."""

import time
from pathlib import Path

from core.config import StoreSettings
from core.errors import StoreInUse, StoreUnavailable
from storage.chdb_backend import ChdbStore
from storage.contract import Store
from storage.lock import DirectoryLock, read_owner
from storage.remote import RemoteStore
from storage.torn_inserts import forget_torn_inserts

_WAIT_S = 5.0
"""How long a starting owner has to open its API, or a short command to end, before we give up."""
_POLL_S = 0.05
_UNITS = {"MiB": 2**20, "GiB": 2**30}


def open_store(settings: StoreSettings, *, owner: bool, api: str = "", wait_s: float = _WAIT_S) -> Store:
    """The store of `settings.url`.

    `clickhouse://` and `clickhouses://` connect to a server, whoever else does. `chdb://DIR` takes the directory's lock. When
    another process has it, `owner=False` returns a store that goes through that process's API, and `owner=True` raises.
    A process that has not opened its API yet, or a short command without one, is waited for up to `wait_s` seconds.

    Parameters
    ----------
    owner : bool
        Whether the caller must have the data in its own process (`serve`, `demo`).
    api : str
        Address of the caller's own API where it is known already; see `publish_api`.

    Raises
    ------
    StoreInUse
        Another process owns the directory; the message names its process id and address.
    StoreUnavailable
        The server, or the owner's API, does not answer.
    ConfigError
        The directory cannot be made or written, or a file that the settings name cannot be read.
    """
    scheme, _, rest = settings.url.partition("://")
    if scheme != "chdb":
        from storage.server_backend import ServerStore  # here: clickhouse-driver lays out 130,000 dates when it is imported

        return ServerStore(settings)
    directory = Path(rest)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            lock = DirectoryLock(directory, api=api)
        except StoreInUse as in_use:
            info = read_owner(directory)
            address = info.api if info else ""
            if info and address and not owner:
                return RemoteStore(address, Path(info.token_file), settings)
            if (owner and address) or time.monotonic() > deadline:
                if owner:
                    raise
                raise StoreUnavailable(
                    f"{directory}: {in_use.owner} owns it and has no API; try again when it is done"
                ) from None
            time.sleep(_POLL_S)
        else:
            return _embedded(directory, lock, settings)


def publish_api(store: Store, address: str) -> None:
    """Tell other processes where this one's API answers (`http://127.0.0.1:8080`); without effect for a server."""
    if isinstance(store, ChdbStore) and store.lock is not None:
        store.lock.publish_api(address)


def api_token(store: Store) -> str:
    """The bearer token that the owner's internal API must ask for; empty where there is no such API."""
    return store.lock.token if isinstance(store, ChdbStore) and store.lock is not None else ""


def memory_bytes(text: str) -> int:
    """`4GiB` in bytes."""
    return int(text[:-3]) * _UNITS[text[-3:]]


def _embedded(directory: Path, lock: DirectoryLock, settings: StoreSettings) -> ChdbStore:
    try:
        forget_torn_inserts(directory / "clickhouse")
        return ChdbStore(
            directory / "clickhouse",
            query_timeout=settings.query_timeout,
            max_memory_bytes=memory_bytes(settings.max_memory),
            lock=lock,
        )
    except OSError as error:
        lock.release()
        raise StoreUnavailable(f"store.url: {directory} cannot be read or written ({error.strerror}); correct that") from error
    except BaseException:
        lock.release()
        raise
