"""What the embedded engine keeps of the memory that it has freed."""

from storage.contract import Store


def return_unused(store: Store) -> None:
    """Let the embedded engine give freed pages back to the system; other engines are other processes and left alone.

    Raises StoreError for an engine that was built without jemalloc, StoreUnavailable when all connections are busy.
    """
    if store.capabilities.name == "chdb":
        store.command("SYSTEM JEMALLOC PURGE")
