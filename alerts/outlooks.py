"""Limits that are likely to be used up soon, by their forecast. Pure."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
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
_DAY = timedelta(days=1)


def judge_limits(
    rule: ForecastRule, outlooks: Iterable[LimitOutlook], now: datetime, open_fingerprints: Collection[str], zone: ZoneInfo
) -> Judgement:
    """What the rule says of the limits' latest outlooks; of one that is old, or has no forecast, it says nothing.

    Between `recover_at` and `probability` it says nothing either, so that an incident does not flap with the forecast.
    """
    firings, clears = [], []
    for one in outlooks:
        chance = one.within(rule.within // _DAY)
        if not covers(rule, one) or abs(now - one.made_at) > FRESH or chance != chance:
            continue
        fingerprint = fingerprint_of(rule, {"limit": one.name})
        if chance >= rule.probability:
            firings.append(_firing(rule, one, chance, now, fingerprint, zone))
        elif chance <= rule.recover_at and fingerprint in open_fingerprints:
            clears.append(Clear(fingerprint=fingerprint, since=now, recovered=True, value=chance))
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def covers(rule: ForecastRule, one: LimitOutlook) -> bool:
    """Whether the rule is about this limit."""
    return rule.measured if one.kind == CEILING else not rule.limits or one.name in rule.limits


def _firing(rule: ForecastRule, one: LimitOutlook, chance: float, now: datetime, fingerprint: str, zone: ZoneInfo) -> Firing:
    likely = f" As likely as not by {moment(one.likely_at, zone)}." if one.likely_at else ""
    current = f" Now it is {format_number(one.now)} {one.unit}." if one.now == one.now else ""
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **one.selector.labels, "limit": one.name},
        severity=rule.severity,
        title=f"Limit {one.name} is likely to be reached within {format_span(rule.within)}: {one.selector.words}",
        summary=f"{format_number(one.limit.value)} {one.unit} will be reached within {format_span(rule.within)} with a probability "
        f"of {chance:.0%}.{likely}{current} {one.words}",
        metric="",
        value=chance,
        threshold=rule.probability,
        unit="1",
        since=now,
        until=now,
        held=True,
        scopes=(one.selector,),
        runbook=rule.runbook,
    )
