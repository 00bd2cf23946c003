"""Dead letters that can be read now, written to the calls (or samples) under the coordinates that their records had: each once.

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
import pyarrow.compute as pc

from core.clock import Clock
from ingest.replay_target import Read, Target
from storage.contract import Store
from storage.dead_letters import LetterFilter, StoredLetter, letters_of, longest_payload, open_dead_letters
from storage.replays import DONE, PLANNED, planned_elsewhere, unfinished_plans, write_marks

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
    target: Target
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
            if (plan.contested and age <= _OTHER_ENDS) or not self.target.takes(plan.keys[0][0]):
                continue
            read = self._read(letters_of(self.store, plan.keys), count=False)
            if not read.letters:
                continue
            if not plan.contested and age <= _TOKEN_HELD and _batch_of(read.letters) == plan.batch:
                self._write(read.rows, plan.batch)
            else:
                rows, new = self._new(read)
                self._write(rows, _batch_of(new))
            self._done(read.letters, plan.batch)

    def _replay(self, letters: Sequence[StoredLetter]) -> None:
        read = self._read(letters, count=True)
        if self.dry_run or not read.letters:
            self._replayed += len(read.letters)
            return
        rows, new = self._new(read)
        keys_of_new = {one.key for one in new}
        known = [one for one in read.letters if one.key not in keys_of_new]
        self._before += len(known)
        if known:
            self._done(known, _batch_of(known))
        if new:
            self._write_planned(rows, new)

    def _write_planned(self, rows: pa.Table, letters: Sequence[StoredLetter]) -> None:
        batch, keys = _batch_of(letters), [one.key for one in letters]
        write_marks(self.store, keys, batch, PLANNED, self.target.name, self.clock.now())
        if planned_elsewhere(self.store, keys, batch):
            self._elsewhere += len(letters)
            return
        self._write(rows, batch)
        self._done(letters, batch)

    def _read(self, letters: Sequence[StoredLetter], *, count: bool) -> Read:
        read = self.target.read(letters, self.clock.now())
        if count:
            self._unreadable.update(reject.reason for reject in read.rejects)
            for reject in read.rejects[: 3 - len(self._examples)]:
                letter = letters[reject.index].letter
                self._examples.append(f"{letter.topic}/{letter.partition}/{letter.offset}: {reject.reason}, {reject.detail}")
        return read

    def _new(self, read: Read) -> tuple[pa.Table, list[StoredLetter]]:
        """The rows, and the letters, whose coordinates are not in the store yet."""
        times = pc.min_max(read.rows.column("ts")).as_py()
        there = self.target.stored(self.store, [one.key for one in read.letters], times["min"], times["max"])
        if not there:
            return read.rows, list(read.letters)
        coordinates = zip(*(read.rows.column(name).to_pylist() for name in ("topic", "partition", "offset")), strict=True)
        missing = np.fromiter((place not in there for place in coordinates), bool, read.rows.num_rows)
        return read.rows.filter(pa.array(missing)), [one for one in read.letters if one.key[:3] not in there]

    def _write(self, rows: pa.Table, batch: str) -> None:
        if rows.num_rows:
            self.target.insert(self.store, rows, f"replay:{batch}")

    def _done(self, letters: Sequence[StoredLetter], batch: str) -> None:
        write_marks(self.store, [one.key for one in letters], batch, DONE, self.target.name, self.clock.now())
        self._replayed += len(letters)


def joined(reports: Sequence[ReplayReport]) -> ReplayReport:
    """Several replays as one."""
    unreadable: Counter[str] = Counter()
    for one in reports:
        unreadable.update(one.unreadable)
    return ReplayReport(
        replayed=sum(one.replayed for one in reports),
        there_before=sum(one.there_before for one in reports),
        cut=sum(one.cut for one in reports),
        elsewhere=sum(one.elsewhere for one in reports),
        unreadable=dict(unreadable.most_common()),
        examples=tuple(example for one in reports for example in one.examples)[:3],
    )


def _batch_of(letters: Sequence[StoredLetter]) -> str:
    """Names exactly these letters: a second write under the same name writes nothing."""
    text = "\n".join("/".join(map(str, key)) for key in sorted(one.key for one in letters))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
