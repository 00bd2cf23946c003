"""Budgets of calendar periods: which step of one has been passed, and when it will be used up at the present pace. Pure.

Each step is an incident of its own that opens once a period, and ends when the next one is passed or the period is over; only
its opening is told. Of several steps passed at once the highest speaks for all.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from alerts.evaluate import fingerprint_of
from alerts.judgement import Clear, Firing, Judgement
from alerts.wording import moment
from core.config import BudgetRule
from core.periods import Period, period_of
from core.series import Selector
from core.types import Severity
from render.units import format_number, format_span

_PACE = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=7)}
"""What the pace is taken from: whole days, or weeks, so that nights and weekends weigh what they weigh."""

_UNITS = {"cost": "USD", "tokens": "tokens"}


def period_at(rule: BudgetRule, at: datetime, zone: ZoneInfo) -> Period:
    """The period that an instant lies in, by the rule's time zone, else by `zone`."""
    return period_of(rule.period, at, _zone_of(rule, zone))


def _zone_of(rule: BudgetRule, common: ZoneInfo) -> ZoneInfo:
    return ZoneInfo(rule.time_zone) if rule.time_zone else common


def pace_span(rule: BudgetRule) -> timedelta:
    return _PACE[rule.period]


def judge_budget(
    rule: BudgetRule,
    spent: pd.DataFrame,
    pace: pd.DataFrame,
    period: Period,
    at: datetime,
    open_fingerprints: Collection[str],
    zone: ZoneInfo,
) -> Judgement:
    """What the rule says at `at`.

    Parameters
    ----------
    spent, pace : DataFrame
        As `storage.spent.read_spent` gives it from the period's start to `at`, and over the `pace_span` before `at`. A group
        that `spent` lacks, or whose sum is unknown, is unknown.
    """
    rates = {tuple(labels.items()): value / pace_span(rule).total_seconds() for labels, value in _sums(rule, pace)}
    firings, clears = [], [_over(name, period, at) for name in open_fingerprints if _is_past(rule, name, period)]
    for labels, used in _sums(rule, spent):
        passed = [step for step in rule.steps if used >= step * rule.at_most]
        of_step = {step: fingerprint_of(rule, step_labels(labels, period, step)) for step in rule.steps}
        clears += [
            _over(of_step[step], period, at)
            for step in rule.steps
            if of_step[step] in open_fingerprints and step not in passed[-1:]
        ]
        if passed:
            rate = rates.get(tuple(labels.items()), 0.0)
            firings.append(_firing(rule, labels, passed[-1], used, rate, period, at, of_step[passed[-1]], zone))
    return Judgement(firings=tuple(firings), clears=tuple(clears))


def step_labels(labels: Mapping[str, str], period: Period, step: float) -> dict[str, str]:
    """What a step's incident is told by besides its group."""
    return {**labels, "period": period.name, "step": f"{step:g}"}


def used_up_at(used: float, at_most: float, rate: float, at: datetime) -> datetime | None:
    """When a budget is used up at `rate` a second; None: it never is."""
    if used >= at_most:
        return at
    left_s = (at_most - used) / rate if rate > 0 else float("inf")
    return at + timedelta(seconds=left_s) if left_s < timedelta(days=3660).total_seconds() else None


def _sums(rule: BudgetRule, frame: pd.DataFrame) -> list[tuple[dict[str, str], float]]:
    rows = frame[frame["spent"].notna()].to_dict("records")
    return [({name: str(row[name]) for name in rule.by}, float(row["spent"])) for row in rows]


def _is_past(rule: BudgetRule, fingerprint: str, period: Period) -> bool:
    return fingerprint.startswith(f"{rule.name}{{") and f'period="{period.name}"' not in fingerprint


def _over(fingerprint: str, period: Period, at: datetime) -> Clear:
    return Clear(fingerprint=fingerprint, since=at, recovered=True)


def _firing(
    rule: BudgetRule,
    labels: Mapping[str, str],
    step: float,
    used: float,
    rate: float,
    period: Period,
    at: datetime,
    fingerprint: str,
    zone: ZoneInfo,
) -> Firing:
    selector, unit = Selector.of({**labels, **rule.selector}), _UNITS[rule.of]
    own = _zone_of(rule, zone)
    return Firing(
        rule=rule.name,
        kind=rule.kind,
        fingerprint=fingerprint,
        labels={**rule.labels, **selector.labels, **step_labels({}, period, step)},
        severity=rule.used_up if step >= 1 else Severity(rule.severity),
        title=f"{step * 100:.0f} % of the {rule.of} budget of the {rule.period} is used up: {selector.words}",
        summary=f"{format_number(used)} of {format_number(rule.at_most)} {unit} since {moment(period.start, own)}; "
        f"{format_span(period.end - at)} of the {rule.period} are left. {_projection(rule, used, rate, period, at, own)}",
        metric="",
        value=used,
        threshold=rule.at_most,
        unit=unit,
        since=at,
        until=at,
        held=True,
        scopes=(selector,),
        runbook=rule.runbook,
    )


def _projection(rule: BudgetRule, used: float, rate: float, period: Period, at: datetime, zone: ZoneInfo) -> str:
    at_end = used + rate * (period.end - at).total_seconds()
    share = f"{100 * at_end / rule.at_most:.0f} % of it at the end of the {rule.period}"
    when = used_up_at(used, rule.at_most, rate, at)
    pace = f"At the pace of the last {format_span(pace_span(rule))}"
    if used >= rule.at_most:
        return f"{pace} it will be {share}."
    if when is None or when >= period.end:
        return f"{pace} it lasts until the end of the {rule.period}: {share}."
    return f"{pace} it is used up by {moment(when, zone)}; {share}."
