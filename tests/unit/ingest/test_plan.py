"""The text that Kafka keeps with a commit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.plan import MAX_BOUNDS, Progress, read_progress


@given(st.integers(0, 2**60), st.lists(st.integers(0, 2**40), max_size=MAX_BOUNDS))
def test_what_is_written_is_read(offset: int, steps: list[int]) -> None:
    bounds, at = [], offset
    for step in steps:
        bounds.append(at + step)
        at += step + 1
    progress = Progress(offset=offset, bounds=tuple(bounds))
    assert read_progress(offset, progress.text) == progress
    assert len(progress.text) < 4096


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "of somebody else",
        "tpscope/2 7;",
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
