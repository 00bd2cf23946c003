"""A batch read in columns as far as that goes; what is odd is left out, read exactly, and put back in its place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np
import orjson
import pyarrow as pa

from core.record import RECORD_SCHEMA
from ingest.formats.base import Decoded, Reject
from ingest.formats.columnar import Refused, converted, read_table
from ingest.formats.shape import Shape
from ingest.lines import Lines

BLOCK_RECORDS = 16_384
BLOCK_BYTES = 16 * 1024 * 1024
"""Most of what is read at once: few enough to stay in the processor's cache, enough to make the overhead small."""

LEAST = 64
_PIECE = 512
_REFUSALS = 4
_GAP = 1_000
"""A block may be cut this many times, and once more for as many records as `_GAP`, before the rest of it is read exactly. What
is refused was read for nothing as far as that goes, and small pieces have their cost: with one odd record in a thousand reading
exactly is nearly as fast. From the first cut on a block is read in pieces."""

_SAMPLES = 16

Exact = Callable[[Sequence[bytes]], Decoded]


class Shapes:
    """The shape that the records had so far. Used by any number of threads: each sees some former shape, and all are good."""

    def __init__(self) -> None:
        self.latest = Shape()

    def learn(self, values: Sequence[bytes], *, again: bool = False) -> bool:
        """Take in what is in these records; whether anything was new."""
        before = self.latest
        self.latest = before.learned(filter(None, map(_object, values)), again=again)
        return self.latest is not before


def decode_in_columns(lines: Lines, shapes: Shapes, exact: Exact, *, least: int = LEAST) -> Decoded:
    """What `exact` makes of the records, faster where there are many; spans of less than `least` are left to it."""
    found = _Found(lines, shapes, least)
    sizes = np.cumsum(lines.ends - lines.starts)
    start = 0
    while start < len(lines):
        taken = int(np.searchsorted(sizes, BLOCK_BYTES + (sizes[start - 1] if start else 0)))
        end = max(start + 1, min(start + BLOCK_RECORDS, taken))
        found.read(start, end)
        start = end
    return found.decoded(exact)


@dataclass(slots=True)
class _Found:
    """Rows that were read in columns, with their places, and the places of all others."""

    lines: Lines
    shapes: Shapes
    least: int
    read_so_far: list[tuple[np.ndarray, pa.Table]] = field(default_factory=list)
    rows: list[pa.Table] = field(default_factory=list)
    places: list[np.ndarray] = field(default_factory=list)
    left: list[np.ndarray] = field(default_factory=list)

    def read(self, start: int, end: int) -> None:
        """Read a block, cut where it is refused."""
        first = start
        waiting = [(start, end)]
        refusals = 0
        while waiting:
            start, end = waiting.pop()
            if refusals > _REFUSALS + (start - first) // _GAP or end - start < self.least:
                self._leave(start, end)
            elif (refused := self._read_at_once(start, end)) is not None:
                refusals += 1
                waiting.extend(reversed(self._cut(start, end, refused, look=refusals == 1)))
        self._convert()

    def decoded(self, exact: Exact) -> Decoded:
        places = np.concatenate([np.empty(0, np.int64), *self.places])
        rejects: tuple[Reject, ...] = ()
        rows = list(self.rows)
        if self.left:
            left = np.sort(np.concatenate(self.left))
            rest = exact(self.lines.take(left))
            rejects = tuple(Reject(index=int(left[one.index]), reason=one.reason, detail=one.detail) for one in rest.rejects)
            rows.append(rest.rows)
            places = np.concatenate([places, left[rest.valid]])
        table = pa.concat_tables(rows).combine_chunks() if rows else RECORD_SCHEMA.empty_table()
        if len(places) and (np.diff(places) < 0).any():
            order = np.argsort(places)
            places, table = places[order], table.take(pa.array(order))
        return Decoded(rows=table, valid=places, rejects=rejects)

    def _read_at_once(self, start: int, end: int) -> Refused | None:
        found = read_table(self.lines[start:end], self.shapes.latest)
        if isinstance(found, Refused):
            return found
        self.read_so_far.append((np.arange(start, end), found))
        return None

    def _convert(self) -> None:
        """What was read of a block, together as far as it has one shape: small pieces take as long as large ones."""
        for _, alike in groupby(self.read_so_far, key=lambda piece: piece[1].schema):
            pieces = list(alike)
            found = converted([table for _, table in pieces])
            places, rows = np.concatenate([part for part, _ in pieces]), found.rows
            if found.odd.any():
                self.left.append(places[found.odd])
                places = places[~found.odd]
                rows = rows.filter(pa.array(~found.odd))
            self.rows.append(rows)
            self.places.append(places)
        self.read_so_far = []

    def _cut(self, start: int, end: int, refused: Refused, *, look: bool) -> list[tuple[int, int]]:
        """What to try in place of the span that was refused, in order. `look`: whether it is worth trying at all."""
        if look or refused.row is None:
            samples = self.lines.take(np.linspace(start, end - 1, _SAMPLES, dtype=np.int64))
            if self.shapes.learn(samples, again=True):
                return [(start, end)]
            if self._many_refused(samples):
                self._leave(start, end)
                return []
        if refused.row is None:
            middle = (start + end) // 2
            return [(start, middle), (middle, end)]
        row = start + refused.row
        self._leave(row, row + 1)
        return [(start, row), *pairwise([*range(row + 1, end, _PIECE), end])]

    def _many_refused(self, samples: list[bytes]) -> bool:
        """Whether cutting is of no use, going by the samples."""
        refused = sum(isinstance(read_table(Lines.of([one]), self.shapes.latest), Refused) for one in samples)
        return refused > _SAMPLES // 8

    def _leave(self, start: int, end: int) -> None:
        """To be read exactly; the fields that occur there are expected from now on."""
        if start < end:
            places = np.arange(start, end)
            self.left.append(places)
            self.shapes.learn(self.lines.take(places[:_SAMPLES]))


def _object(value: bytes) -> dict[str, object] | None:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
