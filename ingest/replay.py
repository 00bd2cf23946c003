"""Dead letters that can be read now, written to the calls under the coordinates that their records had: each once.

A batch of letters is planned (a mark in the store), written under the plan's token, and marked as done. A replay that was
broken off is finished by the next one: the same letters, the same token, which the tables remember for their last 10,000
inserts. When that may be over, what is in `calls` already is left out by its coordinates; so is, at any time, a record that
came in by another way since (its topic was read again).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pyarrow as pa

from core.clock import Clock
from core.record import CALL_SCHEMA, IDENTITY_FIELDS, TS_TYPE
from ingest.cardinality import CardinalityGuard
from ingest.formats import Format
from storage.calls import insert_calls
from storage.contract import Store
from storage.dead_letters import LetterFilter, StoredLetter, letters_of, longest_payload, open_dead_letters
from storage.replays import DONE, PLANNED, planned_elsewhere, stored_calls, unfinished_plans, write_marks

MOST_LETTERS = 20_000
MOST_BYTES = 128 * 2**20
"""Letters that are read and written at once, and bytes of them were all as long as the longest."""

_TOKEN_HELD = timedelta(hours=1)
"""How old a plan may be for its token to be relied on: 10,000 inserts are nearly three hours of one batch a second."""

_OTHER_ENDS = timedelta(minutes=10)
"""How old a plan must be when two replays had planned the same letters: by then both have ended, or given way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What a replay did.

    Attributes
    ----------
    replayed : int
        Letters that are among the calls now (with `dry_run`: that would be).
    there_before : int
        Those of them whose record had come into the calls by another way.
    cut : int
        Letters of which not all bytes were kept: they cannot be replayed.
    elsewhere : int
        Letters left to another replay that goes on at the same time.
    unreadable : mapping
        Letters that still cannot be read, by their present reason.
    examples : tuple of str
        What is wrong with the first of these.
    """

    replayed: int
    there_before: int
    cut: int
    elsewhere: int
    unreadable: Mapping[str, int]
    examples: tuple[str, ...]

    @property
    def left(self) -> int:
        """Letters that stay dead."""
        return self.cut + self.elsewhere + sum(self.unreadable.values())


@dataclass(slots=True, kw_only=True)
class Replay:
    """One replay over a store; used once, by one thread.

    Raises what the store raises; what was done until then stays, and the next replay goes on.
    """

    store: Store
    format: Format
    guard: CardinalityGuard
    clock: Clock
    dry_run: bool = False
    progress: Callable[[int], object] = lambda letters: None
    most_letters: int = MOST_LETTERS
    _replayed: int = field(default=0, init=False)
    _before: int = field(default=0, init=False)
    _cut: int = field(default=0, init=False)
    _elsewhere: int = field(default=0, init=False)
    _unreadable: Counter[str] = field(default_factory=Counter, init=False)
    _examples: list[str] = field(default_factory=list, init=False)

    def run(self, wanted: LetterFilter) -> ReplayReport:
        """Finish what was planned before, then replay the letters of the filter."""
        at_once = max(1, min(self.most_letters, MOST_BYTES // max(1, longest_payload(self.store))))
        if not self.dry_run:
            self._finish_plans()
        after: StoredLetter | None = None
        while letters := open_dead_letters(self.store, wanted, at_once, after):
            after = letters[-1]
            self._replay([one for one in letters if not one.cut])
            self._cut += sum(1 for one in letters if one.cut)
            self.progress(len(letters))
        return ReplayReport(
            replayed=self._replayed,
            there_before=self._before,
            cut=self._cut,
            elsewhere=self._elsewhere,
            unreadable=dict(self._unreadable.most_common()),
            examples=tuple(self._examples),
        )

    def _finish_plans(self) -> None:
        """Write what an earlier replay had planned and did not mark as done."""
        for plan in unfinished_plans(self.store):
            age = self.clock.now() - plan.planned_at
            if plan.contested and age <= _OTHER_ENDS:
                continue
            letters = letters_of(self.store, plan.keys)
            rows, kept = self._decoded(letters, count=False)
            if kept and not plan.contested and age <= _TOKEN_HELD and _batch_of(kept) == plan.batch:
                self._write(rows, plan.batch)
            elif kept:
                there = self._there(rows, kept)
                self._write(_without(rows, kept, there), _batch_of([one for one in kept if one.key[:3] not in there]))
            self._done(kept, plan.batch)

    def _replay(self, letters: Sequence[StoredLetter]) -> None:
        rows, kept = self._decoded(letters, count=True)
        if self.dry_run or not kept:
            self._replayed += len(kept)
            return
        there = self._there(rows, kept)
        rows = _without(rows, kept, there)
        known = [one for one in kept if one.key[:3] in there]
        new = [one for one in kept if one.key[:3] not in there]
        self._before += len(known)
        if known:
            self._done(known, _batch_of(known))
        if new:
            self._write_planned(rows, new)

    def _write_planned(self, rows: pa.Table, letters: Sequence[StoredLetter]) -> None:
        batch, keys = _batch_of(letters), [one.key for one in letters]
        write_marks(self.store, keys, batch, PLANNED, self.format.name, self.clock.now())
        if planned_elsewhere(self.store, keys, batch):
            self._elsewhere += len(letters)
            return
        self._write(rows, batch)
        self._done(letters, batch)

    def _decoded(self, letters: Sequence[StoredLetter], *, count: bool) -> tuple[pa.Table, list[StoredLetter]]:
        """Rows of the letters that can be read, as they are written, and these letters."""
        decoded = self.format.decode([one.letter.payload for one in letters])
        kept = [letters[place] for place in decoded.valid.tolist()]
        if count:
            self._unreadable.update(reject.reason for reject in decoded.rejects)
            for reject in decoded.rejects[: 3 - len(self._examples)]:
                letter = letters[reject.index].letter
                self._examples.append(f"{letter.topic}/{letter.partition}/{letter.offset}: {reject.reason}, {reject.detail}")
        rows = self.guard.apply(decoded.rows)
        columns = (
            pa.repeat(pa.scalar(self.clock.now(), TS_TYPE), len(kept)),
            pa.array([one.letter.topic for one in kept], pa.string()),
            pa.array([one.letter.partition for one in kept], pa.int32()),
            pa.array([one.letter.offset for one in kept], pa.int64()),
        )
        for identity, column in zip(IDENTITY_FIELDS, columns, strict=True):
            rows = rows.append_column(identity, column)
        return rows.select(CALL_SCHEMA.names), kept

    def _there(self, rows: pa.Table, letters: Sequence[StoredLetter]) -> set[tuple[str, int, int]]:
        """Coordinates of the letters that have a call already."""
        if not letters:
            return set()
        times = rows.column("ts").to_pylist()
        return stored_calls(self.store, [one.key for one in letters], min(times), max(times))

    def _write(self, rows: pa.Table, batch: str) -> None:
        if rows.num_rows:
            insert_calls(self.store, rows, token=f"replay:{batch}")

    def _done(self, letters: Sequence[StoredLetter], batch: str) -> None:
        write_marks(self.store, [one.key for one in letters], batch, DONE, self.format.name, self.clock.now())
        self._replayed += len(letters)


def _without(rows: pa.Table, letters: Sequence[StoredLetter], there: set[tuple[str, int, int]]) -> pa.Table:
    """The rows of those letters whose coordinates are not there."""
    missing = np.fromiter((one.key[:3] not in there for one in letters), bool, len(letters))
    return rows if missing.all() else rows.filter(pa.array(missing))


def _batch_of(letters: Sequence[StoredLetter]) -> str:
    """Names exactly these letters: a second write under the same name writes nothing."""
    text = "\n".join("/".join(map(str, key)) for key in sorted(one.key for one in letters))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
