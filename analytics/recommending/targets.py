"""Rules about what is configured: provisioned limits and objectives that do not fit what is seen."""

import math

import numpy as np

from analytics.objectives import suggested_latency
from analytics.recommending.totals import Estate, confidence_of, share
from analytics.replay.calls import LoggedCalls
from core.config import LimitSettings, ObjectiveSettings
from core.recommendations import Effect, Finding
from core.series import Selector

_ROOM = 1.3
_TOO_HIGH = 2.0
_TOO_LOW_REJECTS = 0.005
_NEAR = 0.9
_PERIOD_S = {"tps": 300.0, "calls_per_min": 60.0, "tokens_per_min": 60.0}
_LEAST_HOURS = 6
_LEAST_CALLS = 500
_LEVELS = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p95": 0.95, "latency_p99": 0.99}
_TIGHT, _LOOSE = 0.3, 0.5


def limits(estate: Estate) -> list[Finding]:
    """Limits of calls or tokens that are more than twice what the busiest time needs with a third to spare, or that refuse."""
    found = []
    for limit in estate.limits:
        if limit.kind in _PERIOD_S and not limit.per:
            ours = estate.calls.where(estate.calls.matching(Selector.of(limit.selector)))
            if len(ours) >= _LEAST_CALLS and (one := _limit(estate, limit, ours)) is not None:
                found.append(one)
    return found


def _limit(estate: Estate, limit: LimitSettings, ours: LoggedCalls) -> Finding | None:
    period = _PERIOD_S[limit.kind]
    place = ((ours.ts_s - ours.start.timestamp()) // period).astype(np.int64)
    tokens = np.nan_to_num(ours.prompt_tokens) + np.nan_to_num(ours.completion_tokens)
    weights = tokens if limit.kind == "tokens_per_min" else np.ones(len(ours))
    used = np.bincount(place, weights) / (period if limit.kind == "tps" else 1.0)
    refused = np.bincount(place[ours.rejected], minlength=len(used))
    busiest = float(used.max())
    needed = _round_up(_ROOM * busiest)
    near = used >= _NEAR * limit.at_most
    rejects = float(refused[near].sum()) / len(ours)
    if rejects >= _TOO_LOW_REJECTS and needed > limit.at_most:
        action, gain, gain_of = "Raise", share(float(refused[near].sum()), estate.rejected), "refused calls"
        why = f"{int(refused[near].sum()):,} calls were refused in the {int(near.sum())} busiest spans"
    elif limit.at_most > _TOO_HIGH * needed:
        action, gain, gain_of = "Lower", 1.0 - needed / limit.at_most, "the limit"
        why = f"the busiest span used {busiest:.4g}, {busiest / limit.at_most:.0%} of it"
    else:
        return None
    ordinary = np.sort(used)[-max(len(used) // 20, 1) :]
    effect = Effect(
        measure="limit", scope=Selector.of(limit.selector), unit=limit.kind, before=limit.at_most, after=needed,
        lower=_ROOM * float(ordinary.min()), upper=_ROOM * busiest * 1.05,
    )  # fmt: skip
    return Finding(
        rule="limit_level",
        selector=Selector.of(limit.selector),
        about=limit.name,
        action=f"{action} the limit {limit.name!r} from {limit.at_most:g} to {needed:g} ({limit.kind}).",
        evidence=(why, f"{needed:g} leaves {_ROOM - 1:.0%} to spare above the busiest span"),
        effect=effect,
        gain=gain,
        gain_of=gain_of,
        confidence=confidence_of(effect),
        verify="no call is refused at the next peak, and the busiest span stays below the new limit",
    )


def objectives(estate: Estate) -> list[Finding]:
    """Latency targets that a third of the hours miss, or that no hour came half near to; not those of transactions."""
    found = []
    for one in estate.objectives:
        if one.metric in _LEVELS and one.at_most is not None and not one.transaction:
            ours = estate.calls.where(estate.calls.matching(Selector.of(one.selector)) & ~estate.calls.rejected)
            if len(ours) >= _LEAST_CALLS and (finding := _objective(one, one.at_most, ours)) is not None:
                found.append(finding)
    return found


def _objective(one: ObjectiveSettings, at_most: float, ours: LoggedCalls) -> Finding | None:
    hour = ((ours.ts_s - ours.start.timestamp()) // 3600.0).astype(np.int64)
    parts = [ours.latency_ms[hour == place] for place in np.unique(hour)]
    by_hour = np.array([np.nanquantile(part, _LEVELS[one.metric]) for part in parts if np.isfinite(part).sum() >= 100])
    if len(by_hour) < _LEAST_HOURS:
        return None
    missed = float((by_hour > at_most).mean())
    wanted = suggested_latency(by_hour.tolist())
    if wanted is None or not (missed >= _TIGHT or float(by_hour.max()) < _LOOSE * at_most):
        return None
    tight = missed >= _TIGHT
    effect = Effect(
        measure="objective", scope=Selector.of(one.selector), unit="ms", before=at_most, after=wanted,
        lower=float(np.quantile(by_hour, 0.5)), upper=max(float(by_hour.max()) * 1.25, wanted),
    )  # fmt: skip
    says = f"{missed:.0%} of the hours miss it" if tight else f"the worst hour had {by_hour.max():.0f} ms: it warns of nothing"
    return Finding(
        rule="objective_level",
        selector=Selector.of(one.selector),
        about=one.name,
        action=f"The objective {one.name!r} is too {'tight' if tight else 'loose'}: {wanted:g} ms instead of {at_most:g} ms.",
        evidence=(says, f"{wanted:g} ms is kept by nine hours of ten with a quarter to spare"),
        effect=effect,
        gain=0.0,
        gain_of="nothing but alarms",
        confidence=confidence_of(effect),
        verify="tpscope objectives list: the error budget is used, but not up",
    )


def _round_up(value: float) -> float:
    """To two significant digits, upwards."""
    size = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / size - 1e-9) * size
