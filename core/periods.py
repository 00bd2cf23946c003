"""Calendar periods (days, weeks, months, quarters, years) in a time zone, and windows of objectives over them. Pure.

By the wall clock: a period begins at a midnight of its zone, so one with a change of hours is an hour shorter or longer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

PeriodName = Literal["day", "week", "month", "quarter", "year"]
PERIODS: tuple[PeriodName, ...] = get_args(PeriodName)

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_USUAL: dict[str, timedelta] = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "quarter": timedelta(days=91),
    "year": timedelta(days=365),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A calendar period, half open, in UTC; `name` is its first day by the wall clock."""

    start: datetime
    end: datetime
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What an objective is about at an instant.

    Attributes
    ----------
    start, until : datetime
        The part of it that has passed, half open.
    end : datetime
        Its end: of a rolling window that is `until`.
    """

    start: datetime
    until: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def elapsed(self) -> float:
        """How much of it has passed, in [0, 1]."""
        return (self.until - self.start) / self.length


def period_of(name: PeriodName, at: datetime, zone: ZoneInfo) -> Period:
    """The period that an instant lies in; weeks begin on Monday, quarters in January, April, July and October."""
    first = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if name in _MONTHS:
        months = _MONTHS[name]
        first = first.replace(day=1, month=(first.month - 1) // months * months + 1)
        last = (first + timedelta(days=31 * months)).replace(day=1)
    else:
        first -= timedelta(days=first.weekday() if name == "week" else 0)
        last = first + _USUAL[name]
    return Period(start=first.astimezone(UTC), end=last.astimezone(UTC), name=f"{first:%Y-%m-%d}")


def window_at(window: timedelta | PeriodName, at: datetime, zone: ZoneInfo) -> Window:
    """The window that ends at `at` (rolling), or the calendar period that the instant before `at` lies in."""
    if isinstance(window, timedelta):
        return Window(start=at - window, until=at, end=at)
    # What ends with a period is about that period, and not about the next one, of which nothing has passed.
    period = period_of(window, at - timedelta(microseconds=1), zone)
    return Window(start=period.start, until=at, end=period.end)


def usual_length(window: timedelta | PeriodName) -> timedelta:
    """How long a window is, months counted as 30 days: what burn rates refer to."""
    return window if isinstance(window, timedelta) else _USUAL[window]
