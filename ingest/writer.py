"""Writes one batch under its token: the calls, then the dead letters, then how far its partitions have come.

Everything that decides whether a record is stored once, twice or never is here: the caller commits (or notes a range) only
after `write` returned, and repeats `write` with the same prepared batch while it fails. The token makes the repeat harmless.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.clock import Clock
from core.errors import StoreError, TransientError
from core.record import CALL_SCHEMA, IDENTITY_FIELDS, TS_TYPE
from core.types import Watermark
from ingest.batch import Batch, Partition
from ingest.dead_letter import dead_letters
from ingest.formats import Decoded, Format, Reject
from ingest.record_batches import joined
from storage.calls import all_stored, insert_calls
from storage.contract import Store
from storage.dead_letters import write_dead_letters
from storage.failures import is_of_data
from storage.samples import SAMPLE_SCHEMA, insert_samples
from storage.watermarks import read_watermarks, write_watermarks

logger = logging.getLogger(__name__)

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
    samples : bool
        Whether the rows are samples (SAMPLE_SCHEMA) instead of calls.
    """

    batch: Batch
    rows: pa.Table
    rejects: tuple[Reject, ...]
    source: str = ""
    samples: bool = False

    def place_of(self, row: pa.Table) -> int:
        """The place in the batch of the record that a row is of."""
        topic, number, offset = (row.column(name)[0].as_py() for name in ("topic", "partition", "offset"))
        before = 0
        for one in self.batch.slices:
            place = one.place_of(offset)
            if one.partition == (topic, number) and place < one.records and int(one.offsets[place]) == offset:
                return before + place
            before += one.records
        raise LookupError(f"{topic}:{number}:{offset} is not in the batch")

    def with_rows(self, rows: pa.Table) -> "Prepared":
        """The same with as many other rows."""
        return replace(self, rows=rows)

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
        ends = np.cumsum([one.records for one in self.batch.slices])
        which = np.searchsorted(ends, [reject.index for reject in self.rejects], side="right").tolist()
        topics = [self.batch.slices[at].partition.topic for at in which]
        return Counter((topic, reject.reason) for topic, reject in zip(topics, self.rejects, strict=True))


@dataclass(slots=True, kw_only=True)
class BatchWriter:
    """Writes batches to one store. May be used by several threads, for a partition by one at a time.

    `watermarks` is off where the records are history (imports): their age says nothing about how late live ones are.
    """

    store: Store
    clock: Clock
    dead_letter_bytes: int
    watermarks: bool = True
    _event_at: dict[Partition, datetime] | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def written_before(self, at: Partition, topic_id: str) -> int:
        """The offset before which all records of this partition of this very topic are in the store.

        Zero where the topic has no id, since then it cannot be told from an earlier one of the same name. Raises what a read
        of the store does.
        """
        if not topic_id:
            return 0
        marks = [one for one in read_watermarks(self.store) if Partition(one.topic, one.partition) == at]
        return max((one.next_offset for one in marks if one.topic_id == topic_id), default=0)

    def write(self, prepared: Prepared, topic_id: str = "", *, lag: int = 0, attempts: int = 1) -> tuple[Watermark, ...]:
        """Write everything of the batch; returns its partitions' watermarks, which remember the other arguments.

        Raises StoreUnavailable or StoreError; then nothing, a part or all of it was written, and the same call completes it.
        """
        now = self.clock.now()
        token = prepared.batch.token
        rejects = [*prepared.rejects, *self._insert(prepared, prepared.rows, now, token)]
        if rejects:
            letters = dead_letters(prepared.batch, rejects, now, self.dead_letter_bytes, prepared.source)
            write_dead_letters(self.store, letters, token=token)
        # Watermarks tell how far calls have come: a minute is judged when they are past it.
        if not self.watermarks or prepared.samples:
            return ()
        with self._lock:
            found = self._marks(prepared, now)
        records = prepared.batch.records
        marks = tuple(replace(one, topic_id=topic_id, lag=lag, records=records, attempts=attempts) for one in found)
        if marks:
            write_watermarks(self.store, list(marks))
            with self._lock:
                self._known().update({Partition(one.topic, one.partition): one.event_at for one in marks})
        return marks

    def _insert(self, prepared: Prepared, rows: pa.Table, now: datetime, token: str) -> list[Reject]:
        """Insert rows of the batch; where the store refuses some for what they are, halve until those are alone.

        A repeat is refused alike, so that its halves have the same tokens. Rows that are in the calls all the same were refused
        by a view that the operator made, after the calls had them: halves would store them twice, so that is raised.
        """
        if not rows.num_rows:
            return []
        try:
            if prepared.samples:
                insert_samples(self.store, _arrived(rows, now, SAMPLE_SCHEMA), token=token)
            else:
                insert_calls(self.store, _arrived(rows, now, CALL_SCHEMA), token=token)
        except StoreError as error:
            if not is_of_data(error) or (not prepared.samples and all_stored(self.store, rows)):
                raise
            if rows.num_rows == 1:
                return [Reject(index=prepared.place_of(rows), reason="refused", detail=str(error))]
            half = rows.num_rows // 2
            parts = ((rows.slice(0, half), f"{token}/0"), (rows.slice(half), f"{token}/1"))
            return [reject for part, name in parts for reject in self._insert(prepared, part, now, name)]
        return []

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


def prepare(
    batch: Batch, format_: Format, source: str = "", judge: Callable[[Batch, Decoded], Decoded] = lambda batch, decoded: decoded
) -> Prepared:
    """Decode the records of a batch, let `judge` refuse some, and put the coordinates beside the others."""
    values: Sequence[Any] = joined(batch.slices)
    parsed = len(values) > 0 and not isinstance(values[0], bytes)
    decoded = cautiously(values, format_.decode_objects if parsed else format_.decode)
    return located(batch, judge(batch, decoded), source)


def located(batch: Batch, decoded: Decoded, source: str = "", *, samples: bool = False) -> Prepared:
    """A decoded batch with the coordinates of its rows."""
    counts = [one.records for one in batch.slices]
    which = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[decoded.valid]
    every = [np.asarray(one.offsets, np.int64) for one in batch.slices]
    offsets = np.concatenate([np.empty(0, np.int64), *every])[decoded.valid]
    topics = pa.array([one.partition.topic for one in batch.slices], pa.string()).take(pa.array(which))
    numbers = np.asarray([one.partition.number for one in batch.slices], np.int32)[which]
    rows = decoded.rows
    for field_, column in zip(IDENTITY_FIELDS[1:], (topics, pa.array(numbers), pa.array(offsets)), strict=True):
        rows = rows.append_column(field_, column)
    return Prepared(batch=batch, rows=rows, rejects=decoded.rejects, source=source, samples=samples)


def cautiously(values: Sequence[Any], decode: Callable[[Sequence[Any]], Decoded]) -> Decoded:
    """Decode; where that fails against its promise, halve until the records that it fails on are alone.

    A defect in a format must not stop the topic: those records go to the dead letters, and the log names the defect.
    """
    try:
        return decode(values)
    except TransientError:  # what the format asks elsewhere (a schema registry) is away: the records are not at fault
        raise
    except Exception as error:
        if len(values) > 1:
            half = len(values) // 2
            return _both(cautiously(values[:half], decode), cautiously(values[half:], decode), half)
        logger.exception("a record cannot be decoded because of a defect in its format; it is kept in the dead letters")
        detail = f"the format failed on it ({type(error).__name__}); please report this"
        return Decoded(
            rows=decode([]).rows,
            valid=np.empty(0, np.int64),
            rejects=(Reject(index=0, reason="unreadable", detail=detail),),
        )


def _both(first: Decoded, second: Decoded, half: int) -> Decoded:
    moved = tuple(Reject(index=half + one.index, reason=one.reason, detail=one.detail) for one in second.rejects)
    return Decoded(
        rows=pa.concat_tables([first.rows, second.rows]),
        valid=np.concatenate([first.valid, half + second.valid]),
        rejects=first.rejects + moved,
    )


def _arrived(rows: pa.Table, now: datetime, schema: pa.Schema) -> pa.Table:
    times = pa.repeat(pa.scalar(now, TS_TYPE), rows.num_rows)
    return rows.append_column(IDENTITY_FIELDS[0], times).select(schema.names)


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
