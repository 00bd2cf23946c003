"""Which series leads an anomaly: the metric that moved first by itself, in the smallest selection that accounts for the excess.

One fault shows in many series: a provider that fails raises the error rate of all traffic, of every service that uses it, of
its models, and lowers tokens and cost. Among the metrics, those that follow from another are discounted. Among the selections,
each is asked for its share of the excess and whether the rest of its dimension is as it should be (in the spirit of Adtributor,
Bhagwan et al., NSDI 2014: explanatory power and succinctness; single dimensions only).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.detect import LINGERING, MinuteVerdict
from analytics.features import Floats, Kind, kind_of
from core.series import METRICS, Direction, Selector

_LEAST_SHARE = 0.6
_NEARLY_AS_MUCH = 0.85
_MOST_REST = 0.25
"""The rest of a dimension may deviate, per call, by this part of what the selection does; else the fault is not its own."""
_SAME_SIZE = 0.1
"""Selections whose volumes differ by less hold the same calls; what they are usually called then decides."""
_PREFERRED = ("provider", "service", "route", "model", "tenant", "gateway")
_PREFERRED_FOR_CALLS = ("route", "service", "tenant", "provider", "model", "gateway")
_WHOLE = 0.98
"""A selection with more of the calls than this is all traffic, and is called so."""

# How likely a metric is the cause rather than the consequence where several move.
_CAUSE = {"error_rate": 1.5, "rate_limited_rate": 1.4, "cache_hit_rate": 1.3, "latency_p50": 0.9}
_MOST_COUSINS = 6
_ENOUGH = 6.0
"""Beyond this, stronger is not more likely the cause: where load saturates something, its latency explodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One series of the minute: `row` into its selectors, `share` of the excess in its dimension, in [0, 1]."""

    metric: str
    row: int
    direction: Direction
    strength: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The leading series, and others that moved with it: other metrics, and other views of the same excess."""

    lead: Suspect
    others: tuple[Suspect, ...]


def explain(minute: MinuteVerdict, active: npt.NDArray[np.bool_]) -> Finding:
    """Find what leads among the `active` rows (at least one must be true, else ValueError)."""
    if not active.any():
        raise ValueError("an explanation needs at least one active selection")
    strengths = np.maximum(minute.strengths, np.where(minute.faints >= LINGERING, minute.faints, 0.0)) * active
    by_metric = (np.minimum(strengths, _ENOUGH) * _independence(minute, active)).max(axis=1)
    order = [int(index) for index in np.argsort(-by_metric, kind="stable") if strengths[index].max() > 0]
    if not order:  # only the forest is above the edge: the largest score leads, by its strongest deviation
        order = [0]
    leads = [_leading(minute, index, strengths[index], active) for index in order]
    cousins = _cousins(minute, leads[0], strengths[order[0]])
    return Finding(lead=leads[0], others=tuple([*leads[1:], *cousins][:_MOST_COUSINS]))


def excess(minute: MinuteVerdict, metric: int) -> Floats:
    """How much each selection adds to the deviation of the whole, signed, in units that add up over a dimension.

    Calls, errors, tokens, dollars; for latencies the calls times the logarithm of the change. 0 where unknown.
    """
    name, value, usual = minute.metrics[metric], minute.values[metric], minute.expected[metric]
    match kind_of(name):
        case Kind.RATIO:
            amount = (value - usual) * minute.calls
        case Kind.LEVEL if not METRICS[name].zero_when_idle:
            amount = minute.calls * np.log((value + 1e-9) / (usual + 1e-9))
        case _:
            amount = value - usual
    return np.asarray(np.nan_to_num(amount))


def _independence(minute: MinuteVerdict, active: npt.NDArray[np.bool_]) -> Floats:
    """Weight of each metric of each selection: below 1 where another metric explains its change.

    Tokens and cost follow from the calls of the same selection; latencies follow from load and from failures, which selections
    share with one another.
    """
    weight = np.ones(minute.strengths.shape)
    position = {name: index for index, name in enumerate(minute.metrics)}
    for name, factor in _CAUSE.items():
        if name in position:
            weight[position[name]] *= factor
    change = np.log((np.nan_to_num(minute.values) + 1e-9) / (np.nan_to_num(minute.expected) + 1e-9))
    calls = change[position["tps"]]
    failing = minute.faints[position["error_rate"]] >= LINGERING if "error_rate" in position else np.zeros(len(calls), bool)
    crowded = bool((minute.strengths[position["tps"]][active] >= 1.0).any())
    for name in ("tokens_per_s", "cost_per_h"):
        if name in position:
            own = change[position[name]]
            weight[position[name]] *= np.where(failing & (own < 0), 0.3, 1.0) * _unexplained(own, calls)
    if "tokens_per_s" in position and "cost_per_h" in position:
        own, tokens = change[position["cost_per_h"]], change[position["tokens_per_s"]]
        weight[position["cost_per_h"]] *= np.maximum(_unexplained(own, tokens), 0.5)
    for name in ("latency_p50", "latency_p95"):
        if name in position:
            weight[position[name]] *= np.where(failing, 0.5, 1.0) * (0.2 if crowded else 1.0)
    return weight


def _unexplained(own: Floats, other: Floats) -> Floats:
    """The part of a logarithmic change that is not the other's, in [0, 1]."""
    return np.asarray(np.clip(np.abs(own - other) / np.maximum(np.abs(own), 1e-9), 0.0, 1.0))


def _leading(minute: MinuteVerdict, metric: int, strengths: Floats, active: npt.NDArray[np.bool_]) -> Suspect:
    """The smallest selection that accounts for most of the metric's excess while the rest of its dimension is in order."""
    amount = excess(minute, metric)
    moved = strengths > 0
    rows = np.flatnonzero(moved) if moved.any() else np.flatnonzero(active)
    strongest = int(rows[np.argmax((strengths if moved.any() else minute.score)[rows])])
    sign = 1.0 if amount[strongest] >= 0 else -1.0
    volume = np.maximum(minute.calls, np.nan_to_num(minute.expected_calls))
    adds_up = METRICS[minute.metrics[metric]].zero_when_idle or kind_of(minute.metrics[metric]) is Kind.RATIO
    shares = _shares(minute.selectors, amount * sign, volume, adds_up)
    fit = _fit(minute.selectors, shares, rows)
    order = _PREFERRED_FOR_CALLS if minute.metrics[metric] == "tps" else _PREFERRED
    row = _smallest(minute.selectors, volume, fit, order) if fit else strongest
    return Suspect(
        metric=minute.metrics[metric],
        row=row,
        direction=Direction.HIGH if sign > 0 else Direction.LOW,
        strength=float(strengths[row]) if moved.any() else float(minute.score[row]),
        share=float(shares[row]),
    )


def _shares(selectors: tuple[Selector, ...], amount: Floats, volume: Floats, adds_up: bool) -> Floats:
    """Share of the excess that each selection holds; 0 where the rest of its dimension deviates as it does.

    All traffic accounts for everything; a selection that is nearly all of it accounts for nothing by itself. Where amounts do
    not add up (a percentile of a mixture follows its slowest part), they are compared within the dimension only.
    """
    names = [selector.dimensions for selector in selectors]
    index = {name: code for code, name in enumerate(dict.fromkeys(names))}
    scope = np.array([index[name] for name in names])
    rest = np.bincount(scope, amount)[scope] - amount
    rest_volume = np.bincount(scope, volume)[scope] - volume
    own_rate = amount / np.maximum(volume, 1e-9)
    guilty = (amount > 0) & (rest <= _MOST_REST * own_rate * np.maximum(rest_volume, 0.0) + 1e-12)
    total = amount + rest
    whole = names.index(()) if () in index else None
    if whole is not None:
        guilty &= volume < _WHOLE * volume[whole]
        total = np.maximum(total, amount[whole]) if adds_up else total
    shares = np.where(guilty, np.clip(amount / np.maximum(total, 1e-12), 0.0, 1.0), 0.0)
    if whole is not None:
        shares[whole] = 1.0
    return shares


def _fit(selectors: tuple[Selector, ...], shares: Floats, rows: npt.NDArray[np.int64]) -> list[int]:
    """Rows that account for most of the excess, and for nearly as much as the best; all traffic only if none does."""
    parts = [int(row) for row in rows if selectors[row].pairs and shares[row] >= _LEAST_SHARE]
    if not parts:
        return [int(row) for row in rows if not selectors[row].pairs]
    enough = _NEARLY_AS_MUCH * max(shares[row] for row in parts)
    return [row for row in parts if shares[row] >= enough]


def _smallest(selectors: tuple[Selector, ...], volume: Floats, rows: list[int], order: tuple[str, ...]) -> int:
    least = min(volume[row] for row in rows)
    alike = [row for row in rows if volume[row] <= least * (1.0 + _SAME_SIZE) + 1e-9]

    def rank(row: int) -> tuple[int, str]:
        known = [order.index(name) for name in selectors[row].dimensions if name in order]
        return min(known, default=len(order)), str(selectors[row])

    return min(alike, key=rank)


def _cousins(minute: MinuteVerdict, lead: Suspect, strengths: Floats) -> list[Suspect]:
    """The same metric seen in other dimensions: the selection of each with the most of the excess."""
    sign = 1.0 if lead.direction is Direction.HIGH else -1.0
    amount = excess(minute, minute.metrics.index(lead.metric)) * sign
    best: dict[tuple[str, ...], int] = {}
    for row in np.flatnonzero(strengths > 0):
        scope = minute.selectors[row].dimensions
        if scope != minute.selectors[lead.row].dimensions and amount[row] > amount[best.get(scope, row)] * (scope in best):
            best[scope] = int(row)
    whole = max(float(amount[lead.row]) / max(lead.share, 1e-9), 1e-12)
    return [
        Suspect(
            metric=lead.metric,
            row=row,
            direction=lead.direction,
            strength=float(strengths[row]),
            share=float(np.clip(amount[row] / whole, 0.0, 1.0)),
        )
        for row in sorted(best.values(), key=lambda row: -amount[row])
    ]
