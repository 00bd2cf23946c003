"""Where replayed letters go: to the calls, or, those of the topic of samples, to the samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import pyarrow as pa

from core.record import CALL_SCHEMA, IDENTITY_FIELDS, TS_TYPE
from ingest.cardinality import CardinalityGuard
from ingest.formats import Format, Reject
from ingest.samples import decode_samples
from storage.calls import insert_calls
from storage.contract import Store
from storage.dead_letters import StoredLetter
from storage.replays import Key, stored_calls, stored_samples
from storage.samples import SAMPLE_SCHEMA, insert_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Letters that were decoded.

    Attributes
    ----------
    rows : pa.Table
        As they are written; a letter may have several.
    letters : tuple of StoredLetter
        Those that could be read, each once.
    rejects : tuple of Reject
        The others; indices count the letters that were given.
    """

    rows: pa.Table
    letters: tuple[StoredLetter, ...]
    rejects: tuple[Reject, ...]


class Target(Protocol):
    """One kind of records."""

    @property
    def name(self) -> str:
        """The format's name, noted with each replay."""

    def takes(self, topic: str) -> bool:
        """Whether records of this topic are of the kind."""

    def read(self, letters: Sequence[StoredLetter], arrived_at: datetime) -> Read: ...

    def stored(self, store: Store, keys: Sequence[Key], first: datetime, last: datetime) -> set[tuple[str, int, int]]:
        """Which coordinates are there, among rows of the span (both ends included)."""

    def insert(self, store: Store, rows: pa.Table, token: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTarget:
    """Calls, of every topic but that of the samples."""

    format: Format
    guard: CardinalityGuard
    samples_topic: str = ""

    @property
    def name(self) -> str:
        return self.format.name

    def takes(self, topic: str) -> bool:
        return not self.samples_topic or topic != self.samples_topic

    def read(self, letters: Sequence[StoredLetter], arrived_at: datetime) -> Read:
        decoded = self.format.decode([one.letter.payload for one in letters])
        places = decoded.valid.tolist()
        rows = _with_coordinates(self.guard.apply(decoded.rows), letters, places, arrived_at).select(CALL_SCHEMA.names)
        return Read(rows=rows, letters=tuple(letters[place] for place in places), rejects=decoded.rejects)

    def stored(self, store: Store, keys: Sequence[Key], first: datetime, last: datetime) -> set[tuple[str, int, int]]:
        return stored_calls(store, keys, first, last)

    def insert(self, store: Store, rows: pa.Table, token: str) -> None:
        insert_calls(store, rows, token=token)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTarget:
    """Samples, of the topic that has them."""

    topic: str
    name: str = "samples"

    def takes(self, topic: str) -> bool:
        return topic == self.topic

    def read(self, letters: Sequence[StoredLetter], arrived_at: datetime) -> Read:
        decoded = decode_samples([one.letter.payload for one in letters])
        rows = _with_coordinates(decoded.rows, letters, decoded.valid.tolist(), arrived_at).select(SAMPLE_SCHEMA.names)
        kept = np.unique(decoded.valid).tolist()
        return Read(rows=rows, letters=tuple(letters[place] for place in kept), rejects=decoded.rejects)

    def stored(self, store: Store, keys: Sequence[Key], first: datetime, last: datetime) -> set[tuple[str, int, int]]:
        return stored_samples(store, keys, first, last)

    def insert(self, store: Store, rows: pa.Table, token: str) -> None:
        insert_samples(store, rows, token=token)


def _with_coordinates(rows: pa.Table, letters: Sequence[StoredLetter], places: Sequence[int], arrived_at: datetime) -> pa.Table:
    """The rows with the coordinates of the letters that they are of."""
    of_rows = [letters[place].letter for place in places]
    columns = (
        pa.repeat(pa.scalar(arrived_at, TS_TYPE), len(of_rows)),
        pa.array([one.topic for one in of_rows], pa.string()),
        pa.array([one.partition for one in of_rows], pa.int32()),
        pa.array([one.offset for one in of_rows], pa.int64()),
    )
    for identity, column in zip(IDENTITY_FIELDS, columns, strict=True):
        rows = rows.append_column(identity, column)
    return rows
