"""Objectives of a candidate: whether its own calls keep them, with its own mix. Pure and seeded."""

import math
from dataclasses import dataclass

import numpy as np
import scipy

from analytics.gating.estimates import Error, Estimate, contrast, ratio_estimate
from analytics.gating.measures import PERCENTILES, RESAMPLES, SHARES
from analytics.gating.overlap import folded
from analytics.gating.percentiles import enough_beyond, resampled, side_of
from core.gate_settings import GateSettings
from core.mixes import CallMix, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An objective: a metric of `core.gate_settings.GATED` should stay at or below (or reach) a value."""

    name: str
    metric: str
    value: float
    at_most: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFound:
    """The candidate's value with its interval; `p_broken` is one-sided, of a kept target. NaN is unknown."""

    target: Target
    value: float
    lower: float
    upper: float
    p_broken: float


def look_at(target: Target, mix: CallMix, settings: GateSettings, rng: np.random.Generator) -> TargetFound:
    """What the calls say of a target."""
    whole, tail = folded(mix), (1.0 - settings.confidence) / 2.0
    if target.metric in PERCENTILES:
        return _percentile(target, whole, tail, rng)
    if target.metric in SHARES:
        top, bottom = (getattr(whole, name) for name in SHARES[target.metric])
        return _mean(target, top, bottom, tail, share=True)
    if target.metric == "cost_per_call":
        return _mean(target, whole.cost_usd, whole.priced, tail)
    return _mean(target, whole.calls - whole.errors - whole.rate_limited, whole.seconds[:, None], tail)


def _percentile(target: Target, whole: CallMix, tail: float, rng: np.random.Generator) -> TargetFound:
    kind, level = PERCENTILES[target.metric]
    side = side_of(whole, kind)
    if side is None or not enough_beyond(side, level):
        return _unknown(target)
    values = resampled(side, level, RESAMPLES, rng)
    known = values[np.isfinite(values)]
    lower, upper = np.quantile(known, [tail, 1.0 - tail]) if len(known) else (math.nan, math.nan)
    below = contrast(_exactly(level), side.estimate(target.value))
    return TargetFound(
        target=target,
        value=float(side.quantile(level)),
        lower=float(lower),
        upper=float(upper),
        p_broken=below.p_less if target.at_most else below.p_more,
    )


def _mean(target: Target, top: Floats, bottom: Floats, tail: float, *, share: bool = False) -> TargetFound:
    calls, bad = float(bottom.sum()), float(top.sum())
    if calls <= 0:
        return _unknown(target)
    found = ratio_estimate(top, bottom, np.ones(1), counted=share)
    off = contrast(_exactly(target.value), found)
    se = max(found.error.se, math.sqrt(max(found.value * (1 - found.value), 0.5 / calls) / calls)) if share else found.error.se
    reach = (scipy.stats.norm.isf(tail) if share else off.critical(tail)) * se
    p_broken = off.p_more if target.at_most else off.p_less
    if share and target.at_most:  # exact, and no surer than the blocks are
        p_broken = max(
            p_broken if found.error.se > 0 else 0.0, float(scipy.stats.binom.sf(bad - 1, calls, min(target.value, 1.0)))
        )
    return TargetFound(
        target=target, value=found.value, lower=found.value - reach, upper=found.value + reach, p_broken=p_broken
    )


def _exactly(value: float) -> Estimate:
    """A number that is known."""
    sure = Error(se=0.0, freedom=math.inf, joined=1)
    return Estimate(value=value, influence=np.zeros(0), size=np.zeros(0), error=sure, parts=np.zeros(1))


def _unknown(target: Target) -> TargetFound:
    return TargetFound(target=target, value=math.nan, lower=math.nan, upper=math.nan, p_broken=math.nan)
