"""ClickHouse's errors in our words: one line, and a class that says whether to try again."""

import re

from core.errors import StoreError, StoreUnavailable

_CODE = re.compile(r"Code: (\d+)\.")
_NOISE = re.compile(r"^(Code: \d+\. )?(DB::(Net|Exec)?Exception: )*")

# From ClickHouse's ErrorCodes.cpp: what a later try may find otherwise.
_TRANSIENT = frozenset(
    {
        159,  # TIMEOUT_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        236,  # ABORTED: the server is shutting down
        241,  # MEMORY_LIMIT_EXCEEDED: other queries hold it
        242,  # TABLE_IS_READ_ONLY: a replica without its keeper
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS: merges are behind
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        319,  # UNKNOWN_STATUS_OF_INSERT
        999,  # KEEPER_EXCEPTION
    }
)
_MAX_CHARACTERS = 500


def failure(message: str, code: int | None = None) -> StoreError | StoreUnavailable:
    """The error to raise for what ClickHouse said: its first line, and its code (read from the text where not given)."""
    found = _CODE.search(message) if code is None else None
    number = code if code is not None else int(found[1]) if found else 0
    lines = message.strip().splitlines()
    line = _NOISE.sub("", lines[0] if lines else "no message").split(" Stack trace:")[0][:_MAX_CHARACTERS]
    if number in _TRANSIENT:
        return StoreUnavailable(f"store: {line}")
    return StoreError(f"store: {line}", number)
