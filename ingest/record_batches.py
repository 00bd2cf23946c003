"""Kafka's record batches as they lie in the topic, taken apart all at once.

kafka-python makes a Python object of each record, which costs more than all the rest of the ingest path. Here its consumer is
made to hand over whole record batches (format v2: KIP-98, https://kafka.apache.org/documentation/#messageformat), whose headers
it has read and whose checksum it has verified; the records are found with numpy, and what lies between their values is blanked,
so that the batch's own bytes are the text that the columnar reader parses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError

from ingest.batch import Partition, Slice
from ingest.lines import Lines

_SPACE, _LINE_FEED = 0x20, 0x0A
_LOG_APPEND_TIME = 1
_LONGEST_VARINT = 10
_COMPRESSION = 8


@dataclass(frozen=True, slots=True, eq=False)
class PackedRecords:
    """The pseudo-record that stands for a record batch on its way through kafka-python's fetcher."""

    batch: Any

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedPiece:
    """`Piece` of one record batch; records before `since` are not wanted, since reading began in its middle."""

    partition: Partition
    batch: Any
    since: int
    _unpacked: list[Slice] = field(default_factory=list)

    @property
    def first(self) -> int:
        return max(int(self.batch.base_offset), self.since)

    @property
    def last(self) -> int:
        return int(self.batch.last_offset)

    @property
    def records(self) -> int:
        return min(int(self.batch.records_count), self.last - self.first + 1)

    @property
    def size_bytes(self) -> int:
        """Of a compressed one a guess, since most codecs do not say it: logs are seldom compressed further."""
        return int(self.batch.size_in_bytes) * (_COMPRESSION if self.batch.compression_type else 1)

    def unpack(self) -> Slice:
        """Raises CorruptRecordError for a batch that is not what its header says. The batch's own memory is used."""
        if not self._unpacked:
            self._unpacked.append(self._take_apart())
        return self._unpacked[0]

    def _take_apart(self) -> Slice:
        batch = self.batch
        batch._maybe_uncompress()
        text = np.frombuffer(batch._buffer, np.uint8, offset=batch._pos)
        found = parse_records(text, batch.records_count)
        offsets = found.offset_deltas + batch.base_offset
        if batch.timestamp_type == _LOG_APPEND_TIME:
            times = np.full(len(offsets), batch.max_timestamp, np.int64)
        else:
            times = found.time_deltas + batch.first_timestamp
        _blank(text, found.starts, found.ends)
        lines = Lines(text=text.data, starts=found.starts, ends=found.ends)
        whole = Slice(partition=self.partition, offsets=offsets, values=lines, size_bytes=lines.size_bytes, times_ms=times)
        return whole if self.since <= batch.base_offset else whole.part(whole.place_of(self.since), whole.records)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """Where the records of a batch are. Arrays of int64, shape (records,).

    Attributes
    ----------
    starts, ends : ndarray
        Of the value within the text; equal where a record has none.
    offset_deltas, time_deltas : ndarray
        To the batch's base offset, and to its first time in milliseconds.
    """

    starts: np.ndarray
    ends: np.ndarray
    offset_deltas: np.ndarray
    time_deltas: np.ndarray


def parse_records(text: np.ndarray, count: int) -> Records:
    """Find `count` records that fill the text (uint8, shape (bytes,)); raises CorruptRecordError where they do not."""
    try:
        at = np.asarray(_record_places(text.data, count), np.int64)
        _, at = _varints(text, at)
        time_deltas, at = _varints(text, at + 1)
        offset_deltas, at = _varints(text, at)
        key_sizes, at = _varints(text, at)
        sizes, starts = _varints(text, at + np.maximum(key_sizes, 0))
    except IndexError as error:
        raise CorruptRecordError("a record ends beyond its batch") from error
    ends = starts + np.maximum(sizes, 0)
    if count and (int(ends.max()) > len(text) or bool((starts[1:] < ends[:-1]).any())):
        raise CorruptRecordError("a record is longer than it says")
    return Records(starts=starts, ends=ends, offset_deltas=offset_deltas, time_deltas=time_deltas)


def merged(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """The slices of one partition as one, so that their records are one text; no slice where there is no record."""
    if len(slices) <= 1:
        return tuple(slices)
    times = [one.times_ms for one in slices if one.times_ms is not None]
    whole = Slice(
        partition=slices[0].partition,
        offsets=np.concatenate([np.asarray(one.offsets, np.int64) for one in slices]),
        values=joined(slices),
        size_bytes=sum(one.size_bytes for one in slices),
        times_ms=np.concatenate(times) if len(times) == len(slices) else None,
    )
    return (whole,)


def joined(slices: Sequence[Slice]) -> Sequence[bytes] | Sequence[object]:
    """The values of the slices, one after another; as one text where all of them are."""
    if len(slices) == 1:
        return slices[0].values
    if not all(isinstance(one.values, Lines) for one in slices):
        return [value for one in slices for value in one.values]
    texts: list[Any] = []
    starts, ends, base = [], [], 0
    for one in slices:
        lines = one.values
        assert isinstance(lines, Lines)
        texts.append(lines.text)
        starts.append(lines.starts + base)
        ends.append(lines.ends + base)
        base += len(lines.text) + 1
    return Lines(text=b"\n".join(texts), starts=np.concatenate(starts), ends=np.concatenate(ends))


def _record_places(text: memoryview, count: int) -> list[int]:
    """Where each record begins: a chain of lengths, which has to be walked."""
    places = [0] * count
    at = 0
    for number in range(count):
        places[number] = at
        byte = text[at]
        at += 1
        if byte < 0x80:
            at += byte >> 1
            continue
        length, shift = byte & 0x7F, 7
        while True:
            byte = text[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        at += length >> 1
    if at != len(text):
        raise CorruptRecordError(f"the records of a batch take {at} bytes, not {len(text)}")
    return places


def _varints(text: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Zigzag varints at these places, and the places after them."""
    value = np.zeros(len(at), np.uint64)
    at = at.copy()
    open_ = np.arange(len(at))
    for number in range(_LONGEST_VARINT):
        if not len(open_):
            break
        byte = text[at[open_]]
        value[open_] |= (byte & 0x7F).astype(np.uint64) << np.uint64(7 * number)
        at[open_] += 1
        open_ = open_[byte >= 0x80]
    else:
        raise CorruptRecordError("a number of a record has more than 10 bytes")
    one = np.uint64(1)
    return ((value >> one) ^ (~(value & one) + one)).astype(np.int64), at


def _blank(text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """White space around the values, a line feed after each."""
    if not len(starts):
        text[:] = _SPACE
        return
    opens, closes = np.concatenate([[0], ends]), np.concatenate([starts, [len(text)]])
    sizes = closes - opens
    places = np.repeat(opens - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes) + np.arange(int(sizes.sum()))
    text[places] = _SPACE
    # Every value is followed by at least its record's count of headers, or the next record's length.
    text[ends[ends < len(text)]] = _LINE_FEED


class WholeBatches(Fetcher.PartitionRecords):  # type: ignore[misc]
    """kafka-python's reader of a fetched partition, made to yield each record batch as one record."""

    def __init__(self, fetch_offset: int, tp: Any, records: Any, *args: Any, **options: Any) -> None:
        super().__init__(fetch_offset, tp, _Wrapped(records), *args, **options)


class _Wrapped:
    """Hands on record batches so that iterating one yields one pseudo-record. Control batches stay what they are."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if batch is None or batch.magic < 2 or batch.is_control_batch:
            return batch
        return _OneRecord(batch)


class _OneRecord:
    """A record batch with the manners of a batch of one record, that of its last offset."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator["_PseudoRecord"]:
        return iter((_PseudoRecord(self._batch),))


@dataclass(frozen=True, slots=True, eq=False)
class _PseudoRecord:
    """What kafka-python's fetcher asks of a record."""

    batch: Any
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None

    @property
    def offset(self) -> int:
        return int(self.batch.last_offset)

    @property
    def timestamp(self) -> int:
        return int(self.batch.max_timestamp)

    @property
    def timestamp_type(self) -> int:
        return int(self.batch.timestamp_type)

    @property
    def size_in_bytes(self) -> int:
        return int(self.batch.size_in_bytes)

    @property
    def value(self) -> PackedRecords:
        return PackedRecords(self.batch)

    def validate_crc(self) -> bool:
        """The batch's own checksum was verified before."""
        return True
