"""Limits that are likely to be used up soon, by their forecast or at the present pace. Pure."""

import math
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alerts.evaluate import fingerprint_of
from alerts.judgement import Clear, Firing, Judgement
from alerts.wording import moment
from core.capacity import LimitOutlook
from core.config import ForecastRule
from render.units import format_number, format_span

FRESH = timedelta(hours=1)
"""What is older than this is no outlook: the job that judges limits runs every few minutes."""

CEILING = "ceiling"
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


def judge_limits(
    rule: ForecastRule, outlooks: Iterable[LimitOutlook], now: datetime, open_fingerprints: Collection[str], zone: ZoneInfo
) -> Judgement:
    """What the rule says of the limits' latest outlooks; of one that is old, or of which nothing is known, it says nothing.

    Between `recover_at` and `probability` it says nothing either, so that an incident does not flap with the forecast.
    """
    firings, clears = [], []
    for one in outlooks:
        chance, soon = one.within(rule.within // _DAY), _soon(rule, one)
        if not covers(rule, one) or abs(now - one.made_at) > FRESH or (chance != chance and soon is None):
            continue
        fingerprint = fingerprint_of(rule, {"limit": one.name})
        if soon:
            firings.append(_quota_firing(rule, one, now, fingerprint))
        elif chance >= rule.probability:
            firings.append(_likely_firing(rule, one, chance, now, fingerprint, zone))
        elif not chance > rule.recover_at and fingerprint in open_fingerprints:
            clears.append(Clear(fingerprint=fingerprint, since=now, recovered=True, value=chance))
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def covers(rule: ForecastRule, one: LimitOutlook) -> bool:
    """Whether the rule is about this limit."""
    return rule.measured if one.kind == CEILING else not rule.limits or one.name in rule.limits


def _soon(rule: ForecastRule, one: LimitOutlook) -> bool | None:
    """Whether a quota will not last as long as the rule asks for; None where that is not known, or not asked."""
    if rule.quota_within is None or one.minutes is None or one.minutes.value != one.minutes.value:
        return None
    return one.minutes.value <= rule.quota_within / _MINUTE


def _likely_firing(
    rule: ForecastRule, one: LimitOutlook, chance: float, now: datetime, fingerprint: str, zone: ZoneInfo
) -> Firing:
    likely = f" As likely as not by {moment(one.likely_at, zone)}." if one.likely_at else ""
    told = _Told(
        title=f"Limit {one.name} is likely to be reached within {format_span(rule.within)}: {one.selector.words}",
        summary=f"{format_number(one.limit.value)} {one.unit} will be reached within {format_span(rule.within)} with a "
        f"probability of {100 * chance:.0f} %.{likely}{_current(one)} {one.words}".rstrip(),
        value=chance,
        threshold=rule.probability,
        unit="1",
    )
    return _firing(rule, one, now, fingerprint, told)


def _quota_firing(rule: ForecastRule, one: LimitOutlook, now: datetime, fingerprint: str) -> Firing:
    """Without a value: what incidents of this kind show is a probability, and none is meant here."""
    assert rule.quota_within is not None
    told = _Told(
        title=f"Quota {one.name} is used up within {format_span(rule.quota_within)}: {one.selector.words}",
        summary=f"Beyond {format_number(one.limit.value)} {one.unit} calls are refused (429).{_current(one)} {one.words}",
        value=math.nan,
        threshold=rule.quota_within / _MINUTE,
        unit="min",
    )
    return _firing(rule, one, now, fingerprint, told)


def _current(one: LimitOutlook) -> str:
    return f" Now it is {format_number(one.now)} {one.unit}." if one.now == one.now else ""


class _Told(NamedTuple):
    title: str
    summary: str
    value: float
    threshold: float
    unit: str


def _firing(rule: ForecastRule, one: LimitOutlook, now: datetime, fingerprint: str, told: _Told) -> Firing:
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **one.selector.labels, "limit": one.name},
        severity=rule.severity,
        title=told.title,
        summary=told.summary,
        metric="",
        value=told.value,
        threshold=told.threshold,
        unit=told.unit,
        since=now,
        until=now,
        held=True,
        scopes=(one.selector,),
        runbook=rule.runbook,
    )
