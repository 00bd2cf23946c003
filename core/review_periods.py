"""Which days a review is about: whole days of a zone, a week or a calendar month, and the ones before them. Pure."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from core.review_settings import WEEKDAYS, ReviewSettings

WEEK, MONTH = "week", "month"
_MOST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPeriod:
    """A span of whole days, and the one of the same kind before it, which it is compared with.

    Attributes
    ----------
    before, start, end : datetime
        Midnights of the zone, in UTC: [before, start) and [start, end).
    days : tuple of (datetime, datetime)
        The days of both; 23 or 25 hours long where clocks change.
    """

    kind: str
    zone: str
    before: datetime
    start: datetime
    end: datetime
    days: tuple[tuple[datetime, datetime], ...]

    @property
    def id(self) -> str:
        """By its kind and the day on which it had passed: `week-2026-03-16`."""
        return f"{self.kind}-{self.end.astimezone(ZoneInfo(self.zone)):%Y-%m-%d}"


def period_to(kind: str, until: date, zone: str) -> ReviewPeriod:
    """The week or the month that has passed when the day `until` begins."""
    start = _earlier(kind, until)
    before = _earlier(kind, start)
    count = (until - before).days
    edges = [_midnight(before + timedelta(days=place), zone) for place in range(count + 1)]
    return ReviewPeriod(
        kind=kind,
        zone=zone,
        before=edges[0],
        start=_midnight(start, zone),
        end=edges[-1],
        days=tuple(pairwise(edges)),
    )


def latest_period(kind: str, moment: datetime, zone: str) -> ReviewPeriod:
    """The one that ends with the last whole day before `moment`."""
    return period_to(kind, moment.astimezone(ZoneInfo(zone)).date(), zone)


def due_periods(
    settings: ReviewSettings, zone: str, kind: str, now: datetime, after: datetime | None
) -> Sequence[ReviewPeriod]:
    """The periods whose review is due and that end after `after`, oldest first; without `after` only the latest."""
    found: list[ReviewPeriod] = []
    local = now.astimezone(ZoneInfo(zone))
    day = local.date() if local.hour >= settings.hour else local.date() - timedelta(days=1)
    until = _last_day(settings, kind, day)
    while until is not None and len(found) < (1 if after is None else _MOST):
        period = period_to(kind, until, zone)
        if after is not None and period.end <= after:
            break
        found.append(period)
        until = _earlier(kind, until)
    return found[::-1]


def _last_day(settings: ReviewSettings, kind: str, day: date) -> date | None:
    """The last day, `day` at the latest, on which a period of this kind had passed."""
    if kind == WEEK:
        return None if settings.weekly is None else day - timedelta(days=(day.weekday() - WEEKDAYS.index(settings.weekly)) % 7)
    if settings.monthly is None:
        return None
    this = day.replace(day=settings.monthly)
    return this if this <= day else _earlier(MONTH, this)


def _earlier(kind: str, day: date) -> date:
    if kind == WEEK:
        return day - timedelta(days=7)
    year, month = (day.year, day.month - 1) if day.month > 1 else (day.year - 1, 12)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
