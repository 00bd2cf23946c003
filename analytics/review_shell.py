"""The shell of reviews: the figures of a period are read, compared with the one before, explained, and chosen from."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from analytics.review_causes import Causes
from analytics.review_reading import by_day, compared
from analytics.reviewing.choosing import EACH, changed, largest, rising
from analytics.reviewing.trends import mann_kendall
from core.capacity import LimitOutlook
from core.config import ObjectiveSettings, Settings
from core.recommendations import Recommendation, RecommendationState
from core.review_periods import ReviewPeriod
from core.reviews import Kept, Review, ReviewedIncident, Trend
from core.series import Selector
from core.transactions import Transaction
from core.types import Action, Incident
from storage.capacity import read_costs, read_limits
from storage.contract import Store
from storage.incidents import read_incidents
from storage.objectives import read_shares
from storage.recommendations import read_recommendations
from storage.series import data_span
from storage.silences import read_actions
from storage.standing import read_standing

TOTALS = ("tps", "error_rate", "latency_p50", "latency_p95", "latency_p99", "tokens_per_s", "cost_per_h", "cache_hit_rate")
_COMPARED = ("latency_p95", "error_rate", "cost_per_h")
_SCOPES = ("service", "route", "provider", "model")
_RANKED = ("route", "tenant", "model")
_TREND_DAYS = 28
_DAY = timedelta(days=1)
_MOST_INCIDENTS = 10_000
_UNDECIDED = (RecommendationState.OPEN, RecommendationState.ACCEPTED)


def review(store: Store, settings: Settings, period: ReviewPeriod, now: datetime) -> Review:
    """The review of a period, from what the store holds as of `now`."""
    spans = [(period.start, period.end), (period.before, period.start)]
    known = data_span(store)
    moved = [one for name in _SCOPES for metric in _COMPARED for one in compared(store, metric, spans, (name,))]
    worse, better = changed(moved)
    incidents = [_began(read_incidents(store, start, end, limit=_MOST_INCIDENTS), start, end) for start, end in spans]
    causes = Causes(store, period, incidents[0], incidents[1])
    return Review(
        period=period,
        made_at=now,
        data_from=known[0] if known else period.end,
        totals=tuple(one for metric in TOTALS for one in compared(store, metric, spans) if math.isfinite(one.value)),
        objectives=tuple(_kept(store, settings, one, period) for one in settings.objectives),
        trends=rising(_trends(store, period)),
        worse=worse,
        worse_causes=tuple(causes.of(one) for one in worse),
        better=better,
        better_causes=tuple(causes.of(one) for one in better),
        slowest=tuple(one for name in _RANKED for one in largest(compared(store, "latency_p95", spans, (name,)), EACH)),
        costliest=tuple(one for name in _RANKED for one in largest(compared(store, "cost_per_h", spans, (name,)), EACH)),
        limits=tuple(sorted(read_limits(store), key=_nearest)),
        costs=tuple(read_costs(store)),
        incidents=_incidents(store, incidents[0], period.start),
        incidents_before=len(incidents[1]),
        recommendations=_recommendations(read_recommendations(store), period, now),
        days=_days(store, period),
    )  # fmt: skip


def _nearest(one: LimitOutlook) -> tuple[float, str]:
    """Those with the least left come first, those of which nothing is known last."""
    return (math.inf if math.isnan(one.headroom) else one.headroom), one.name


def _kept(store: Store, settings: Settings, one: ObjectiveSettings, period: ReviewPeriod) -> Kept:
    """By the objective's own measure; of a transaction that is the share that was bad."""
    definition = settings.definition(one.transaction) if one.transaction else None
    value, before = (
        _share(store, one, definition, span) for span in ((period.start, period.end), (period.before, period.start))
    )
    rising_is_bad = one.target is not None or one.at_most is not None
    target = one.allowed if one.target is not None else one.at_most if one.at_most is not None else one.at_least
    kept = None if math.isnan(value) else value <= (target or 0.0) if rising_is_bad else value >= (target or 0.0)
    budget = read_standing(store, settings, one, period.end).budget
    return Kept(
        name=one.name,
        metric="error_rate" if one.transaction else one.metric,
        value=value,
        before=before,
        target=target or 0.0,
        at_least=not rising_is_bad,
        kept=kept,
        budget_left=math.nan if budget is None else budget.left,
    )


def _share(store: Store, one: ObjectiveSettings, definition: Transaction | None, span: tuple[datetime, datetime]) -> float:
    frame = read_shares(store, one, definition, [span])
    return float(frame["value"].iloc[0]) if len(frame) else math.nan


def _trends(store: Store, period: ReviewPeriod) -> list[Trend]:
    """Of every service over the four weeks that end with the period, by whole days of its zone."""
    days = list(period.days)[-_TREND_DAYS:]
    while len(days) < _TREND_DAYS:
        days.insert(0, (days[0][0] - _DAY, days[0][0]))
    found = []
    for metric in _COMPARED:
        for (service,), values in by_day(store, metric, days, ("service",)).items():
            daily = np.array(values)
            known = np.flatnonzero(np.isfinite(daily))
            p_value, slope = mann_kendall(daily)
            if service and math.isfinite(p_value) and (middle := float(np.median(daily[known]))) > 0.0:
                growth = slope * float(known[-1] - known[0]) / middle
                of = Selector.of(service=service)
                found.append(Trend(metric=metric, selector=of, values=tuple(values), p_value=p_value, growth=growth))
    return found


def _began(incidents: Sequence[Incident], start: datetime, end: datetime) -> list[Incident]:
    return [one for one in incidents if start <= one.started_at < end and one.opened_at is not None]


def _incidents(store: Store, incidents: Sequence[Incident], since: datetime) -> tuple[ReviewedIncident, ...]:
    said: dict[str, datetime] = {}
    for one in read_actions(store, since):
        if one.action is Action.ACKNOWLEDGE:
            said.setdefault(one.incident_id, one.at)
    return tuple(_incident(one, said.get(one.id)) for one in sorted(incidents, key=lambda one: (one.started_at, one.id)))


def _incident(one: Incident, acknowledged: datetime | None) -> ReviewedIncident:
    opened = one.opened_at or one.started_at
    return ReviewedIncident(
        id=one.id,
        title=one.title,
        severity=str(one.severity),
        started_at=one.started_at,
        detected_s=max((opened - one.started_at).total_seconds(), 0.0),
        acknowledged_s=math.nan if acknowledged is None else max((acknowledged - opened).total_seconds(), 0.0),
        lasted_s=math.nan if one.resolved_at is None else (one.resolved_at - one.started_at).total_seconds(),
        cause=one.causes[0].text if one.causes else "",
    )


def _recommendations(found: Sequence[Recommendation], period: ReviewPeriod, now: datetime) -> tuple[Recommendation, ...]:
    """What waits, what is being followed, and what was decided since the period began; the largest gain first."""
    return tuple(
        one
        for one in found
        if one.state in _UNDECIDED or (one.decided_at is not None and period.start <= one.decided_at <= now)
    )


def _days(store: Store, period: ReviewPeriod) -> tuple[tuple[datetime, float], ...]:
    values = by_day(store, "tps", period.days, ()).get((), [math.nan] * len(period.days))
    return tuple((start, value) for (start, _), value in zip(period.days, values, strict=True))
