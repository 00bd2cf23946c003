"""What librdkafka hands over is taken once, whatever of it comes again after a new assignment."""

import pytest
from confluent_kafka import Message

from ingest.confluent_source import _unread


@pytest.mark.parametrize(
    ("offsets", "expected", "wanted"),
    [
        ([5, 6, 7], 5, [5, 6, 7]),
        ([5, 6, 7, 5, 6, 7, 8], 5, [5, 6, 7, 8]),
        ([3, 4, 5, 6], 5, [5, 6]),
        ([3, 4], 5, []),
        ([8, 9, 7, 8, 9, 12], 5, [8, 9, 12]),
    ],
)
def test_each_record_from_the_expected_one_on_is_taken_once_and_in_order(
    offsets: list[int], expected: int, wanted: list[int]
) -> None:
    found, taken = _unread([Message(topic="calls", partition=0, offset=one) for one in offsets], expected)
    assert taken.tolist() == wanted
    assert [one.offset() for one in found] == wanted
