"""From what changed over days to anomalies of their own kind: one a family of metrics, told once and followed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.creep import Creep, creeping
from analytics.detect import severity_of
from analytics.deviation import RANGE_SIGMAS
from analytics.features import Floats
from analytics.wording import number, quantity
from core.series import METRICS, Direction, Selector, is_sample
from core.types import Anomaly, Cause, Contribution

SLOW_DRIFT = "slow drift"
"""The hint by which these are told from anomalies of minutes."""

NEEDED = ("latency_p50", "latency_p95", "tps", "concurrency")
_LATENCIES: Mapping[str, float] = {"latency_p50": 60.0, "latency_p95": 300.0}
"""Each with the calls an hour that it needs: the 95th percentile of few calls is their mix's, and wanders for days."""
_STILL = 0.6
"""A score with which one that was told goes on."""
_GROWING = 2.0
"""Standard errors by which calls in flight must grow while throughput falls."""
_AS_STEEP = 0.85
_MOST_MEMBERS = 12
_DAY = timedelta(days=1)


def told_by_minute(anomaly: Anomaly) -> bool:
    """Whether it was told of the minutes of calls: change over days, and samples, have jobs of their own."""
    return anomaly.hint != SLOW_DRIFT and not is_sample(anomaly.metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Hours of many selections up to `end`, by local day and hour; `values` are (n_selectors, n_days, 24), NaN: unknown."""

    selectors: tuple[Selector, ...]
    weekday: npt.NDArray[np.int64]
    values: Mapping[str, Floats]
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A series that changes, with the numbers of its row."""

    metric: str
    selector: Selector
    score: float
    calls: float
    slope: float
    error: float
    first: float
    last: float
    days: int
    step: int


def judge_days(days: Days, standing: Sequence[Anomaly], now: datetime) -> list[Anomaly]:
    """What is to be told of these days: new ones, and the `standing` (open) ones of this kind as they go on or end."""
    found = {metric: creeping(matrix, days.weekday) for metric, matrix in days.values.items()}
    told, taken = list[Anomaly](), set[str]()
    for members in (_latencies(days, found), _throughput(days, found)):
        known = [one for one in standing if one.id not in taken and _shared(one, members)]
        if known:
            taken.add(known[0].id)
            told.append(_anomaly(members, days.end, now, known[0]))
        elif any(one.score >= 1.0 for one in members):
            told.append(_anomaly([one for one in members if one.score >= 1.0], days.end, now, None))
    ended = (one for one in standing if one.id not in taken)
    return [*told, *(replace(one, ended_at=now) for one in ended)]


def _latencies(days: Days, found: Mapping[str, Creep]) -> list[_Member]:
    return [
        member
        for metric, least in _LATENCIES.items()
        for member in _members(days, metric, found[metric], found[metric].slope > 0.0, least)
    ]


def _throughput(days: Days, found: Mapping[str, Creep]) -> list[_Member]:
    """Calls that are finished fall while those in flight grow."""
    fewer, waiting = found["tps"], found["concurrency"]
    with np.errstate(invalid="ignore"):
        keep = (fewer.slope < 0.0) & (waiting.slope > _GROWING * waiting.error)
    return _members(days, "tps", fewer, keep, _LATENCIES["latency_p50"])


def _members(days: Days, metric: str, found: Creep, keep: npt.NDArray[np.bool_], least_calls: float) -> list[_Member]:
    calls = 3600.0 * np.nan_to_num(days.values["tps"]).mean(axis=(1, 2))
    chosen = keep & (found.score >= _STILL) & (calls >= least_calls)
    return [
        _Member(
            metric=metric,
            selector=days.selectors[row],
            calls=float(calls[row]),
            **{name: getattr(found, name)[row].item() for name in Creep.__slots__},
        )
        for row in np.flatnonzero(chosen)
    ]


def _shared(one: Anomaly, members: Sequence[_Member]) -> bool:
    before = {(part.metric, part.selector) for part in one.contributions}
    return any((member.metric, member.selector) in before for member in members)


def _anomaly(members: Sequence[_Member], end: datetime, now: datetime, known: Anomaly | None) -> Anomaly:
    steepest = max(abs(one.slope) for one in members)
    lead = max((one for one in members if abs(one.slope) >= _AS_STEEP * steepest), key=lambda one: one.calls)
    others = sorted((one for one in members if one is not lead), key=lambda one: -abs(one.slope))[: _MOST_MEMBERS - 1]
    began = end - _DAY * (lead.step or lead.days)
    identity = f"{SLOW_DRIFT}|{end.isoformat()}|{lead.metric}|{lead.selector}"
    lower, upper = _range(lead)
    score = max(max(one.score for one in members), known.score if known else 1.0)
    evidence = _evidence(lead, began)
    total = sum(abs(one.slope) for one in (lead, *others))
    return Anomaly(
        id=known.id if known else hashlib.sha256(identity.encode()).hexdigest()[:16],
        started_at=known.started_at if known else began,
        last_at=now,
        ended_at=None,
        selector=lead.selector,
        metric=lead.metric,
        direction=Direction.HIGH if lead.slope > 0.0 else Direction.LOW,
        score=score,
        severity=severity_of(score),
        observed=lead.last,
        expected=lead.first,
        lower=lower,
        upper=upper,
        contributions=tuple(
            Contribution(
                selector=one.selector,
                metric=one.metric,
                observed=one.last,
                expected=one.first,
                lower=_range(one)[0],
                upper=_range(one)[1],
                share=abs(one.slope) / total,
            )
            for one in (lead, *others)
        ),
        explanation=_explanation(lead, others, evidence),
        model_version="",
        baseline_version="",
        opened_at=known.opened_at if known else now,
        causes=(Cause(selector=lead.selector, observed=lead.last, expected=lead.first, share=1.0, surprise=lead.score),),
        hint=SLOW_DRIFT,
        evidence=evidence,
        mask_id=known.mask_id if known else "",
        muted=known.muted if known else False,
    )


def _range(one: _Member) -> tuple[float, float]:
    """Where a day at the beginning of the span would have been."""
    noise = one.error / np.sqrt(12.0 / one.days**3)
    return float(one.first * np.exp(-RANGE_SIGMAS * noise)), float(one.first * np.exp(RANGE_SIGMAS * noise))


def _evidence(lead: _Member, began: datetime) -> str:
    if lead.step:
        return f"one step on {began:%Y-%m-%d} explains the {lead.days} days better than a trend"
    low, high = sorted(100.0 * np.expm1([lead.slope - 1.64 * lead.error, lead.slope + 1.64 * lead.error]))
    return f"{number(float(low))} to {number(float(high))} % a day over {lead.days} days (Theil-Sen, 90 %)"


def _explanation(lead: _Member, others: Sequence[_Member], evidence: str) -> str:
    title, where = METRICS[lead.metric].title, lead.selector.words
    verb = ("stepped" if lead.step else "crept") + (" up" if lead.slope > 0.0 else " down")
    said = (
        f"{title} of {where} {verb} from {quantity(lead.metric, lead.first)} to {quantity(lead.metric, lead.last)}: {evidence}"
    )
    if lead.metric == "tps":
        said += "; meanwhile more calls are in flight"
    named = [one.selector.words for one in others if one.metric == lead.metric][:2]
    return f"{said}; {' and '.join(named)} as well." if named else f"{said}."
