"""Starts of steps as spans."""

from datetime import UTC, datetime, timedelta

from core.clock import runs_of

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 2, tzinfo=UTC)


def test_steps_that_follow_one_another_are_one_span() -> None:
    starts = [START + HOUR * number for number in (0, 1, 2, 5, 7, 8)]
    spans = [(START + HOUR * first, START + HOUR * last) for first, last in ((0, 3), (5, 6), (7, 9))]
    assert runs_of(starts, HOUR) == spans
    assert runs_of([], HOUR) == []
