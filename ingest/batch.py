"""Records on their way to the store, gathered until a batch is large or old enough. Pure: the time is an argument."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of records after which a batch is written whatever its count: bounds the memory that large records take."""


class Partition(NamedTuple):
    """A partition of a topic (for files: the file's identity and 0)."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Consecutive records of one partition, in order.

    Attributes
    ----------
    offsets : sequence of int, shape (records,)
        Ascending; gaps are normal (compaction, transactions, blank lines of a file).
    values : sequence of bytes or of parsed objects, shape (records,)
    size_bytes : int
        Bytes of the values.
    """

    partition: Partition
    offsets: Sequence[int]
    values: Sequence[bytes] | Sequence[object]
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is written at once. Slices of one partition are in order."""

    slices: tuple[Slice, ...]

    @property
    def records(self) -> int:
        return sum(len(one.offsets) for one in self.slices)

    @property
    def next_offsets(self) -> Mapping[Partition, int]:
        """Per partition the offset after its last record: what is committed once the batch is written."""
        return {one.partition: one.offsets[-1] + 1 for one in self.slices}

    @property
    def token(self) -> str:
        """Names exactly these records: a second write under the same token writes nothing."""
        first: dict[Partition, int] = {}
        last: dict[Partition, int] = {}
        for one in self.slices:
            first.setdefault(one.partition, one.offsets[0])
            last[one.partition] = one.offsets[-1]
        return ",".join(f"{at.topic}:{at.number}:{first[at]}-{last[at]}" for at in sorted(first))

    def without(self, partitions: Collection[Partition]) -> "Batch":
        """The batch with the slices of these partitions left out."""
        return Batch(slices=tuple(one for one in self.slices if one.partition not in partitions))


@dataclass(slots=True, kw_only=True)
class Batcher:
    """Gathers slices until there are `max_records` of them, `max_bytes`, or the first is `max_age` old."""

    max_records: int
    max_age: timedelta
    max_bytes: int = MAX_BYTES
    _slices: list[Slice] = field(default_factory=list, init=False)
    _records: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)
    _since: datetime | None = field(default=None, init=False)

    @property
    def records(self) -> int:
        return self._records

    @property
    def held(self) -> Mapping[Partition, int]:
        """Records held of each partition."""
        held: dict[Partition, int] = {}
        for one in self._slices:
            held[one.partition] = held.get(one.partition, 0) + len(one.offsets)
        return held

    @property
    def room(self) -> int:
        """How many records may still be added; 0 when the batch is full."""
        return 0 if self._bytes >= self.max_bytes else max(0, self.max_records - self._records)

    def add(self, slices: Iterable[Slice], now: datetime) -> None:
        """Take slices in; a partition that starts again below what is held of it has been reset, and is held anew."""
        for one in slices:
            if not one.offsets:
                continue
            if any(held.partition == one.partition and held.offsets[-1] >= one.offsets[0] for held in self._slices):
                self.drop({one.partition})
            self._slices.append(one)
            self._records += len(one.offsets)
            self._bytes += one.size_bytes
            self._since = self._since or now

    def due(self, now: datetime) -> bool:
        """Whether the batch should be written now."""
        return self._records > 0 and (self.room == 0 or self.wait(now) <= timedelta(0))

    def wait(self, now: datetime) -> timedelta:
        """How long until the batch is old enough; `max_age` when there is none."""
        if self._since is None:
            return self.max_age
        # A clock that was set back would otherwise hold the batch until it has caught up.
        age = now - self._since if now >= self._since else self.max_age
        return self.max_age - age

    def take(self) -> Batch:
        """Hand over what was gathered and start anew."""
        batch = Batch(slices=tuple(self._slices))
        self._replace([])
        return batch

    def drop(self, partitions: Collection[Partition]) -> int:
        """Forget what is held of these partitions; returns how many records."""
        before = self._records
        self._replace([one for one in self._slices if one.partition not in partitions])
        return before - self._records

    def _replace(self, slices: list[Slice]) -> None:
        self._slices = slices
        self._records = sum(len(one.offsets) for one in slices)
        self._bytes = sum(one.size_bytes for one in slices)
        self._since = self._since if slices else None
