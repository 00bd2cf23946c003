"""Rows of a file by fixed numbers, as they are written at once, and what a format makes of them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import numpy as np
import pyarrow as pa

from core.record import RECORD_SCHEMA
from ingest.batch import MAX_BYTES
from ingest.formats import Decoded, Format, Reject
from ingest.formats.merging import merged
from ingest.formats.tables import decode_table
from ingest.lines import Lines
from ingest.rows import Rows, TableRows, Unreadable
from storage.ranges import IngestRange

_LINES_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Chunk(Sequence[Any]):
    """Rows that are written at once; as a sequence, their values, an unreadable row's being its bytes."""

    parts: tuple[Rows, ...]

    @property
    def numbers(self) -> np.ndarray:
        return np.concatenate([np.empty(0, np.int64), *(one.numbers for one in self.parts)])

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        ends = list(accumulate(map(len, self.parts)))
        which = bisect_right(ends, index)
        value = self.parts[which].values[index - ends[which] + len(self.parts[which])]
        return value.payload if isinstance(value, Unreadable) else value

    def without(self, done: Sequence[IngestRange]) -> "Chunk":
        """The rows that are in none of the ranges."""
        parts: list[Rows] = []
        for part in self.parts:
            missing = np.ones(len(part), bool)
            for one in done:
                missing &= (part.numbers < one.first_offset) | (part.numbers > one.last_offset)
            edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8)))
            parts.extend(part.part(start, stop) for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
        return Chunk(tuple(parts))

    def decoded(self, format_: Format) -> Decoded:
        """What the format makes of the rows, those that are no records at all among the rejects."""
        results: list[tuple[np.ndarray, Decoded]] = []
        first = 0
        for kind, some in _alike(self.parts):
            count = sum(map(len, some))
            results.append((np.arange(first, first + count), _decoded(kind, [part.values for part in some], format_)))
            first += count
        return merged(results)


def chunks(rows: Iterable[Rows], chunk_rows: int) -> Iterator[Chunk]:
    """Rows by fixed numbers, so that a chunk is the same one in every import; less where they are large."""
    held: list[Rows] = []
    size = 0
    for some in rows:
        at = 0
        while at < len(some):
            group = int(some.numbers[at]) // chunk_rows
            if held and (size >= MAX_BYTES or group != int(held[0].numbers[0]) // chunk_rows):
                yield Chunk(tuple(held))
                held, size = [], 0
            end = int(np.searchsorted(some.numbers, (group + 1) * chunk_rows))
            sizes = size + np.cumsum(some.sizes[at:end])
            end = min(end, at + int(np.searchsorted(sizes, MAX_BYTES)) + 1)
            held.append(some.part(at, end))
            size = int(sizes[end - at - 1])
            at = end
    if held:
        yield Chunk(tuple(held))


def _alike(parts: Sequence[Rows]) -> Iterator[tuple[type, list[Rows]]]:
    """Parts of one kind together, lines not more than are read at once."""
    for kind, some in groupby(parts, key=_kind):
        together: list[Rows] = []
        size = 0
        for part in some:
            together.append(part)
            size += int(part.sizes.sum())
            if kind is Lines and size >= _LINES_BYTES:
                yield kind, together
                together, size = [], 0
        if together:
            yield kind, together


def _kind(part: Rows) -> type:
    """What its values are, or hold."""
    return type(part.values) if isinstance(part.values, Lines | TableRows) else type(part.values[0])


def _decoded(kind: type, values: list[Sequence[Any]], format_: Format) -> Decoded:
    if kind is TableRows:
        return decode_table(format_, pa.concat_tables([one.table for one in values if isinstance(one, TableRows)]))
    if kind is Lines:
        return format_.decode(_joined([one for one in values if isinstance(one, Lines)]))
    singly = [value for some in values for value in some]
    if kind is bytes:
        return format_.decode(singly)
    if kind is not Unreadable:
        return format_.decode_objects(singly)
    rejects = [Reject(index=at, reason=value.reason, detail=value.detail) for at, value in enumerate(singly)]
    return Decoded(rows=RECORD_SCHEMA.empty_table(), valid=np.empty(0, np.int64), rejects=tuple(rejects))


def _joined(lines: list[Lines]) -> Lines:
    if len(lines) == 1:
        return lines[0]
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(one.text) + 1 for one in lines])])
    return Lines(
        text=b"\n".join(one.text for one in lines),
        starts=np.concatenate([one.starts + shift for one, shift in zip(lines, before[:-1], strict=True)]),
        ends=np.concatenate([one.ends + shift for one, shift in zip(lines, before[:-1], strict=True)]),
    )
