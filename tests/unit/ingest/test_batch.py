"""The batcher: size or age, in order, nothing twice, nothing lost but what is dropped."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.batch import Batch, Batcher, Partition, Slice
from tests.unit.ingest.builders import NOON

P0, P1 = Partition("calls", 0), Partition("calls", 1)
SECOND = timedelta(seconds=1)


def slice_of(partition: Partition, first: int, count: int, size: int = 10) -> Slice:
    values = [b"x" * size] * count
    return Slice(partition=partition, offsets=range(first, first + count), values=values, size_bytes=size * count)


def test_a_batch_is_due_by_size() -> None:
    batcher = Batcher(max_records=10, max_age=SECOND)
    batcher.add([slice_of(P0, 0, 9)], NOON)
    assert not batcher.due(NOON)
    assert batcher.room == 1
    batcher.add([slice_of(P0, 9, 1)], NOON)
    assert batcher.due(NOON)
    assert batcher.room == 0


def test_a_batch_is_due_by_bytes() -> None:
    batcher = Batcher(max_records=1000, max_age=SECOND, max_bytes=100)
    batcher.add([slice_of(P0, 0, 2, size=50)], NOON)
    assert batcher.due(NOON)
    assert batcher.room == 0


def test_a_batch_is_due_by_the_age_of_its_first_record() -> None:
    batcher = Batcher(max_records=10, max_age=SECOND)
    assert not batcher.due(NOON + 100 * SECOND)
    assert batcher.wait(NOON) == SECOND
    batcher.add([slice_of(P0, 0, 1)], NOON)
    batcher.add([slice_of(P0, 1, 1)], NOON + SECOND / 2)
    assert batcher.wait(NOON + SECOND / 2) == SECOND / 2
    assert not batcher.due(NOON + 0.99 * SECOND)
    assert batcher.due(NOON + SECOND)


def test_a_clock_that_was_set_back_does_not_hold_the_batch() -> None:
    batcher = Batcher(max_records=10, max_age=SECOND)
    batcher.add([slice_of(P0, 0, 1)], NOON)
    assert batcher.due(NOON - timedelta(hours=1))


def test_taking_starts_anew() -> None:
    batcher = Batcher(max_records=10, max_age=SECOND)
    batcher.add([slice_of(P0, 0, 3), slice_of(P1, 7, 2)], NOON)
    batch = batcher.take()
    assert batch.records == 5
    assert (batcher.records, batcher.room, batcher.due(NOON + 9 * SECOND)) == (0, 10, False)
    assert batcher.take().records == 0


def test_a_batch_knows_its_bounds() -> None:
    batch = Batch(slices=(slice_of(P1, 5, 2), slice_of(P0, 10, 3), slice_of(P0, 20, 1)))
    assert batch.token == "calls:0:10-20,calls:1:5-6"
    assert batch.next_offsets == {P0: 21, P1: 7}
    assert batch.without({P0}).token == "calls:1:5-6"
    assert batch.without({P0, P1}).records == 0


def test_dropping_forgets_a_partition_only() -> None:
    batcher = Batcher(max_records=10, max_age=SECOND)
    batcher.add([slice_of(P0, 0, 3), slice_of(P1, 7, 2)], NOON)
    assert batcher.drop({P0, Partition("calls", 9)}) == 3
    assert batcher.held == {P1: 2}
    assert batcher.take().next_offsets == {P1: 9}


def test_a_partition_that_starts_again_replaces_what_was_held_of_it() -> None:
    batcher = Batcher(max_records=100, max_age=SECOND)
    batcher.add([slice_of(P0, 10, 5), slice_of(P1, 0, 1)], NOON)
    batcher.add([slice_of(P0, 8, 4)], NOON)
    assert batcher.take().next_offsets == {P0: 12, P1: 1}


steps = st.lists(st.tuples(st.sampled_from([P0, P1]), st.integers(0, 7), st.integers(0, 1500)), max_size=40)


@settings(deadline=None)
@given(steps, st.integers(1, 12))
def test_whatever_comes_is_handed_over_once_and_in_order(arrivals: list[tuple[Partition, int, int]], max_records: int) -> None:
    batcher = Batcher(max_records=max_records, max_age=SECOND)
    now, following, taken = NOON, {P0: 0, P1: 0}, {P0: [], P1: []}  # type: ignore[var-annotated]
    since = None
    for partition, count, milliseconds in arrivals:
        now += timedelta(milliseconds=milliseconds)
        count = min(count, batcher.room)
        batcher.add([slice_of(partition, following[partition], count)], now)
        following[partition] += count
        since = since or (now if count else None)
        assert batcher.records <= max_records
        due = batcher.due(now)
        assert due == (since is not None and (batcher.records >= max_records or now - since >= SECOND))
        if due:
            since = None
            for one in batcher.take().slices:
                taken[one.partition].extend(one.offsets)
    for one in batcher.take().slices:
        taken[one.partition].extend(one.offsets)
    assert taken == {partition: list(range(end)) for partition, end in following.items()}
