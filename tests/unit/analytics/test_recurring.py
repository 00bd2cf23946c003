"""What comes at the same time of other days is told with them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.recurring import came_before, told_with_earlier
from core.series import Direction
from core.types import Anomaly
from tests.unit.core.test_masks import NOON, anomaly

DAY = timedelta(days=1)


def of_day(day: int, minutes: float = 0.0, **changes: object) -> Anomaly:
    at = NOON + day * DAY + timedelta(minutes=minutes)
    return replace(anomaly(0, 0), id=f"{day}-{minutes}", started_at=at, last_at=at, **changes)  # type: ignore[arg-type]


def test_the_days_are_named_the_latest_first() -> None:
    days = [of_day(day, 10.0 * day) for day in range(4)]
    (told,) = told_with_earlier([days[3]], days)
    named = [f"{day.started_at:%Y-%m-%d}" for day in days[2::-1]]
    assert told.explanation.endswith(f" It came at about this time on {named[0]}, {named[1]} and {named[2]} as well.")
    assert "2 days more as well" in told_with_earlier([of_day(5)], [of_day(day) for day in range(5)])[0].explanation


@pytest.mark.parametrize(
    "earlier",
    [
        of_day(2, 100.0),
        of_day(3, -45.0),
        of_day(4),
        of_day(-14),
        of_day(2, metric="latency_p50"),
        of_day(2, direction=Direction.HIGH),
    ],
    ids=["another time", "the same day", "later", "long ago", "another metric", "the other side"],
)
def test_nothing_is_said_of_what_is_not_the_like(earlier: Anomaly) -> None:
    now = of_day(3)
    assert now.direction is Direction.LOW
    assert told_with_earlier([now], [earlier, now]) == [now]


def test_the_clock_turns_at_midnight() -> None:
    assert came_before(of_day(0, 12 * 60 - 10), of_day(2, -12 * 60 + 20))
