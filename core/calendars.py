"""Calendars: whose clock a selection lives by, and the days on which people are off. Read once, from files and from countries.

Slots are hours of the week in local time: slot 0 is Monday 00:00, and a day off has 24 slots of its own behind those of Sunday,
whatever its weekday. Slots follow whole hours of UTC, so that in zones with a half hour they begin at half past.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from dateutil.rrule import rrulestr

from core.config import CalendarSettings, Settings
from core.errors import ConfigError, NotInstalledError
from core.series import Selector

DAY_KINDS = 8
"""Monday to Sunday, and the day off."""
DAY_OFF = 7
SLOTS = 24 * DAY_KINDS

_YEARS = (2000, 2100)
_HALF_HOUR = pd.Timedelta(minutes=30)
_MOST_REPEATS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A time zone (IANA name) and its days off, with the names of those that a country gives one."""

    time_zone: str
    days_off: frozenset[date] = frozenset()
    names: Mapping[date, str] = field(default_factory=dict, compare=False)

    def slots(self, times: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
        """The slot that each instant (aware) lies in; a repeated local hour has the same slot twice."""
        return self._slots_of(self._local(times))

    def between(self, times: pd.DatetimeIndex) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The slots whose middles lie before and after each instant, and how far the way between them has gone, in [0, 1)."""
        local = self._local(times)
        minutes = np.asarray(local.minute + local.second / 60.0, dtype=float)
        part = (minutes / 60.0 + 0.5) % 1.0
        return self._slots_of(local - _HALF_HOUR), self._slots_of(local + _HALF_HOUR), part

    def days(self, hours: pd.DatetimeIndex) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Of consecutive hours: the number of each one's local day and its hour in it, and the kind of every day."""
        local = self._local(hours)
        midnights = local.normalize()
        number = np.asarray((midnights - midnights[0]).days, dtype=np.int64)
        every_day = pd.date_range(midnights[0], periods=int(number[-1]) + 1, freq="D")
        return number, np.asarray(local.hour, dtype=np.int64), day_kinds(every_day, self.days_off)

    def _local(self, times: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Clock times, moved so that whole hours of UTC are whole hours here too.

        Of an hour in which the clock is changed (Lord Howe Island's, by half an hour) the time before the change goes on to
        its end: hours are counted, and cannot be divided.
        """
        utc = times.tz_convert("UTC")
        begun = utc.floor("h")
        shown = begun.tz_convert(self.time_zone).tz_localize(None)
        beside = (shown - begun.tz_localize(None)) % pd.Timedelta(hours=1)
        return pd.DatetimeIndex(shown - beside + (utc - begun))

    def _slots_of(self, local: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
        return day_kinds(local, self.days_off) * 24 + np.asarray(local.hour, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendars:
    """The calendar of everybody, and those of single tenants."""

    common: Calendar
    tenants: Mapping[str, Calendar] = field(default_factory=dict)

    def of(self, selector: Selector) -> Calendar:
        """By the selector's tenant, where it has one with a calendar of its own."""
        return self.tenants.get(selector.labels.get("tenant", ""), self.common)

    def groups(self, selectors: Sequence[Selector]) -> list[tuple[Calendar, npt.NDArray[np.int64]]]:
        """Each calendar that is needed, with the numbers of the selectors that live by it."""
        if not self.tenants:  # asked every minute, of thousands of selectors
            return [(self.common, np.arange(len(selectors)))] if selectors else []
        rows: dict[str, list[int]] = {}
        for number, selector in enumerate(selectors):
            tenant = selector.labels.get("tenant", "")
            rows.setdefault(tenant if tenant in self.tenants else "", []).append(number)
        return [(self.tenants.get(tenant, self.common), np.array(numbers, dtype=np.int64)) for tenant, numbers in rows.items()]


def in_zone(time_zone: str) -> Calendars:
    """Everybody in one zone, without days off."""
    return Calendars(common=Calendar(time_zone=time_zone))


def day_kinds(local: pd.DatetimeIndex, days_off: frozenset[date]) -> npt.NDArray[np.int64]:
    """0 for Monday to 6 for Sunday, 7 for a day off, of clock times without a zone."""
    kinds = np.asarray(local.day_of_week, dtype=np.int64)
    if not days_off:
        return kinds
    off = np.array(sorted(days_off), dtype="datetime64[D]")
    return np.where(np.isin(local.to_numpy().astype("datetime64[D]"), off), DAY_OFF, kinds)


def load_calendars(settings: Settings) -> Calendars:
    """The calendars that the configuration names, files read.

    Raises ConfigError for a file that cannot be read and a country that is not known, NotInstalledError without the package
    that knows countries.
    """
    shared: dict[date, str] = {}
    own: dict[str, dict[date, str]] = {}
    for number, calendar in enumerate(settings.calendars):
        days = _days_of(calendar, f"calendars.{number}")
        if not calendar.tenants:
            shared |= days
        for tenant in calendar.tenants:
            own.setdefault(tenant, {}).update(days)
    tenants = {
        tenant: _calendar(settings.time_zones.get(tenant, settings.time_zone), own.get(tenant, shared))
        for tenant in {*own, *settings.time_zones}
    }
    return Calendars(common=_calendar(settings.time_zone, shared), tenants=tenants)


def ics_days(text: str) -> set[date]:
    """Days of the all-day events of an iCalendar file (RFC 5545), repeated ones within 2000 to 2100; events with a time of day
    are no days off. Raises ValueError for what is no calendar."""
    lines = re.sub(r"\r?\n[ \t]", "", text).splitlines()
    if not any(line.strip().upper() == "BEGIN:VCALENDAR" for line in lines):
        raise ValueError("is no iCalendar file; it must hold BEGIN:VCALENDAR")
    return {day for event in _events(lines) for day in _event_days(event)}


def _calendar(time_zone: str, days: Mapping[date, str]) -> Calendar:
    return Calendar(time_zone=time_zone, days_off=frozenset(days), names={day: name for day, name in days.items() if name})


def _days_of(calendar: CalendarSettings, where: str) -> dict[date, str]:
    """Each day off with its name, which is empty where only days are known."""
    if calendar.country:
        return _country_days(calendar, where)
    try:
        return dict.fromkeys(ics_days(Path(calendar.file).read_text(encoding="utf-8")), "")
    except OSError as error:
        raise ConfigError(f"{where}.file", f"{calendar.file} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ConfigError(f"{where}.file", f"{calendar.file} {error}") from error


def _country_days(calendar: CalendarSettings, where: str) -> dict[date, str]:
    try:
        import holidays
    except ImportError:
        raise NotInstalledError(f"{where}.country: the package of countries' holidays", "calendars") from None
    try:
        found = holidays.country_holidays(calendar.country, subdiv=calendar.subdivision or None, years=range(2015, 2041))
    except (NotImplementedError, KeyError) as error:
        words = str(error.args[0] if error.args else error).rstrip(".")
        raise ConfigError(f"{where}.country", f"{words}; write for example DE, and BY") from error
    return dict(found)


def _events(lines: Sequence[str]) -> Iterator[dict[str, list[tuple[str, str]]]]:
    """Properties of each event by name, with their parameters and values."""
    event: dict[str, list[tuple[str, str]]] | None = None
    for line in lines:
        head, _, value = line.partition(":")
        name, _, parameters = head.upper().partition(";")
        if (name, value.strip().upper()) == ("BEGIN", "VEVENT"):
            event = {}
        elif (name, value.strip().upper()) == ("END", "VEVENT") and event is not None:
            yield event
            event = None
        elif event is not None:
            event.setdefault(name, []).append((parameters, value.strip()))


def _event_days(event: Mapping[str, list[tuple[str, str]]]) -> Iterator[date]:
    start = _day(event.get("DTSTART"))
    if start is None or ("STATUS" in event and event["STATUS"][0][1].upper() == "CANCELLED"):
        return
    length = max(((_day(event.get("DTEND")) or start + timedelta(days=1)) - start).days, 1)
    left_out = {_day([one]) for parameters, value in event.get("EXDATE", []) for one in _listed(parameters, value)}
    first, last = (date(year, 1, 1) for year in _YEARS)
    for begins in _repeats(event, start):
        if begins not in left_out:
            for offset in range(length):
                if first <= begins + timedelta(days=offset) < last:
                    yield begins + timedelta(days=offset)


def _repeats(event: Mapping[str, list[tuple[str, str]]], start: date) -> Iterator[date]:
    if "RRULE" not in event:
        yield start
    else:
        # Without a zone on either side: dates have none, and dateutil wants both ends alike.
        rule = re.sub(r"(UNTIL=\d{8})(T\d{6}Z?)?", r"\1", event["RRULE"][0][1])
        times = rrulestr(rule, dtstart=datetime(start.year, start.month, start.day))  # noqa: DTZ001
        for count, at in enumerate(times):
            if count >= _MOST_REPEATS or at.year >= _YEARS[1]:
                return
            yield at.date()
    for parameters, value in event.get("RDATE", []):
        yield from (day for one in _listed(parameters, value) if (day := _day([one])) is not None)


def _listed(parameters: str, value: str) -> list[tuple[str, str]]:
    return [(parameters, one) for one in value.split(",")]


def _day(held: list[tuple[str, str]] | None) -> date | None:
    """The date of a property that has no time of day."""
    text = held[0][1] if held else ""
    return datetime.strptime(text, "%Y%m%d").date() if re.fullmatch(r"\d{8}", text) else None  # noqa: DTZ007
