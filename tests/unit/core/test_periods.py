"""Calendar periods and windows of objectives: they tile the time, also where clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.burning import BURN_WINDOWS, budget_of, burn_rate
from core.periods import PERIODS, PeriodName, period_of, usual_length, window_at

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
MOMENTS = st.integers(0, 4 * 366 * 1440).map(lambda minute: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PERIODS), MOMENTS, ZONES)
def test_periods_follow_one_another_and_begin_at_a_midnight_of_their_zone(name: PeriodName, at: datetime, zone: str) -> None:
    found = period_of(name, at, ZoneInfo(zone))
    assert found.start <= at < found.end
    assert abs((found.end - found.start) - usual_length(name)) <= timedelta(days=2, hours=1)
    following = period_of(name, found.end, ZoneInfo(zone))
    assert following.start == found.end
    assert period_of(name, found.end - timedelta(microseconds=1), ZoneInfo(zone)) == found
    first = found.start.astimezone(ZoneInfo(zone))
    assert (first.hour, first.minute, f"{first:%Y-%m-%d}") == (0, 0, found.name)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-10", 24)]
)  # fmt: skip
def test_a_day_with_a_change_of_hours_is_an_hour_shorter_or_longer(day: str, hours: int) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    found = period_of("day", noon, ZoneInfo("Europe/Berlin"))
    assert found.end - found.start == timedelta(hours=hours)


def test_what_ends_with_a_period_is_about_it() -> None:
    zone, end = ZoneInfo("Europe/Berlin"), datetime(2026, 3, 31, 22, tzinfo=UTC)
    found = window_at("month", end, zone)
    assert (found.start, found.end, found.elapsed) == (datetime(2026, 2, 28, 23, tzinfo=UTC), end, 1.0)
    assert found.length == timedelta(days=31, hours=-1)
    assert window_at(timedelta(days=28), end, zone).elapsed == 1.0


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PERIODS), MOMENTS, ZONES, st.floats(1e-4, 0.5), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_budget_is_used_up_as_fast_as_its_burn_rate_says(
    name: PeriodName, at: datetime, zone: str, allowed: float, whole: float, lately: float
) -> None:
    window = window_at(name, at, ZoneInfo(zone))
    found = budget_of(allowed, whole, [lately] * len(BURN_WINDOWS), window)
    assert found.burns[0] == burn_rate(lately, allowed) == lately / allowed
    used = 1.0 - found.left
    assert used == pytest.approx(whole / allowed * window.elapsed, abs=1e-9)
    whole_window = budget_of(allowed, whole, [lately], window_at(name, window.end, ZoneInfo(zone)))
    assert whole_window.left == pytest.approx(1.0 - whole / allowed, abs=1e-9), "at its end all of it has passed"
    if found.exhausted is not None:
        assert window.until + found.exhausted < window.end
        a_microsecond = found.burns[0] * (timedelta(microseconds=1) / window.length)  # times are no finer
        assert found.left == pytest.approx(found.burns[0] * (found.exhausted / window.length), rel=1e-6, abs=a_microsecond)
