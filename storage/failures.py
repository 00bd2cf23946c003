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

_OF_DATA = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        131,  # TOO_LARGE_STRING_SIZE
        128,  # TOO_LARGE_ARRAY_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        395,  # FUNCTION_THROW_IF_VALUE_IS_NON_ZERO, in a view of the operator's own
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
    }
)
"""What some rows of an insert are at fault for, so that the others can be written without them."""
_MAX_CHARACTERS = 500


def is_of_data(error: StoreError) -> bool:
    """Whether rows, and not the statement or the store, are why it was refused.

    Nothing was written then if the table itself refused them; if a view did, the table has them.
    """
    return error.code in _OF_DATA


def failure(message: str, code: int | None = None) -> StoreError | StoreUnavailable:
    """The error to raise for what ClickHouse said: its first line, and its code (read from the text where not given)."""
    found = _CODE.search(message) if code is None else None
    number = code if code is not None else int(found[1]) if found else 0
    lines = message.strip().splitlines()
    line = _NOISE.sub("", lines[0] if lines else "no message").split(" Stack trace:")[0][:_MAX_CHARACTERS]
    if number in _TRANSIENT:
        return StoreUnavailable(f"store: {line}")
    return StoreError(f"store: {line}", number)
