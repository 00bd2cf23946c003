"""The text that Kafka keeps with a commit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.plan import MAX_BOUNDS, Progress, is_of_another_topic, read_progress

TOPIC, OTHER = "0123456789abcdef0123456789abcdef", "f" * 32


@given(st.integers(0, 2**60), st.lists(st.integers(0, 2**40), max_size=MAX_BOUNDS), st.sampled_from(["", TOPIC]))
def test_what_is_written_is_read(offset: int, steps: list[int], topic_id: str) -> None:
    bounds, at = [], offset
    for step in steps:
        bounds.append(at + step)
        at += step + 1
    progress = Progress(offset=offset, bounds=tuple(bounds), topic_id=topic_id)
    assert read_progress(offset, progress.text) == progress
    assert len(progress.text) < 4096


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "of somebody else",
        "tpscope/2;",
        "tpscope/2 7;",
        f"tpscope/2 {TOPIC} 3;",
        f"tpscope/2 {TOPIC}",
        "tpscope/3 - 7;",
        "tpscope/1 x;",
        "tpscope/1 3;",
        "tpscope/1 9 8;",
        "tpscope/1  9;",
        "tpscope/1 7",
    ],
)
def test_what_is_not_ours_is_no_progress(text: str | None) -> None:
    assert read_progress(5, text) is None


def test_what_librdkafka_has_committed_is_read_by_other_clients() -> None:
    assert read_progress(5, "tpscope/1 7 9;12\x1c\0") == Progress(offset=5, bounds=(7, 9))
    assert read_progress(5, "tpscope/1;7") == Progress(offset=5)


def test_a_commit_of_a_topic_that_had_the_name_before_is_told_from_one_of_this_topic() -> None:
    mine = Progress(offset=5, topic_id=TOPIC).text
    assert not is_of_another_topic(5, mine, TOPIC)
    assert is_of_another_topic(5, mine, OTHER)
    assert not is_of_another_topic(5, mine, "")  # the brokers do not say which it is
    assert not is_of_another_topic(5, Progress(offset=5).text, OTHER)
    assert not is_of_another_topic(5, "of somebody else", OTHER)
