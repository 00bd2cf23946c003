from dataclasses import replace

from storage.contract import Store
from storage.ranges import IngestRange, read_ranges, write_ranges

RANGE = IngestRange(topic="import:abc", partition=0, first_offset=1, last_offset=500, state="started", rows=0)


def test_a_range_is_replaced_by_its_later_state(store: Store) -> None:
    second = replace(RANGE, first_offset=501, last_offset=600)
    write_ranges(store, [second, RANGE, replace(RANGE, topic="import:other")])
    done = replace(RANGE, state="done", rows=499)
    write_ranges(store, [done])
    assert read_ranges(store, "import:abc") == [done, second]


def test_an_unknown_topic_has_no_ranges(store: Store) -> None:
    write_ranges(store, [])
    assert read_ranges(store, "import:abc") == []
