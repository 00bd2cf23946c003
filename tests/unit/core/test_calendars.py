"""Whose clock a selection lives by, and on which days people are off."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.calendars import DAY_OFF, SLOTS, Calendar, ics_days, load_calendars
from core.config import Settings
from core.errors import ConfigError
from core.series import Selector

ICS = """BEGIN:VCALENDAR\r
VERSION:2.0\r
BEGIN:VEVENT\r
SUMMARY:A long name that is folded over\r
  two lines\r
DTSTART;VALUE=DATE:20260501\r
DTEND;VALUE=DATE:20260503\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20261225\r
RRULE:FREQ=YEARLY;UNTIL=20281231T000000Z\r
EXDATE;VALUE=DATE:20271225\r
END:VEVENT\r
BEGIN:VEVENT\r
SUMMARY:a meeting is no day off\r
DTSTART:20260610T120000Z\r
END:VEVENT\r
BEGIN:VEVENT\r
STATUS:CANCELLED\r
DTSTART;VALUE=DATE:20260611\r
END:VEVENT\r
END:VCALENDAR\r
"""


def utc(*parts: int) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([datetime(*parts, tzinfo=UTC)])  # type: ignore[arg-type, misc]


def configured(**parts: Any) -> Settings:
    return Settings.model_validate(parts)


def test_all_day_events_are_days_off() -> None:
    assert sorted(ics_days(ICS)) == [date(2026, 5, 1), date(2026, 5, 2), date(2026, 12, 25), date(2028, 12, 25)]
    with pytest.raises(ValueError, match="no iCalendar file"):
        ics_days("hello")


def test_a_repetition_without_an_end_is_cut() -> None:
    event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR"
    days = ics_days(event)
    assert max(days) < date(2100, 1, 1)
    assert len(days) > 10_000


@pytest.mark.parametrize(
    ("zone", "at", "hour"),
    [
        ("Europe/Berlin", (2026, 7, 6, 6, 0), 8),
        ("Europe/Berlin", (2026, 1, 5, 7, 0), 8),
        ("America/New_York", (2026, 3, 9, 12, 0), 8),
        ("America/New_York", (2026, 3, 2, 13, 0), 8),
        ("Asia/Tokyo", (2026, 3, 1, 23, 0), 8),
        ("Asia/Kolkata", (2026, 3, 2, 3, 0), 8),
    ],
)
def test_a_slot_is_an_hour_of_the_local_week(zone: str, at: tuple[int, ...], hour: int) -> None:
    calendar = Calendar(time_zone=zone)
    assert calendar.slots(utc(*at))[0] == hour
    holiday = Calendar(time_zone=zone, days_off=frozenset({date(*at[:3]), date(2026, 3, 2)}))
    assert holiday.slots(utc(*at))[0] == DAY_OFF * 24 + hour


@given(
    day=st.integers(0, 3650),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    off=st.integers(0, 3),
)
@example(day=995, hour=16, zone="Australia/Lord_Howe", off=0)  # the clock goes on by half an hour within an hour
@settings(max_examples=40, deadline=None)
def test_slots_follow_one_another_hour_by_hour(day: int, hour: int, zone: str, off: int) -> None:
    """Days are laid out as the instants in them are judged, whatever the zone and the day."""
    first = datetime(2020, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)
    calendar = Calendar(time_zone=zone, days_off=frozenset({first.date() + timedelta(days=off)}))
    hours = pd.date_range(first, periods=24 * 9, freq="h")
    number, of_day, kind = calendar.days(hours)
    slots = calendar.slots(hours)
    np.testing.assert_array_equal(slots, kind[number] * 24 + of_day)
    np.testing.assert_array_equal(calendar.slots(hours + pd.Timedelta(minutes=59)), slots)
    before, after, part = calendar.between(hours + pd.Timedelta(minutes=30))
    np.testing.assert_array_equal(before, slots)
    assert (part == 0.0).all()
    assert ((after >= 0) & (after < SLOTS)).all()
    assert (np.diff(number) >= 0).all()


def test_countries_files_and_tenants(tmp_path: Path) -> None:
    own = tmp_path / "own.ics"
    own.write_text(ICS, encoding="utf-8")
    calendars = load_calendars(
        configured(
            time_zone="Europe/Berlin",
            time_zones={"kyoto": "Asia/Tokyo"},
            calendars=[{"country": "DE", "subdivision": "BY"}, {"file": str(own), "tenants": ["acme"]}],
        )
    )
    assert {date(2026, 1, 6), date(2026, 10, 3)} <= calendars.common.days_off
    assert calendars.common.names[date(2025, 4, 18)] == calendars.common.names[date(2026, 4, 3)] != ""
    kyoto, acme, other = (calendars.of(Selector.of(tenant=name)) for name in ("kyoto", "acme", "other"))
    assert (kyoto.time_zone, kyoto.days_off) == ("Asia/Tokyo", calendars.common.days_off)
    assert acme.time_zone == "Europe/Berlin"
    assert date(2026, 5, 2) in acme.days_off
    assert not acme.names
    assert date(2026, 10, 3) not in acme.days_off
    assert other is calendars.common is calendars.of(Selector())
    groups = calendars.groups([Selector(), Selector.of(tenant="acme"), Selector.of(service="x")])
    assert [list(rows) for _, rows in groups] == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("calendar", "words"),
    [
        ({"file": "/does/not/exist.ics"}, "cannot be read"),
        ({"country": "XX"}, "calendars.0.country"),
        ({"country": "DE", "subdivision": "ZZ"}, "calendars.0.country"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(calendar: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        load_calendars(configured(calendars=[calendar]))
    assert "\n" not in str(refused.value)
