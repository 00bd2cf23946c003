"""Days known beforehand: named events, days off of the calendars, and the turn of the year, which much of the world keeps."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from analytics.forecasting.occasions import General, Occasion, occasion
from core.calendars import Calendar
from core.config import ForecastEvent

_WEEKEND = 5
_CHRISTMAS = (12, 25)
_KEPT = 0.7
"""How likely the turn of the year is kept where no calendar says whether."""
_OFF = {
    "day off, working day": General(low=0.25, factor=0.75, high=1.15),
    "day off, weekend": General(low=0.6, factor=0.9, high=1.2),
}
_BETWEEN_THE_YEARS = General(low=0.5, factor=0.85, high=1.2)
_TURN = {
    (12, 24): General(low=0.5, factor=0.8, high=1.2),
    (12, 25): General(low=0.25, factor=0.55, high=1.0),
    (12, 26): General(low=0.4, factor=0.75, high=1.2),
    **{(12, day): _BETWEEN_THE_YEARS for day in range(27, 31)},
    (12, 31): General(low=0.4, factor=0.9, high=1.5),
    (1, 1): General(low=0.3, factor=0.75, high=1.2),
    (1, 2): _BETWEEN_THE_YEARS,
}
"""From births in the United States 1975 to 1987, departures from New York 2013, electricity in Victoria 2014, taxis in New York
2014 and visitors of a web site 2020, each day against its weekday in the weeks before, rounded."""


def occasions_between(
    events: Sequence[ForecastEvent], calendar: Calendar, first: datetime, end: datetime, step_s: int
) -> list[Occasion]:
    """The events, and the special days that touch the span, in points of `step_s` seconds from `first` on.

    Days last from midnight to midnight of the calendar's own clock.
    """
    found = [occasion(one.name, one.start, one.end, one.uplift, first, step_s) for one in events]
    zone = ZoneInfo(calendar.time_zone)
    for day, name, kind, general in _special_days(calendar, first.date() - timedelta(days=1), end.date() + timedelta(days=1)):
        begins, ends = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
        if begins < end and ends > first:
            found.append(occasion(name, begins, ends, None, first, step_s, kind=kind, general=general))
    return found


def says_nothing(calendar: Calendar) -> bool:
    """Whether a calendar leaves open if the turn of the year is kept."""
    return not calendar.days_off


def _special_days(calendar: Calendar, first: date, last: date) -> Iterator[tuple[date, str, str, General]]:
    """Day, name, kind and what is expected in general.

    Holidays that have a name are known by it, others by their date. Working days and weekends are of kinds of their own: a
    holiday on a Sunday tells nothing of one on a Monday.
    """
    turn = _turn_of_the_year(calendar)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        general = turn.get((day.month, day.day))
        if day in calendar.days_off:
            kind = "day off, weekend" if day.weekday() >= _WEEKEND else "day off, working day"
            yield day, calendar.names.get(day, f"{day:%d %B}"), kind, general or _OFF[kind]
        elif general is not None:
            yield day, f"{day:%d %B}", "turn of the year", general


def _turn_of_the_year(calendar: Calendar) -> dict[tuple[int, int], General]:
    """Nothing where Christmas is a working day; less sure where there are no days off to tell."""
    if any((day.month, day.day) == _CHRISTMAS for day in calendar.days_off):
        return _TURN
    return {at: _perhaps(general) for at, general in _TURN.items()} if says_nothing(calendar) else {}


def _perhaps(general: General) -> General:
    """The mean of that and of nothing unusual; what is rare stays as rare."""
    return replace(general, factor=general.factor**_KEPT)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
