"""The books of what is read: batches by size or age, bounds before writing, the same bounds again, nothing twice."""

from datetime import timedelta

import pytest

from ingest.batch import Batch, Partition
from ingest.ledger import Flight, Ledger, split
from ingest.plan import Progress
from ingest.source import Assigned
from tests.unit.ingest.builders import NOON
from tests.unit.ingest.pieces import offsets_of, slice_of

P0, P1 = Partition("calls", 0), Partition("calls", 1)
SECOND = timedelta(seconds=1)


def ledger(max_records: int = 10, max_bytes: int = 1000, progress: Progress | None = None) -> Ledger:
    """Books of two partitions; without a `progress` the store has been found to have nothing of them."""
    books = Ledger(max_records=max_records, max_age=SECOND, max_bytes=max_bytes)
    for at, tenure in books.assign({at: Assigned(progress=progress) for at in (P0, P1)}).items():
        books.settle(at, tenure, 0)
    return books


def committed(books: Ledger) -> list[Flight]:
    """Commit what there is to commit; what may be written then."""
    books.record(books.unrecorded())
    return books.ready()


def test_nothing_is_written_before_its_bounds_are_committed() -> None:
    books = ledger()
    books.add([slice_of(P0, 0, 10)], NOON)
    books.cut(NOON)
    assert books.ready() == []
    assert books.unrecorded() == {P0: Progress(offset=0, bounds=(9,))}
    (flight,) = committed(books)
    assert (flight.start, flight.last, offsets_of(flight.pieces)) == (0, 9, list(range(10)))
    assert books.unrecorded() == {}
    books.landed(flight)
    assert books.unrecorded() == {P0: Progress(offset=10)}


def test_a_batch_is_cut_by_size_by_bytes_and_by_the_age_of_its_first_record() -> None:
    books = ledger(max_bytes=500)
    books.add([slice_of(P0, 0, 9), slice_of(P1, 0, 2, size=240)], NOON)
    books.cut(NOON + 0.99 * SECOND)
    assert committed(books) == []
    assert books.wait(NOON + SECOND / 4) == 0.75 * SECOND
    books.add([slice_of(P0, 9, 1), slice_of(P1, 2, 1, size=240)], NOON + SECOND / 2)
    books.cut(NOON + SECOND / 2)
    assert [(one.partition, one.start, one.last) for one in committed(books)] == [(P0, 0, 9), (P1, 0, 1)]
    books.add([slice_of(P0, 10, 1)], NOON + SECOND)
    books.cut(NOON + 2 * SECOND)
    assert books.unrecorded()[P0] == Progress(offset=0, bounds=(9, 10))


def test_a_clock_that_was_set_back_does_not_hold_the_batch() -> None:
    books = ledger()
    books.add([slice_of(P0, 0, 1)], NOON)
    books.cut(NOON - timedelta(hours=1))
    assert len(committed(books)) == 1


def test_batches_of_a_partition_are_written_one_after_another_and_those_of_others_meanwhile() -> None:
    books = ledger()
    books.add([slice_of(P0, 0, 30), slice_of(P1, 5, 10)], NOON)
    books.cut(NOON)
    first, other = committed(books)
    assert (first.last, other.last) == (9, 14)
    first.running = True
    assert books.ready() == [other]
    assert books.unrecorded() == {}
    books.landed(first)
    (second, _) = books.ready()
    assert (second.start, second.last) == (10, 19)


def test_what_is_held_is_bounded_by_records_and_by_bytes() -> None:
    books = ledger()
    assert books.room == 40
    books.add([slice_of(P0, 0, 25), slice_of(P1, 0, 5)], NOON)
    books.cut(NOON)
    assert books.room == 10
    assert books.held == {P0: 25, P1: 5}
    books.add([slice_of(P1, 5, 1, size=4000)], NOON)
    assert books.room == 0


def test_where_nothing_is_large_enough_and_all_is_full_the_largest_is_cut() -> None:
    books = ledger(max_records=3, max_bytes=10_000)
    books.assign({Partition("calls", number): Assigned(progress=Progress(offset=0)) for number in range(12)})
    books.add([slice_of(Partition("calls", number), 0, 1, size=10 + number) for number in range(12)], NOON)
    assert books.room == 0
    books.cut(NOON)
    assert [one.partition.number for one in committed(books)] == [11]


def test_batches_of_an_earlier_owner_are_repeated_though_they_are_larger_than_there_is_room_for() -> None:
    books = ledger(max_records=2, progress=Progress(offset=0, bounds=(24, 49)))
    read = 0
    while not (ready := books.ready()):
        assert 0 < books.room <= 8, "more is taken in until the first of them is whole, and no more"
        books.add([slice_of(P0, read, 1), slice_of(P1, read, 1)], NOON)
        read += 1
        books.cut(NOON)
    assert [(one.partition, one.start, one.last) for one in ready] == [(P0, 0, 24), (P1, 0, 24)]
    assert books.room == 0, "they are written first"


def test_while_the_writers_are_at_work_old_records_of_many_partitions_go_on_growing() -> None:
    books = ledger(max_records=1_000, max_bytes=1_000_000)
    many = [Partition("calls", number) for number in range(12)]
    books.assign({at: Assigned(progress=Progress(offset=0)) for at in many})
    books.add([slice_of(at, 0, 1) for at in many[6:]], NOON)
    books.add([slice_of(at, 0, 1) for at in many[:6]], NOON + SECOND / 10)
    books.cut(NOON + 2 * SECOND)
    first = committed(books)
    assert [one.partition for one in first] == many[6:10]
    books.cut(NOON + 2 * SECOND)
    assert committed(books) == first
    first[0].running = first[1].running = True
    books.add([slice_of(at, 1, 4) for at in many], NOON + 2 * SECOND)
    books.cut(NOON + 2 * SECOND)
    later = [one for one in committed(books) if one not in first]
    assert [(one.partition, one.records) for one in later] == [(at, 5) for at in many[10:]]


def test_the_batch_that_was_cut_first_is_written_first() -> None:
    books = ledger(max_records=10, max_bytes=1_000_000)
    books.add([slice_of(P1, 0, 10)], NOON)
    books.cut(NOON)
    books.add([slice_of(P0, 0, 10), slice_of(P1, 10, 10)], NOON)
    books.cut(NOON)
    assert [one.partition for one in committed(books)] == [P1, P0]


def test_a_batch_that_an_earlier_owner_had_begun_is_cut_again_at_its_bounds() -> None:
    books = ledger(progress=Progress(offset=100, bounds=(104, 111)))
    assert books.unrecorded() == {}
    books.add([slice_of(P0, 100, 3)], NOON)
    books.cut(NOON + 9 * SECOND)
    assert books.ready() == []  # not before it is all here
    books.add([slice_of(P0, 103, 17)], NOON)
    books.cut(NOON)
    (first,) = books.ready()  # they are recorded already
    assert offsets_of(first.pieces) == list(range(100, 105))
    books.landed(first)
    (second,) = books.ready()
    assert offsets_of(second.pieces) == list(range(105, 112))
    assert books.unrecorded()[P0] == Progress(offset=105, bounds=(111,))
    books.landed(second)
    books.cut(NOON + 9 * SECOND)
    assert [offsets_of(one.pieces) for one in committed(books)] == [list(range(112, 120))]


def test_a_bound_whose_records_were_compacted_away_is_passed() -> None:
    books = ledger(progress=Progress(offset=100, bounds=(104,)))
    books.add([slice_of(P0, 107, 1)], NOON)
    books.cut(NOON)
    (flight,) = books.ready()
    assert (flight.start, flight.last, flight.pieces) == (100, 104, ())


def test_what_the_store_has_is_left_out_when_it_comes_again() -> None:
    books = Ledger(max_records=10, max_age=SECOND)
    ((_, tenure),) = books.assign({P0: Assigned(topic_id="a")}).items()
    books.add([slice_of(P0, 0, 8)], NOON)
    books.cut(NOON + SECOND)
    assert books.unrecorded() == {}  # nothing goes on before it is known
    books.settle(P0, tenure, 12)
    books.add([slice_of(P0, 8, 6)], NOON)
    books.cut(NOON + SECOND)
    (flight,) = committed(books)
    assert (flight.start, offsets_of(flight.pieces)) == (12, [12, 13])
    assert books.take_left_out() == 12
    assert books.take_left_out() == 0


def test_a_topic_that_starts_again_is_held_anew() -> None:
    books = ledger(progress=Progress(offset=10, bounds=(19,)))
    books.add([slice_of(P0, 10, 5)], NOON)
    books.add([slice_of(P0, 0, 4)], NOON)
    books.cut(NOON + SECOND)
    (flight,) = committed(books)
    assert (flight.start, offsets_of(flight.pieces)) == (0, [0, 1, 2, 3])


def test_what_went_away_is_forgotten_and_its_late_writers_are_ignored() -> None:
    books = ledger()
    books.add([slice_of(P0, 0, 15), slice_of(P1, 0, 2)], NOON)
    books.cut(NOON)
    (flight,) = committed(books)
    flight.running = True
    assert books.revoke({P0, Partition("calls", 9)}) == 5
    assert flight.tenure.over
    books.landed(flight)
    assert books.held == {P1: 2}
    assert books.unrecorded() == {}


def test_at_the_end_everything_is_cut() -> None:
    books = ledger()
    books.add([slice_of(P0, 0, 33), slice_of(P1, 0, 2)], NOON)
    books.cut(NOON, all_of_it=True)
    books.record(books.unrecorded())
    assert books.held == {P0: 33, P1: 2}
    written = []
    while ready := books.ready():
        written += [(one.start, one.last) for one in ready]
        for one in ready:
            books.landed(one)
    assert sorted(written) == [(0, 1), (0, 9), (10, 19), (20, 29), (30, 32)]


def test_splitting_goes_through_a_piece() -> None:
    taken, kept = split([slice_of(P0, 0, 3), slice_of(P0, 3, 4), slice_of(P0, 9, 1)], 4)
    assert (offsets_of(taken), offsets_of(kept)) == ([0, 1, 2, 3, 4], [5, 6, 9])
    assert [one.size_bytes for one in (*taken, *kept)] == [30, 20, 20, 10]


def test_a_batch_is_named_by_its_bounds_or_by_its_owner() -> None:
    slices = (slice_of(P1, 5, 2), slice_of(P0, 10, 3), slice_of(P0, 20, 1))
    assert Batch(slices=slices).token == "calls:0:10-20,calls:1:5-6"
    assert Batch(slices=slices).next_offsets == {P0: 21, P1: 7}
    assert Batch(slices=slices, name="given").token == "given"


@pytest.mark.parametrize("bounds", [(4,), (9, 9), (12, 11), tuple(range(10, 30))])
def test_bounds_ascend_from_the_offset_on_and_are_few(bounds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="bounds"):
        Progress(offset=5, bounds=bounds)


def test_where_reading_began_is_committed_before_anything_came() -> None:
    books = Ledger(max_records=10, max_age=SECOND)
    (tenure,) = books.assign({P0: Assigned(start=50)}).values()
    assert books.unrecorded() == {}  # not before it is known what the store has
    books.settle(P0, tenure, 0)
    assert books.unrecorded() == {P0: Progress(offset=50)}
    books.record(books.unrecorded())
    books.add([slice_of(P0, 53, 10)], NOON)
    books.cut(NOON)
    assert books.unrecorded() == {P0: Progress(offset=50, bounds=(62,))}


def test_where_reading_began_before_what_the_store_has_it_goes_on_behind_that() -> None:
    books = Ledger(max_records=10, max_age=SECOND)
    (tenure,) = books.assign({P0: Assigned(start=5)}).values()
    books.add([slice_of(P0, 5, 10)], NOON)
    books.settle(P0, tenure, 20)
    assert books.unrecorded() == {P0: Progress(offset=20)}
    books.add([slice_of(P0, 15, 10)], NOON)
    assert books.take_left_out() == 15
    books.cut(NOON + SECOND)
    assert books.unrecorded() == {P0: Progress(offset=20, bounds=(24,))}
