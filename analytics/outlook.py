"""One limit, judged: from paths of its forecast to dates with probabilities and a sentence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from analytics.headroom import Crossing
from core.capacity import Estimate, LimitOutlook
from core.series import Selector

_SURELY, _HARDLY = 0.95, 0.05
_NOUNS = {
    "ceiling": "The measured ceiling",
    "calls_per_min": "The quota",
    "tokens_per_min": "The quota",
    "usd_per_day": "The budget",
    "usd_per_month": "The budget",
}


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


class _When(NamedTuple):
    """By when 10, 50 and 90 % of what may come reaches the limit."""

    early: datetime | None
    likely: datetime | None
    late: datetime | None


def ahead(limit: Limit, found: Crossing, first: datetime, zone: ZoneInfo) -> Ahead:
    """Dates instead of hours: of a forecast whose first hour is `first`."""
    when = _When(
        *(None if hour is None else first + timedelta(hours=hour) for hour in (found.hour_10, found.hour_50, found.hour_90))
    )
    until = first + timedelta(hours=len(found.by_hour))
    days = (until - first).total_seconds() / 86_400
    return Ahead(
        words=_words(limit, found, when, days, zone),
        until=until,
        probability=found.probability,
        early_at=when.early,
        likely_at=when.likely,
        late_at=when.late,
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


def _words(limit: Limit, found: Crossing, when: _When, days: float, zone: ZoneInfo) -> str:
    noun = _NOUNS.get(limit.kind, "The limit")
    what = f"{noun} of {limit.value.value:,.4g} {limit.unit} for {limit.selector.words}"
    within = f"be reached within {days:.0f} days (probability {_chance(found.probability)})"
    if found.probability < _HARDLY:
        return f"{what} is unlikely to {within}."
    early, likely, late = (
        moment and f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in (when.early, when.likely, when.late)
    )
    if likely is None:
        return f"{what} may {within}{f'; the chance is 1 in 10 by {early}' if early else ''}."
    if late is None:
        return f"{what} will probably {within}: 1 in 10 by {early}, as likely as not by {likely}."
    span = f"by {late}" if late == early else f"most likely between {early} and {late}, as likely as not by {likely}"
    return f"{what} will {'almost certainly' if found.probability > _SURELY else 'very probably'} {within}: {span}."


def _chance(probability: float) -> str:
    if probability < 0.01:
        return "below 1%"
    return f"{probability:.0%}" if probability <= 0.99 else "over 99%"


def _soon(minutes: Estimate | None) -> str:
    if minutes is None or not np.isfinite(minutes.value):
        return ""
    if minutes.value <= 0.0:
        return " The quota is used up now."
    latest = f"{minutes.upper:.0f}" if np.isfinite(minutes.upper) else "more"
    return f" At the present pace the quota is used up in {minutes.value:.0f} minutes ({minutes.lower:.0f} to {latest})."
