"""Days off of the calendars as events of forecasts: learned from the past ones, expected of those to come."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.calendars import Calendar
from core.config import ForecastEvent

_WEEKEND = 5


def days_off(calendar: Calendar, first: datetime, end: datetime) -> list[ForecastEvent]:
    """Every day off that touches the span, from midnight to midnight of the calendar's own clock.

    Working days and weekends have names of their own: a holiday on a Sunday tells nothing of one on a Monday.
    """
    zone = ZoneInfo(calendar.time_zone)
    found = []
    for day in sorted(calendar.days_off):
        begins, ends = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        if begins < end and ends > first:
            name = "day off, weekend" if day.weekday() >= _WEEKEND else "day off, working day"
            found.append(ForecastEvent(name=name, start=begins, end=ends))
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
