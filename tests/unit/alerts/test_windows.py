"""Which minutes may be judged."""

from datetime import datetime, timedelta

import pytest

from alerts.windows import EXTRA_LOOKBACK, MAX_AGE, complete_until, first_end_for, minutes_to_judge
from core.types import Watermark
from tests.unit.alerts.memory import MINUTE, START

SECOND = timedelta(seconds=1)
DELAY, MAX_DELAY = 5 * SECOND, 60 * SECOND


def mark(event_s: float, arrived_s: float, delay_s: float = 1.0, partition: int = 0, topic: str = "calls") -> Watermark:
    return Watermark(
        topic=topic,
        partition=partition,
        event_at=START + event_s * SECOND,
        arrived_at=START + arrived_s * SECOND,
        next_offset=1,
        delay_s=delay_s,
    )


def until(marks: list[Watermark], now_s: float, newest_min: float = 9.0) -> datetime | None:
    return complete_until(START + newest_min * MINUTE, marks, START + now_s * SECOND, delay=DELAY, max_delay=MAX_DELAY)


@pytest.mark.parametrize(
    ("marks", "now_s", "minutes", "why"),
    [
        ([mark(190, 191)], 192, 3, "minute 2 has arrived, minute 3 has not ended"),
        ([mark(182, 183)], 183, 2, "minute 2 ended 3 s ago: the delay has not passed"),
        ([mark(182, 190, 15)], 190, 2, "what comes late is 15 s late: before second 175 all is there"),
        ([mark(179, 190)], 200, 2, "the newest call lies in minute 2: it may be half a minute"),
        ([mark(179, 190)], 3000, 2, "and it stays half a minute when nothing follows"),
        ([mark(250, 251), mark(130, 250, partition=1)], 252, 3, "a lagging partition is waited for, a minute long"),
        ([mark(239, 240), mark(130, 240, partition=1)], 239, 2, "and not judged without it before"),
        ([mark(250, 251), mark(10, 11, partition=1)], 252, 4, "an idle partition is not waited for"),
        ([mark(250, 251), mark(-9e6, 250, 9e6, topic="import:x")], 252, 4, "an import says nothing about live traffic"),
    ],
)
def test_a_minute_is_judged_once_it_has_arrived_as_a_whole(
    marks: list[Watermark], now_s: float, minutes: int, why: str
) -> None:
    assert until(marks, now_s) == START + minutes * MINUTE, why


def test_without_a_stream_only_time_tells() -> None:
    assert until([], 9 * 60 + 64) == START + 9 * MINUTE
    assert until([], 9 * 60 + 65) == START + 10 * MINUTE
    assert until([], 9 * 60 + 600) == START + 10 * MINUTE, "minutes after the newest call are unknown, not empty"


def test_calls_from_the_future_do_not_open_the_future() -> None:
    assert until([mark(86_400, 200)], 210) == START + 3 * MINUTE


def test_without_a_call_nothing_is_complete() -> None:
    assert complete_until(None, [], START, delay=DELAY, max_delay=MAX_DELAY) is None


@pytest.mark.parametrize(
    ("cursor", "complete", "expected"),
    [
        (None, 5, [5]),
        (4, 5, [5]),
        (5, 5, [5]),
        (2, 5, [3, 4, 5]),
        (9, 5, []),
        (66, 5, [5]),
        (-500, 5, list(range(-44, 6))),
        (None, None, []),
        (None, -46, []),
    ],
)
def test_missed_minutes_are_judged_up_to_an_hour_back(cursor: int | None, complete: int | None, expected: list[int]) -> None:
    now = START + 15 * MINUTE
    judged = minutes_to_judge(
        None if cursor is None else START + cursor * MINUTE, None if complete is None else START + complete * MINUTE, now
    )
    assert [(end - START) // MINUTE for end in judged] == expected
    assert all(now - end < MAX_AGE for end in judged)


@pytest.mark.parametrize(("need_min", "back"), [(0, 0), (1, 0), (5, 4)])
def test_enough_history_is_read_to_judge_the_first_minute(need_min: int, back: int) -> None:
    assert first_end_for([START, START + MINUTE], need_min * MINUTE) == START - back * MINUTE - EXTRA_LOOKBACK
