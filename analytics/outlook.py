"""One limit, judged: from paths of its forecast to dates with probabilities and a sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.headroom import Crossing
from core.capacity import Estimate, LimitOutlook
from core.series import Selector

_SURELY, _HARDLY = 0.95, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What must not be exceeded, typed or measured (`kind` `ceiling`)."""

    name: str
    kind: str
    selector: Selector
    unit: str
    value: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is known of a limit without any forecast: its latest value, and the minutes that a quota still lasts."""

    made_at: datetime
    now: float
    minutes: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What a forecast says of a limit; by default that there is none, and `words` say why."""

    words: str
    until: datetime | None = None
    probability: float = np.nan
    early_at: datetime | None = None
    likely_at: datetime | None = None
    late_at: datetime | None = None
    headroom: float | None = None
    by_day: tuple[float, ...] = ()


def ahead(limit: Limit, found: Crossing, first: datetime, zone: ZoneInfo) -> Ahead:
    """Dates instead of hours: of a forecast whose first hour is `first`."""
    early, likely, late = (
        None if hour is None else first + timedelta(hours=hour) for hour in (found.hour_10, found.hour_50, found.hour_90)
    )
    until = first + timedelta(hours=len(found.by_hour))
    days = (until - first).total_seconds() / 86_400
    return Ahead(
        words=_words(limit, found, early, likely, late, days, zone),
        until=until,
        probability=found.probability,
        early_at=early,
        likely_at=likely,
        late_at=late,
        headroom=found.headroom,
        by_day=tuple(round(float(share), 3) for share in found.by_hour[23::24]),
    )


def outlook(limit: Limit, measured: Measured, found: Ahead) -> LimitOutlook:
    """All that is known of a limit. Without a forecast the headroom is that of now."""
    return LimitOutlook(
        name=limit.name,
        kind=limit.kind,
        selector=limit.selector,
        unit=limit.unit,
        made_at=measured.made_at,
        limit=limit.value,
        now=measured.now,
        until=found.until,
        probability=found.probability,
        early_at=found.early_at,
        likely_at=found.likely_at,
        late_at=found.late_at,
        headroom=1.0 - measured.now / limit.value.value if found.headroom is None else found.headroom,
        minutes=measured.minutes,
        words=found.words + _soon(measured.minutes),
        by_day=found.by_day,
    )


def _words(
    limit: Limit,
    found: Crossing,
    early: datetime | None,
    likely: datetime | None,
    late: datetime | None,
    days: float,
    zone: ZoneInfo,
) -> str:
    what = f"{limit.value.value:,.4g} {limit.unit} of {limit.selector.words}"
    if found.probability < _HARDLY:
        return f"{what} are not reached within {days:.0f} days (probability {found.probability:.0%})."
    if early is None:
        return f"{what} are reached within {days:.0f} days with a probability of {found.probability:.0%}."
    span = f"between {_day(early, zone)} and {_day(late, zone)}" if late else f"from {_day(early, zone)} on"
    middle = f", as likely as not by {_day(likely, zone)}" if likely else ""
    sure = "almost surely" if found.probability > _SURELY else f"with a probability of {found.probability:.0%}"
    return f"{what} are reached {span}{middle}; {sure} within {days:.0f} days."


def _soon(minutes: Estimate | None) -> str:
    if minutes is None or not np.isfinite(minutes.value):
        return ""
    if minutes.value <= 0.0:
        return " The quota is used up now."
    latest = f"{minutes.upper:.0f}" if np.isfinite(minutes.upper) else "more"
    return f" As things move now the quota is used up in {minutes.value:.0f} minutes ({minutes.lower:.0f} to {latest})."


def _day(moment: datetime | None, zone: ZoneInfo) -> str:
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
