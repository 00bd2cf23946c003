"""Records on their way to the store: pieces as they come, batches as they are written. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of records after which a batch is written whatever its count: bounds the memory that large records take."""

Offsets = Sequence[int] | np.ndarray


class Partition(NamedTuple):
    """A partition of a topic (for files: the file's identity and 0)."""

    topic: str
    number: int


class Piece(Protocol):
    """Consecutive records of one partition, in whatever shape they came."""

    @property
    def partition(self) -> Partition: ...

    @property
    def first(self) -> int:
        """Offset of the first record, or before it where records at the front are missing."""

    @property
    def last(self) -> int:
        """Offset of the last record, or after it where records at the end are missing; reading goes on behind it."""

    @property
    def records(self) -> int:
        """How many records, about: those that compaction removed may be among them."""

    @property
    def size_bytes(self) -> int: ...

    def unpack(self) -> "Slice":
        """The records themselves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """Consecutive records of one partition, in order.

    Attributes
    ----------
    offsets : sequence of int, shape (records,)
        Ascending; gaps are normal (compaction, transactions, blank lines of a file).
    values : sequence of bytes or of parsed objects, shape (records,)
    size_bytes : int
        Bytes of the values.
    times_ms : ndarray of int64, shape (records,), optional
        Kafka's time of each record, milliseconds since 1970.
    """

    partition: Partition
    offsets: Offsets
    values: Sequence[bytes] | Sequence[object]
    size_bytes: int = 0
    times_ms: np.ndarray | None = None

    @property
    def records(self) -> int:
        return len(self.offsets)

    @property
    def first(self) -> int:
        return int(self.offsets[0])

    @property
    def last(self) -> int:
        return int(self.offsets[-1])

    def unpack(self) -> "Slice":
        return self

    def part(self, start: int, stop: int) -> "Slice":
        """The records at the places from `start` to before `stop`."""
        values = self.values[start:stop]
        share = (stop - start) / max(len(self.offsets), 1)
        return Slice(
            partition=self.partition,
            offsets=self.offsets[start:stop],
            values=values,
            size_bytes=round(self.size_bytes * share),
            times_ms=None if self.times_ms is None else self.times_ms[start:stop],
        )

    def place_of(self, offset: int) -> int:
        """How many records come before `offset`."""
        return int(np.searchsorted(np.asarray(self.offsets), offset))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is written at once: slices in order.

    Attributes
    ----------
    name : str
        Its token where that was given to it before it was complete; else the token is made of what it holds.
    """

    slices: tuple[Slice, ...]
    name: str = ""

    @property
    def records(self) -> int:
        return sum(len(one.offsets) for one in self.slices)

    @property
    def next_offsets(self) -> Mapping[Partition, int]:
        """Per partition the offset after its last record."""
        return {one.partition: one.last + 1 for one in self.slices if one.records}

    @property
    def token(self) -> str:
        """Names exactly these records: a second write under the same token writes nothing."""
        if self.name:
            return self.name
        first: dict[Partition, int] = {}
        last: dict[Partition, int] = {}
        for one in self.slices:
            first.setdefault(one.partition, one.first)
            last[one.partition] = one.last
        return ",".join(f"{at.topic}:{at.number}:{first[at]}-{last[at]}" for at in sorted(first))
