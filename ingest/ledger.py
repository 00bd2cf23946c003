"""What is held of each partition, how it is cut into batches, and which of them may be written. Pure: the time is an argument.

The order of things for one batch: it is cut; its bounds are recorded by a commit; only then it may be written, after those
before it in its partition; when it is written the next commit moves the offset behind it. Batches whose bounds an earlier
owner had recorded are cut there again, exactly.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from ingest.batch import MAX_BYTES, Partition, Piece
from ingest.plan import MAX_BOUNDS, Progress
from ingest.source import Assigned
from ingest.writer import Prepared

_HELD_BATCHES = 4
_AHEAD = 2
_READY = 4
"""Batches that wait for a writer while others come of age: enough to keep the writers at work while bounds are recorded."""
_PATIENCE = 5
"""How many times its age a batch may wait for more where the topic has more at hand: larger ones are written at less cost."""


@dataclass(slots=True, kw_only=True, eq=False)
class Tenure:
    """The time for which this process has a partition.

    Attributes
    ----------
    over : bool
        Set when the partition goes away.
    """

    topic_id: str
    over: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Flight:
    """A batch on its way: offsets `start` to `last` of one partition; the `number`-th that was cut here."""

    number: int
    partition: Partition
    start: int
    last: int
    pieces: tuple[Piece, ...]
    tenure: Tenure
    recorded: bool = False
    running: bool = False
    attempts: int = 0
    lag: int = 0
    records: int = field(init=False)
    size_bytes: int = field(init=False)
    _prepared: Prepared | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.records = sum(one.records for one in self.pieces)
        self.size_bytes = sum(one.size_bytes for one in self.pieces)

    def prepare(self, prepare: Callable[["Flight"], Prepared]) -> Prepared:
        """The batch made ready to be written, once; the pieces, which it replaces, are let go."""
        if self._prepared is None:
            self._prepared = prepare(self)
            self.pieces = ()
        return self._prepared


@dataclass(slots=True, kw_only=True)
class _Track:
    """One partition. While it is `unsure` nothing is cut: it began without a progress of ours, and the store may have records
    that come again.
    """

    tenure: Tenure
    unsure: bool
    start: int | None
    recorded: Progress | None
    repeat: deque[int]
    read_to: int | None
    floor: int = 0
    began: int | None = None
    pieces: list[Piece] = field(default_factory=list)
    records: int = 0
    size_bytes: int = 0
    since: datetime | None = None
    flights: deque[Flight] = field(default_factory=deque)

    @property
    def progress(self) -> Progress | None:
        """What the next commit should say; None before the first record."""
        offset = self.flights[0].start if self.flights else self.start
        bounds = (*(one.last for one in self.flights), *self.repeat)
        return None if offset is None else Progress(offset=offset, bounds=bounds, topic_id=self.tenure.topic_id)

    def hold(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.records = sum(one.records for one in pieces)
        self.size_bytes = sum(one.size_bytes for one in pieces)
        self.since = self.since if pieces else None


class Ledger:
    """Books of all partitions. Used by one thread.

    Parameters
    ----------
    max_records : int
        Records of a batch.
    max_age : timedelta
        Longest wait before a batch is cut.
    """

    def __init__(self, *, max_records: int, max_age: timedelta, max_bytes: int = MAX_BYTES) -> None:
        self._max_records, self._max_age, self._max_bytes = max_records, max_age, max_bytes
        self._tracks: dict[Partition, _Track] = {}
        self._left_out = 0
        self._numbers = count()

    # --- what comes and goes ----------------------------------------------------------------------------------------------

    def assign(self, assigned: Mapping[Partition, Assigned]) -> dict[Partition, Tenure]:
        """Open the books of new partitions; returns those for which `settle` has to say what the store has."""
        for at, one in assigned.items():
            progress = one.progress
            self._tracks[at] = _Track(
                tenure=Tenure(topic_id=one.topic_id),
                unsure=progress is None,
                start=None if progress is None else progress.offset,
                recorded=progress,
                repeat=deque(() if progress is None else progress.bounds),
                read_to=None if progress is None else progress.offset,
                began=one.start,
            )
        return {at: self._tracks[at].tenure for at in assigned if self._tracks[at].unsure}

    def settle(self, at: Partition, tenure: Tenure, written_before: int) -> None:
        """The store has all records before this offset: those that come again are left out.

        Where reading began is committed even before the first record: else a restart before that would begin somewhere else.
        """
        if tenure.over:
            return
        track = self._tracks[at]
        track.unsure, track.floor = False, written_before
        held, since = track.pieces, track.since
        track.start = None if track.began is None else max(track.began, written_before)
        track.hold([])
        for one in held:
            self._take_in(track, one)
        track.since = since if track.pieces else None

    def revoke(self, partitions: Collection[Partition]) -> int:
        """Close the books of partitions that went away; returns how many records were held of them and not being written."""
        dropped = 0
        for at in partitions:
            track = self._tracks.pop(at, None)
            if track is not None:
                track.tenure.over = True
                dropped += track.records + sum(one.records for one in track.flights if not one.running)
        return dropped

    def add(self, pieces: Iterable[Piece], now: datetime) -> None:
        """Take records in; a partition that starts again below what was read of it has been reset, and is held anew."""
        for one in pieces:
            track = self._tracks[one.partition]
            if track.read_to is not None and one.last < track.read_to:
                # The topic lost its end or was made again: what was to be repeated is not there any more.
                track.hold([])
                track.repeat.clear()
                track.start, track.floor = None, 0
            track.read_to = one.last + 1
            self._take_in(track, one)
            track.since = (track.since or now) if track.pieces else None

    def _take_in(self, track: _Track, one: Piece) -> None:
        left_out, kept = split([one], track.floor - 1)
        self._left_out += sum(each.records for each in left_out)
        for each in kept:
            if track.start is None:
                track.start = max(each.first, track.floor)
            track.pieces.append(each)
            track.records += each.records
            track.size_bytes += each.size_bytes

    def take_left_out(self) -> int:
        """How many records were left out since the last time, because the store has them."""
        taken, self._left_out = self._left_out, 0
        return taken

    # --- batches ----------------------------------------------------------------------------------------------------------

    def cut(self, now: datetime, *, behind: Collection[Partition] = (), all_of_it: bool = False) -> None:
        """Make batches of what is large or old enough, or of everything; those that are `behind` may grow older.

        What is only old is cut as writers come free, the oldest first, and grows while they are at work: a batch of few records
        costs nearly as much as one of thousands, and topics with dozens of partitions would come to nothing but such.
        """
        if self.room <= 0 and not self._waiting:
            self._cut_largest()
        for at, track in sorted(self._tracks.items(), key=lambda item: item[1].since or now):
            if track.unsure:
                continue
            self._cut_again(at, track)
            most = MAX_BOUNDS if all_of_it else _AHEAD
            patience = self._max_age * (_PATIENCE if at in behind else 1)
            while track.pieces and not track.repeat and len(track.flights) < most:
                old = self._waiting < _READY and _wait(track, now, patience) <= timedelta(0)
                if not (all_of_it or old or self._large(track)):
                    break
                self._cut_one(at, track)

    def _cut_largest(self) -> None:
        """Nothing more can come before something is written, and nothing is ready for it."""
        open_ones = [one for one in self._tracks.items() if _is_open(one[1])]
        if open_ones:
            self._cut_one(*max(open_ones, key=lambda one: one[1].size_bytes))

    @property
    def _waiting(self) -> int:
        """Batches that no writer has begun."""
        return sum(not one.running for track in self._tracks.values() for one in track.flights)

    def _large(self, track: _Track) -> bool:
        return track.records >= self._max_records or track.size_bytes >= self._max_bytes

    def _cut_again(self, at: Partition, track: _Track) -> None:
        """Cut where an earlier owner did, as soon as everything up to there is here."""
        while track.repeat and track.pieces and track.pieces[-1].last >= track.repeat[0]:
            self._take_off(at, track, track.repeat.popleft())

    def _cut_one(self, at: Partition, track: _Track) -> None:
        records = size_bytes = 0
        last = track.pieces[0].last
        for one in track.pieces:
            if records and (records + one.records > self._max_records or size_bytes + one.size_bytes > self._max_bytes):
                break
            records, size_bytes, last = records + one.records, size_bytes + one.size_bytes, one.last
        if records > self._max_records:
            offsets = track.pieces[0].unpack().offsets
            last = int(offsets[self._max_records - 1]) if len(offsets) > self._max_records else last
        self._take_off(at, track, last)

    def _take_off(self, at: Partition, track: _Track, last: int) -> None:
        """Make a flight of everything up to `last`."""
        assert track.start is not None
        taken, kept = split(track.pieces, last)
        number = next(self._numbers)
        flight = Flight(number=number, partition=at, start=track.start, last=last, pieces=tuple(taken), tenure=track.tenure)
        flight.recorded = track.recorded is not None and last in track.recorded.bounds
        track.flights.append(flight)
        track.start = last + 1
        track.hold(kept)

    # --- commits ----------------------------------------------------------------------------------------------------------

    def unrecorded(self) -> dict[Partition, Progress]:
        """What has changed since the last commit."""
        found = {at: track.progress for at, track in self._tracks.items() if not track.unsure}
        return {at: one for at, one in found.items() if one is not None and one != self._tracks[at].recorded}

    def record(self, progress: Mapping[Partition, Progress]) -> None:
        """A commit of this progress has succeeded."""
        for at, one in progress.items():
            track = self._tracks.get(at)
            if track is not None:
                track.recorded = one
                for flight in track.flights:
                    flight.recorded = flight.recorded or flight.last in one.bounds

    def ready(self) -> list[Flight]:
        """Batches that may be written now, the oldest first: the first of each partition whose bounds are recorded."""
        firsts = [track.flights[0] for track in self._tracks.values() if track.flights]
        return sorted((one for one in firsts if one.recorded and not one.running), key=lambda one: one.number)

    def landed(self, flight: Flight) -> None:
        """The batch is written."""
        if not flight.tenure.over:
            landed = self._tracks[flight.partition].flights.popleft()
            assert landed is flight, "batches of a partition are written in order"

    # --- how much ---------------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many records may still be added: four batches of ours, or what repeating one of an earlier owner takes."""
        tracks = self._tracks.values()
        held = sum(track.records + sum(one.records for one in track.flights) for track in tracks)
        size_bytes = sum(track.size_bytes + sum(one.size_bytes for one in track.flights) for track in tracks)
        if held < _HELD_BATCHES * self._max_records and size_bytes < _HELD_BATCHES * self._max_bytes:
            return _HELD_BATCHES * self._max_records - held
        return self._max_records if self._only_repeats else 0

    @property
    def _only_repeats(self) -> bool:
        """Nothing can be written before more comes: each partition is to be cut where an earlier owner did, further on.

        That owner's batches may be larger than ours, or there may have been many owners.
        """
        tracks = self._tracks.values()
        return any(one.repeat for one in tracks) and not any(one.flights or one.unsure or _is_open(one) for one in tracks)

    @property
    def held(self) -> dict[Partition, int]:
        """Records of each partition that are here and not written."""
        return {at: track.records + sum(one.records for one in track.flights) for at, track in self._tracks.items()}

    def wait(self, now: datetime) -> timedelta:
        """How long until the next batch is old enough."""
        waits = (_wait(one, now, self._max_age) for one in self._tracks.values() if one.pieces and len(one.flights) < _AHEAD)
        return min(waits, default=self._max_age)


def _is_open(track: _Track) -> bool:
    """Whether a batch could be cut of it anywhere."""
    return bool(track.pieces) and not (track.unsure or track.repeat)


def _wait(track: _Track, now: datetime, max_age: timedelta) -> timedelta:
    if track.since is None:
        return max_age
    # A clock that was set back would otherwise hold the batch until it has caught up.
    return max_age - (now - track.since if now >= track.since else max_age)


def split(pieces: list[Piece], last: int) -> tuple[list[Piece], list[Piece]]:
    """The records up to `last`, and the others."""
    taken = [one for one in pieces if one.last <= last]
    kept = pieces[len(taken) :]
    if kept and kept[0].first <= last:
        within = kept[0].unpack()
        place = within.place_of(last + 1)
        taken += [within.part(0, place)] if place else []
        kept = ([within.part(place, within.records)] if place < within.records else []) + kept[1:]
    return taken, kept
