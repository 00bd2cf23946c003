"""Which days a review is about, and when it is due."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import ReviewSettings
from core.review_periods import MONTH, WEEK, due_periods, latest_period, period_to

BERLIN = "Europe/Berlin"
HOUR = timedelta(hours=1)


def test_a_week_is_seven_days_of_its_zone_whatever_their_length() -> None:
    period = period_to(WEEK, date(2026, 3, 30), BERLIN)  # clocks go forward on the 29th
    assert period.id == "week-2026-03-30"
    assert (period.start, period.end) == (datetime(2026, 3, 22, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    assert period.before == datetime(2026, 3, 15, 23, tzinfo=UTC)
    assert [(end - start) / HOUR for start, end in period.days] == [24.0] * 13 + [23.0]


def test_a_month_is_compared_with_the_one_before() -> None:
    period = period_to(MONTH, date(2026, 3, 1), "UTC")
    assert (period.before, period.start) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert len(period.days) == 31 + 28
    assert period_to(MONTH, date(2026, 3, 31), "UTC").start == datetime(2026, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-16T05:59:00+01:00", "week-2026-03-09"),  # Monday, before the hour
        ("2026-03-16T06:00:00+01:00", "week-2026-03-16"),
        ("2026-03-22T23:59:00+01:00", "week-2026-03-16"),
    ],
)
def test_it_is_due_from_its_hour_on(now: str, due: str) -> None:
    [found] = due_periods(ReviewSettings(), BERLIN, WEEK, datetime.fromisoformat(now), None)
    assert found.id == due


def test_what_was_missed_is_made_up_for_oldest_first() -> None:
    now, done = datetime(2026, 3, 17, tzinfo=UTC), datetime(2026, 2, 23, tzinfo=UTC)
    assert [one.id[5:] for one in due_periods(ReviewSettings(), "UTC", WEEK, now, done)] == [
        "2026-03-02",
        "2026-03-09",
        "2026-03-16",
    ]
    assert due_periods(ReviewSettings(), "UTC", WEEK, now, datetime(2026, 3, 16, tzinfo=UTC)) == []
    assert [one.id for one in due_periods(ReviewSettings(monthly=15), "UTC", MONTH, now, done)] == ["month-2026-03-15"]
    assert due_periods(ReviewSettings(weekly=None, monthly=None), "UTC", MONTH, now, None) == []
    assert len(due_periods(ReviewSettings(), "UTC", WEEK, now, datetime(2020, 1, 6, tzinfo=UTC))) == 12


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 4 * 366 * 24).map(lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + hours * HOUR),
    st.sampled_from([BERLIN, "UTC", "Australia/Lord_Howe", "America/St_Johns"]),
    st.sampled_from([WEEK, MONTH]),
)
def test_periods_join_without_gaps_and_have_passed(now: datetime, zone: str, kind: str) -> None:
    [latest] = due_periods(ReviewSettings(monthly=28), zone, kind, now, None)
    both = due_periods(ReviewSettings(monthly=28), zone, kind, now, latest.start)
    assert [one.id for one in both] == [latest.id]
    assert latest.end <= now
    assert latest.days[0][0] == latest.before
    assert all(first[1] == second[0] for first, second in zip(latest.days, latest.days[1:], strict=False))
    assert latest_period(kind, latest.end, zone).end == latest.end
