"""What whoever takes calls by HTTP promises to the web room: ingest makes it, the process hands it over."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import TpscopeError


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLine:
    """A line that is no call: its number from 0, and why."""

    line: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of a batch.

    Attributes
    ----------
    records, written, rejected : int
        Lines that are not blank; calls that are in the store; lines that are among the dead letters.
    refused : tuple of RefusedLine
        The first of the rejected ones.
    repeated : bool
        Whether the batch was written before, and nothing now.
    """

    records: int
    written: int
    rejected: int
    refused: tuple[RefusedLine, ...]
    repeated: bool = False


class KeyUsed(TpscopeError, ValueError):
    """The name was used for a batch of other bytes."""


class ForeignTenant(TpscopeError, ValueError):
    """A call of the batch is of a tenant that its sender may not write for; nothing was written."""


class CallSink(Protocol):
    """Takes batches of calls. Safe to use from several threads."""

    def take(self, name: str, body: bytes, *, format: str = "", tenants: Sequence[str] = ()) -> Posted:
        """Write the NDJSON lines of `body`, each once however often the same `name` comes; returns when they are written.

        Blocks as long as a write does. With `tenants` every call must be of one of them. Raises KeyUsed, ForeignTenant,
        ConfigError for a format that is not known, and what the store raises: then the same call completes it.
        """
