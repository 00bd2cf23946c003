"""Writes one batch under its token: the calls, then the dead letters, then how far its partitions have come.

Everything that decides whether a record is stored once, twice or never is here: the caller commits (or notes a range) only
after `write` returned, and repeats `write` with the same prepared batch while it fails. The token makes the repeat harmless.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.clock import Clock
from core.record import CALL_SCHEMA, IDENTITY_FIELDS, TS_TYPE
from core.types import Watermark
from ingest.batch import Batch, Partition
from ingest.dead_letter import dead_letters
from ingest.formats import Decoded, Format, Reject
from storage.calls import insert_calls
from storage.contract import Store
from storage.dead_letters import write_dead_letters
from storage.watermarks import read_watermarks, write_watermarks

_DELAY_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A batch that was decoded and can be written, again and again until it is.

    Attributes
    ----------
    rows : pa.Table
        CALL_SCHEMA without `ingested_at`, which is the time of the attempt.
    rejects : tuple of Reject
        Their indices count the batch's records.
    source : str
        What to name in the dead letters' detail (a file), or nothing.
    """

    batch: Batch
    rows: pa.Table
    rejects: tuple[Reject, ...]
    source: str = ""

    @property
    def written(self) -> Mapping[str, int]:
        """Rows of each topic."""
        counts = self.rows.column("topic").value_counts()
        return {one["values"]: one["counts"] for one in counts.to_pylist()}

    @property
    def rejected(self) -> Mapping[tuple[str, str], int]:
        """Rejects of each topic and reason."""
        if not self.rejects:
            return {}
        topics = [one.partition.topic for one in self.batch.slices for _ in one.offsets]
        return Counter((topics[reject.index], reject.reason) for reject in self.rejects)


@dataclass(slots=True, kw_only=True)
class BatchWriter:
    """Writes batches to one store. Used by one thread.

    `watermarks` is off where the records are history (imports): their age says nothing about how late live ones are.
    """

    store: Store
    clock: Clock
    dead_letter_bytes: int
    watermarks: bool = True
    _event_at: dict[Partition, datetime] | None = field(default=None, init=False)

    def write(self, prepared: Prepared) -> tuple[Watermark, ...]:
        """Write everything of the batch; returns its partitions' watermarks.

        Raises StoreUnavailable or StoreError; then nothing, a part or all of it was written, and the same call completes it.
        """
        now = self.clock.now()
        token = prepared.batch.token
        if prepared.rows.num_rows:
            insert_calls(self.store, _arrived(prepared.rows, now), token=token)
        if prepared.rejects:
            letters = dead_letters(prepared.batch, prepared.rejects, now, self.dead_letter_bytes, prepared.source)
            write_dead_letters(self.store, letters, token=token)
        if not self.watermarks:
            return ()
        marks = self._marks(prepared, now)
        if marks:
            write_watermarks(self.store, list(marks))
            self._event_at = {**self._known(), **{Partition(one.topic, one.partition): one.event_at for one in marks}}
        return marks

    def _marks(self, prepared: Prepared, now: datetime) -> tuple[Watermark, ...]:
        """A gateway's clock that runs ahead does not move the watermark past the present: late calls would be missed."""
        marks = []
        times = prepared.rows.column("ts").cast(pa.int64()).to_numpy()
        partitions = prepared.rows.column("partition").to_numpy()
        topics = prepared.rows.column("topic")
        now_ms = int(now.timestamp() * 1000)
        for at, next_offset in prepared.batch.next_offsets.items():
            mine = times[(partitions == at.number) & pc.equal(topics, at.topic).to_numpy()]
            if not len(mine):
                continue
            newest = _moment(min(int(mine.max()), now_ms))
            marks.append(
                Watermark(
                    topic=at.topic,
                    partition=at.number,
                    event_at=max(newest, self._known().get(at, newest)),
                    arrived_at=now,
                    next_offset=next_offset,
                    delay_s=float(np.quantile(np.maximum(now_ms - mine, 0), _DELAY_LEVEL)) / 1000,
                )
            )
        return tuple(marks)

    def _known(self) -> dict[Partition, datetime]:
        """Newest event written of each partition, also before this process started."""
        if self._event_at is None:
            self._event_at = {Partition(one.topic, one.partition): one.event_at for one in read_watermarks(self.store)}
        return self._event_at


def prepare(batch: Batch, format_: Format, source: str = "") -> Prepared:
    """Decode the records of a batch and put their coordinates beside them."""
    parsed = bool(batch.slices) and not isinstance(batch.slices[0].values[0], bytes)
    values = [value for one in batch.slices for value in one.values]
    decoded = format_.decode_objects(values) if parsed else format_.decode(values)  # type: ignore[arg-type]
    return located(batch, decoded, source)


def located(batch: Batch, decoded: Decoded, source: str = "") -> Prepared:
    """A decoded batch with the coordinates of its rows."""
    counts = [len(one.offsets) for one in batch.slices]
    which = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[decoded.valid]
    offsets = np.fromiter((at for one in batch.slices for at in one.offsets), np.int64, sum(counts))[decoded.valid]
    topics = pa.array([one.partition.topic for one in batch.slices], pa.string()).take(pa.array(which))
    numbers = np.asarray([one.partition.number for one in batch.slices], np.int32)[which]
    rows = decoded.rows
    for field_, column in zip(IDENTITY_FIELDS[1:], (topics, pa.array(numbers), pa.array(offsets)), strict=True):
        rows = rows.append_column(field_, column)
    return Prepared(batch=batch, rows=rows, rejects=decoded.rejects, source=source)


def _arrived(rows: pa.Table, now: datetime) -> pa.Table:
    times = pa.repeat(pa.scalar(now, TS_TYPE), rows.num_rows)
    return rows.append_column(IDENTITY_FIELDS[0], times).select(CALL_SCHEMA.names)


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
