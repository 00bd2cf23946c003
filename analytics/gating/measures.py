"""What a gate looks at, metric by metric: both values, how sure the difference is, what could be found. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from analytics.gating.estimates import Contrast, contrast, ratio_estimate
from analytics.gating.overlap import Pair, weights_of
from analytics.gating.percentiles import Side, enough_beyond, percentile_change, side_of, sides_of, standardised
from analytics.gating.shares import exact_tails
from core.gate_settings import GateSettings
from core.mixes import CallMix, Floats

RESAMPLES = 1000
PERCENTILES: dict[str, tuple[str, float]] = {
    "latency_p50": ("latency", 0.50),
    "latency_p90": ("latency", 0.90),
    "latency_p95": ("latency", 0.95),
    "latency_p99": ("latency", 0.99),
    "ttft_p95": ("ttft", 0.95),
    "route_p95": ("latency", 0.95),
}
"""Metric → what is measured, and which percentile of it."""
RELATIVE = frozenset({"route_p95"})
"""Of these, each call counts as a multiple of its own stratum's percentile."""
SHARES: dict[str, tuple[str, str]] = {"error_rate": ("errors", "known"), "rate_limited_rate": ("rate_limited", "calls")}
"""Metric → counter of the calls that are bad, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The two sides over shared strata, and as they came."""

    pair: Pair
    raw_before: CallMix
    raw_after: CallMix
    settings: GateSettings
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One metric on both sides; NaN is unknown.

    Attributes
    ----------
    p_worse, p_better : float
        One-sided, of no change for the worse and for the better.
    calls : float
        Of the candidate.
    reach : callable
        From the one-sided level and the power to the change that could be found, in changes that must be findable: above 1 the
        calls are too few. Grows with the inverse root of their number.
    parts : ndarray of shape (n_strata,)
        What each stratum adds to the change for the worse.
    """

    metric: str
    before: float
    after: float
    raw_before: float
    raw_after: float
    difference: float
    lower: float
    upper: float
    p_worse: float
    p_better: float
    floor: float
    findable: float
    calls: float
    reach: Callable[[float, float], float]
    parts: Floats


def measure(asked: Question, metric: str) -> Found:
    """One metric of the pair."""
    if metric in PERCENTILES:
        return _percentile(asked, metric)
    if metric in SHARES:
        return _share(asked, metric)
    return _mean(asked, metric)


def _percentile(asked: Question, metric: str) -> Found:
    kind, level = PERCENTILES[metric]
    raw = [_raw_percentile(side_of(mix, kind), level) for mix in (asked.raw_before, asked.raw_after)]
    sides = sides_of(asked.pair.before, asked.pair.after, kind)
    if metric in RELATIVE and sides is not None:
        raw, sides = [math.nan, math.nan], standardised(*sides, level)
    if sides is None or not all(enough_beyond(side, level) for side in sides):
        return _unknown(asked, metric, *raw)
    before, after = sides
    tail = (1.0 - asked.settings.confidence) / 2.0
    change = percentile_change(before, after, level, resamples=RESAMPLES, tail=tail, at_once=asked.pair.at_once, rng=asked.rng)
    floor, findable = _sizes(asked.settings, metric, change.before)
    # What a slowdown of that size would take from the share of calls below the percentile.
    loss = level - before.share_below(change.before * change.before / (change.before + findable)) if change.before > 0 else 0.0
    return Found(
        metric=metric,
        before=change.before,
        after=change.after,
        raw_before=raw[0],
        raw_after=raw[1],
        difference=change.after - change.before,
        lower=change.lower,
        upper=change.upper,
        p_worse=change.contrast.p_less,
        p_better=change.contrast.p_more,
        floor=floor,
        findable=findable,
        calls=float(after.totals.sum()),
        reach=_reach(change.contrast, change.contrast.se, loss),
        parts=change.parts,
    )


def _share(asked: Question, metric: str) -> Found:
    bad, known = ([getattr(mix, name) for mix in (asked.pair.before, asked.pair.after)] for name in SHARES[metric])
    raw = [_raw_share(mix, metric) for mix in (asked.raw_before, asked.raw_after)]
    totals = [one.sum(axis=0) for one in known]
    weights = weights_of(*totals)
    if not weights.any():
        return _unknown(asked, metric, *raw)
    one, other = (ratio_estimate(top, bottom, weights) for top, bottom in zip(bad, known, strict=True))
    found, used = contrast(one, other, at_once=asked.pair.at_once), weights > 0
    counts = [value.sum(axis=0)[used] for value in (bad[0], known[0], bad[1], known[1])]
    more, fewer = exact_tails(*counts)
    floor, findable = _sizes(asked.settings, metric, one.value)
    binomial, expected = _binomial(one.value, other.value, totals[0][used], totals[1][used], weights[used], findable)
    clustered = max(1.0, found.se / binomial) if binomial > 0 and math.isfinite(found.se) else 1.0
    # Failures come in clusters: the exact test takes calls to be independent, the blocks know better; both must be convinced.
    se = max(found.se, binomial) if math.isfinite(found.se) else binomial
    reach = scipy.stats.norm.isf((1.0 - asked.settings.confidence) / 2.0) * se
    return Found(
        metric=metric,
        before=one.value,
        after=other.value,
        raw_before=raw[0],
        raw_after=raw[1],
        difference=found.value,
        lower=found.value - reach,
        upper=found.value + reach,
        p_worse=_both(more, found.p_more, found.se),
        p_better=_both(fewer, found.p_less, found.se),
        floor=floor,
        findable=findable,
        calls=float(totals[1].sum()),
        reach=_reach(found, expected * clustered, findable),
        parts=other.parts - one.parts,
    )


def _mean(asked: Question, metric: str) -> Found:
    """Cost per call, weighted; or calls a second, as they came."""
    rate = metric == "tps"
    mixes = (asked.raw_before, asked.raw_after) if rate else (asked.pair.before, asked.pair.after)
    tops = [mix.calls - mix.rate_limited - mix.errors if rate else mix.cost_usd for mix in mixes]
    bottoms = [mix.seconds[:, None] if rate else mix.priced for mix in mixes]
    weights = np.ones(1) if rate else weights_of(*(one.sum(axis=0) for one in bottoms))
    raw = [_raw_mean(mix, metric) for mix in (asked.raw_before, asked.raw_after)]
    if not weights.any() or not all(bottom.sum() > 0 for bottom in bottoms):
        return _unknown(asked, metric, *raw)
    one, other = (ratio_estimate(top, bottom, weights, counted=not rate) for top, bottom in zip(tops, bottoms, strict=True))
    found = contrast(one, other, at_once=asked.pair.at_once)
    floor, findable = _sizes(asked.settings, metric, one.value)
    reach = found.critical((1.0 - asked.settings.confidence) / 2.0) * found.se
    sign = -1.0 if rate else 1.0
    return Found(
        metric=metric,
        before=one.value,
        after=other.value,
        raw_before=raw[0],
        raw_after=raw[1],
        difference=found.value,
        lower=found.value - reach,
        upper=found.value + reach,
        p_worse=found.p_less if rate else found.p_more,
        p_better=found.p_more if rate else found.p_less,
        floor=floor,
        findable=findable,
        calls=float(mixes[1].calls.sum()),
        reach=_reach(found, found.se, findable),
        parts=sign * (other.parts - one.parts) if not rate else np.zeros(len(asked.pair.after.strata)),
    )


def _reach(found: Contrast, se: float, findable: float) -> Callable[[float, float], float]:
    def of(alpha: float, power: float) -> float:
        if findable <= 0 or not math.isfinite(se):
            return math.inf
        return (found.critical(alpha) + found.critical(1.0 - power)) * se / findable

    return of


def _sizes(settings: GateSettings, metric: str, before: float) -> tuple[float, float]:
    """The least change that counts, and the one that must be findable."""
    one = settings.floor_of(metric)
    floor = max(one.absolute, one.relative * before)
    return floor, floor * settings.findable


def _binomial(
    before: float, after: float, calls_before: Floats, calls_after: Floats, weights: Floats, findable: float
) -> tuple[float, float]:
    """Standard error of the difference of two shares of independent calls: as they are, and were one `findable` higher."""
    room = float((weights**2 * (1.0 / calls_before + 1.0 / calls_after)).sum())
    least = 0.5 / float(calls_after.sum())
    shares = (max((before + after) / 2.0, least), min(before + findable / 2.0, 0.5))
    now, then = (math.sqrt(share * (1.0 - share) * room) for share in shares)
    return now, then


def _both(exact: float, clustered: float, se: float) -> float:
    """The less convinced of two tests; the blocks have no say where no block has a failure."""
    return exact if se == 0 else max(exact, clustered)


def _raw_percentile(side: Side | None, level: float) -> float:
    return float(side.quantile(level)) if side is not None and enough_beyond(side, level) else math.nan


def _raw_share(mix: CallMix, metric: str) -> float:
    bad, known = (float(getattr(mix, name).sum()) for name in SHARES[metric])
    return bad / known if known else math.nan


def _raw_mean(mix: CallMix, metric: str) -> float:
    if metric == "tps":
        return float((mix.calls - mix.rate_limited - mix.errors).sum() / mix.seconds.sum())
    return float(mix.cost_usd.sum() / mix.priced.sum()) if mix.priced.sum() else math.nan


def _unknown(asked: Question, metric: str, raw_before: float, raw_after: float) -> Found:
    nan = math.nan
    return Found(
        metric=metric, before=nan, after=nan, raw_before=raw_before, raw_after=raw_after, difference=nan, lower=nan, upper=nan,
        p_worse=nan, p_better=nan, floor=nan, findable=nan, calls=float(asked.pair.after.calls.sum()),
        reach=lambda alpha, power: math.inf, parts=np.zeros(len(asked.pair.after.strata)),
    )  # fmt: skip
