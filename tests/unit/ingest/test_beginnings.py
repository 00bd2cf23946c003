"""Which partitions begin where the settings say."""

import pytest

from core.config import KafkaSettings
from ingest.batch import Partition
from ingest.beginnings import Beginnings, wanted_topics

A0, A1, A2, B0 = Partition("a", 0), Partition("a", 1), Partition("a", 2), Partition("b", 0)


def test_what_was_there_begins_as_configured_and_what_came_later_does_not() -> None:
    beginnings = Beginnings([A0, A1], ())
    assert [beginnings.as_configured(at, "x") for at in (A0, A1, A2, B0)] == [True, True, False, False]


def test_a_partition_of_a_topic_that_the_group_had_begun_before_was_added_since() -> None:
    beginnings = Beginnings([A0, A1, B0], {"a"})
    assert [beginnings.as_configured(at, "x") for at in (A0, A1, B0)] == [False, False, True]


def test_a_topic_that_was_made_again_is_another_one() -> None:
    beginnings = Beginnings([A0, A1, B0], ())
    assert beginnings.as_configured(A0, "x")
    assert beginnings.as_configured(A1, "x")
    assert not beginnings.as_configured(A0, "y")
    assert beginnings.as_configured(B0, "z")


@pytest.mark.parametrize(("topic", "wanted"), [("a, c", ["a"]), ("^a", ["a", "ab"]), ("^b$", ["b"])])
def test_wanted_topics(topic: str, wanted: list[str]) -> None:
    assert wanted_topics(KafkaSettings(topic=topic), ["a", "ab", "b"]) == wanted
