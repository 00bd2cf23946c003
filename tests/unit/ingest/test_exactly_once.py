"""Members that crash, stall and take over from one another, in any order: each record is stored once in every table.

The machine has what Kafka and ClickHouse promise and nothing more: commits are refused from a member whose generation is over;
a table ignores a second block under a token that it remembers; a write to several tables may stop between any two of them.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.batch import Partition
from ingest.ledger import Flight, Ledger
from ingest.plan import read_progress
from ingest.source import Assigned
from tests.unit.ingest.builders import NOON
from tests.unit.ingest.pieces import offsets_of, slice_of

AT = Partition("calls", 0)
TABLES = ("calls", "route_1m", "tenant_1m")
SECOND = timedelta(seconds=1)
BATCH = (1, 6)
"""Records of a batch of each member: one has to repeat batches for which it has no room of its own."""


@dataclass(slots=True, eq=False)
class Member:
    """A process: its books, where it reads, and the writes that it has under way (flight, tables done)."""

    books: Ledger
    generation: int = -1
    position: int = 0
    writing: list[tuple[Flight, int]] = field(default_factory=list)


def new_member(who: int) -> Member:
    return Member(books=Ledger(max_records=BATCH[who], max_age=SECOND))


class Group(RuleBasedStateMachine):
    """Two members, one partition, one store."""

    def __init__(self) -> None:
        super().__init__()
        self.end = 0
        self.offset, self.metadata = 0, "tpscope/1;"
        self.generation = 0
        self.members = [new_member(0), new_member(1)]
        self.stored = {table: Counter[int]() for table in TABLES}
        self.tokens: set[tuple[str, str]] = set()
        self.take_over(0)

    @rule(count=st.integers(1, 30))
    def append(self, count: int) -> None:
        self.end += count

    @rule(who=st.integers(0, 1))
    def take_over(self, who: int) -> None:
        """A rebalance gives the partition to this member; the other one does not know yet."""
        self.generation += 1
        member = self.members[who]
        member.books.revoke({AT})
        member.generation = self.generation
        progress = read_progress(self.offset, self.metadata)
        assert progress is not None
        member.books.assign({AT: Assigned(progress=progress)})
        member.position = progress.offset

    @rule(who=st.integers(0, 1))
    def crash(self, who: int) -> None:
        """Whatever it had in its memory is gone; what the store was told is not."""
        owner = self.members[who].generation == self.generation
        self.members[who] = new_member(who)
        if owner:
            self.take_over(1 - who)

    @rule(who=st.integers(0, 1))
    def learn_of_the_loss(self, who: int) -> None:
        if self.members[who].generation != self.generation:
            self.members[who].books.revoke({AT})
            self.members[who].generation = -1

    @rule(who=st.integers(0, 1), count=st.integers(1, 12))
    def poll(self, who: int, count: int) -> None:
        member = self.members[who]
        count = min(count, self.end - member.position, member.books.room)
        if member.generation > 0 and count > 0:
            member.books.add([slice_of(AT, member.position, count)], NOON)
            member.position += count

    @rule(who=st.integers(0, 1), late=st.booleans())
    def cut(self, who: int, late: bool) -> None:
        self.members[who].books.cut(NOON + SECOND * late)

    @rule(who=st.integers(0, 1))
    def commit(self, who: int) -> None:
        member = self.members[who]
        progress = member.books.unrecorded()
        if progress and member.generation == self.generation:
            self.offset, self.metadata = progress[AT].offset, progress[AT].text
            member.books.record(progress)

    @rule(who=st.integers(0, 1))
    def launch(self, who: int) -> None:
        for flight in self.members[who].books.ready():
            flight.running = True
            self.members[who].writing.append((flight, 0))

    @rule(who=st.integers(0, 1), count=st.integers(1, 12), steps=st.integers(1, 4))
    def go_on(self, who: int, count: int, steps: int) -> None:
        """Several steps in their usual order."""
        self.poll(who, count)
        if steps > 1:
            self.cut(who, late=True)
        if steps > 2:
            self.commit(who)
        if steps > 3:
            self.launch(who)

    @rule(who=st.integers(0, 1))
    @precondition(lambda self: any(one.writing for one in self.members))
    def write_one_table(self, who: int) -> None:
        """The next table of a write under way, also by a member that has lost the partition."""
        member = self.members[who]
        if not member.writing:
            return
        flight, done = member.writing.pop(0)
        token = (TABLES[done], f"{flight.start}-{flight.last}")
        if token not in self.tokens:
            self.tokens.add(token)
            self.stored[TABLES[done]].update(offsets_of(flight.pieces))
        if done + 1 < len(TABLES):
            member.writing.insert(0, (flight, done + 1))
        else:
            flight.running = False
            member.books.landed(flight)

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        for table, counts in self.stored.items():
            assert not counts or max(counts.values()) == 1, f"{table}: {counts.most_common(3)}"

    def teardown(self) -> None:
        """When all is calm, everything is stored."""
        self.take_over(0)
        self.learn_of_the_loss(1)
        for _ in range(self.end + 10):
            self.poll(0, 7)
            self.cut(0, late=True)
            self.commit(0)
            self.launch(0)
            for _ in TABLES:
                self.write_one_table(0)
        for table, counts in self.stored.items():
            assert counts == dict.fromkeys(range(self.end), 1), table
        assert self.offset == self.end


TestGroup = Group.TestCase
TestGroup.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
