"""What kind of trouble an anomaly looks like, where the data supports one, and by what evidence; otherwise nothing is said."""

from collections.abc import Sequence

import numpy as np

from analytics.causes import LEVELS, RATIOS
from analytics.leaves import Leaves
from analytics.population import against_peers
from analytics.wording import number, quantity
from core.series import Direction, Selector
from core.types import Cause

PROVIDER_OUTAGE = "provider outage"
RATE_LIMITING = "rate limiting"
CACHE_COLLAPSE = "cache collapse"
TRAFFIC_SURGE = "traffic surge"
ONE_TENANT = "one tenant"
NEW_MODEL = "new model version"
GATEWAY_NODE = "gateway node"
TOKEN_GROWTH = "token growth"
SLOW_PROVIDER = "slow provider"
SILENCE = "silence"

_CLEARLY = 0.5
"""A hint that names a dimension wants a cause with at least this share of the deviation."""
_STILL = 0.3
_FEW_LEFT = 0.05


def hint_at(
    leaves: Leaves, metric: str, direction: Direction, causes: Sequence[Cause], fresh: Cause | None, growth: float
) -> tuple[str, str]:
    """Kind of trouble and its evidence, both empty where none is supported."""
    if not causes:
        return "", ""
    lead = causes[0]
    if fresh is not None and lead.selector == fresh.selector:
        return NEW_MODEL, f"{fresh.selector.words} was not seen before and has {number(60.0 * fresh.observed)} calls a minute"
    if lead.share < _CLEARLY:
        return "", ""
    kind = _kind(leaves, metric, direction, lead, growth)
    if not kind:
        return "", ""
    said = (_evidence(metric, lead, leaves, growth), against_peers(leaves, metric, lead.selector))
    return kind, ", ".join(part for part in said if part)


def _kind(leaves: Leaves, metric: str, direction: Direction, lead: Cause, growth: float) -> str:
    names = lead.selector.dimensions
    up = direction is Direction.HIGH
    if metric == "rate_limited_rate" and up:
        return RATE_LIMITING
    if metric == "cache_hit_rate" and not up:
        return CACHE_COLLAPSE
    if metric == "tps":
        if not up:
            return SILENCE if lead.observed <= _FEW_LEFT * lead.expected else ""
        return ONE_TENANT if "tenant" in names else TRAFFIC_SURGE
    if metric in ("tokens_per_s", "cost_per_h"):
        return TOKEN_GROWTH if up and abs(calls_change(leaves, lead.selector, growth)) < _STILL else ""
    if metric in ("error_rate", "latency_p50", "latency_p95") and up:
        if "gateway" in names:
            return GATEWAY_NODE
        if "provider" in names:
            return PROVIDER_OUTAGE if metric == "error_rate" else SLOW_PROVIDER
        if metric != "error_rate" and calls_change(leaves, Selector(), growth) > _STILL:
            return TRAFFIC_SURGE
    return ""


def calls_change(leaves: Leaves, selector: Selector, growth: float) -> float:
    """Logarithm of the selection's calls over those expected; 0 where it has none."""
    inside = np.ones(len(leaves.codes), dtype=bool)
    for name, value in selector.pairs:
        column = leaves.dimensions.index(name)
        inside &= leaves.codes[:, column] == leaves.values[column].index(value)
    now, before = (float(part["calls"][inside].sum()) for part in (leaves.inside, leaves.before))
    due = before * growth * leaves.minutes / max(leaves.minutes_before, 1e-9)
    return float(np.log(now / due)) if now > 0 and due > 0 else 0.0


def _evidence(metric: str, lead: Cause, leaves: Leaves, growth: float) -> str:
    where = lead.selector.words
    if metric in RATIOS or metric == "tps":
        return f"{where}: {quantity(metric, lead.observed)} against {quantity(metric, lead.expected)} before"
    if metric in LEVELS:
        factor = lead.observed / max(lead.expected, 1e-12)
        calls = np.expm1(calls_change(leaves, lead.selector, growth))
        what = {"latency": "a call takes", "tokens": "a call carries", "cost": "a call costs"}[LEVELS[metric]]
        return f"{where}: {what} {number(factor)} times as much as before, calls changed by {100.0 * calls:+.0f} %"
    return ""
