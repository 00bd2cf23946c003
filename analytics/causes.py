"""Which selections of calls explain an anomaly: every value of every dimension and every pair of two, ranked by evidence.

Each selection is asked how much likelier the calls of the window are if it alone changed (in the leading metric, everything
else going on as before) than if nothing did: the likelihood ratio of the spatial scan statistic (Kulldorff, Comm. Statist.
Theory Meth. 26(6), 1997; over subsets of dimensions: Neill, J. R. Stat. Soc. B 74(2), 2012). A selection wider than the fault
dilutes it, a narrower one leaves part of it unexplained: both score less. As in Adtributor (Bhagwan et al., NSDI 2014) and
Squeeze (Li et al., ISSRE 2019) a cause has a share of the deviation (explanatory power), a surprise, and must pay for being
narrow (succinctness): a pair has so many competitors that it must beat a single value by the logarithm of their number.

What is expected of a selection follows from the time before the anomaly: by route, provider and model, however the mix of them
has shifted since, corrected by how the selection itself used to differ.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.features import Floats
from analytics.leaves import Candidates, Leaves, candidates
from core.series import Direction, Selector
from core.types import Cause

_BACKING = ("route", "provider", "model")
"""What a call's usual outcome depends on, the strongest first."""
_PRIOR = 20.0
"""Calls that the wider group's usual value is worth beside a narrower group's own."""
_PRIOR_EVENTS = 5.0
_LEAST_CALLS = 8.0
"""Selections with fewer calls, seen and expected, are not worth naming."""
_WANDER = 0.06
"""Rates wander by so much of themselves: keeps the evidence of large selections from growing with every call."""
_LEAST_VARIANCE = 0.05
_LEAST_EVIDENCE = 3.0
_MOST_CAUSES = 8
_PREFERRED = ("provider", "service", "route", "model", "tenant", "gateway")
_PREFERRED_FOR_CALLS = ("route", "service", "tenant", "provider", "model", "gateway")

RATIOS: Mapping[str, tuple[str, str]] = {
    "error_rate": ("errors", "status_known"),
    "rate_limited_rate": ("rate_limited", "status_known"),
    "cache_hit_rate": ("cache_hits", "cache_known"),
}
LEVELS: Mapping[str, str] = {
    "latency_p50": "latency", "latency_p95": "latency", "tokens_per_s": "tokens", "cost_per_h": "cost",
}  # fmt: skip
"""Metrics of which every call has its own value: what is compared is the mean of its logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """How the selections of one dimension or pair changed; arrays of shape (n_selections,).

    Attributes
    ----------
    observed, expected : ndarray
        In the window; a rate, a ratio, or the geometric mean of what each call has.
    excess : ndarray
        In events, or calls times logarithm: what adds up over a dimension.
    evidence : ndarray
        Logarithmic likelihood ratio, at least 0.
    """

    observed: Floats
    expected: Floats
    excess: Floats
    evidence: Floats
    calls: Floats


def rank_causes(leaves: Leaves, metric: str, direction: Direction, growth: float = 1.0) -> tuple[Cause, ...]:
    """Selections that explain the metric's deviation, the likeliest first; none where nothing stands out.

    Parameters
    ----------
    growth : float
        Calls that are expected in the window over those of as long a time before it: the season's doing.
    """
    model = _Model.of(leaves, metric, growth)
    sign = 1.0 if direction is Direction.HIGH else -1.0
    found = list[_Ranked]()
    whole = 0.0
    for group in candidates(leaves):
        effects = model.effects(group)
        amount = sign * effects.excess
        whole = float(amount[0]) if not group.names else whole
        evidence = np.where(amount > 0, effects.evidence, 0.0) - np.log(max(len(group.labels), 1))
        total = max(whole, float(amount.max(initial=0.0)), 1e-12)
        for number in np.flatnonzero(evidence >= _LEAST_EVIDENCE):
            found.append(
                _Ranked(
                    selector=group.selector(int(number)),
                    observed=float(effects.observed[number]),
                    expected=float(effects.expected[number]),
                    share=float(np.clip(amount[number] / total, 0.0, 1.0)),
                    evidence=float(evidence[number]),
                    same=(float(effects.calls[number]), round(float(amount[number]), 6)),
                )
            )
    order = _PREFERRED_FOR_CALLS if metric == "tps" else _PREFERRED
    return tuple(one.cause() for one in _succinct(sorted(found, key=lambda one: _place(one, order))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    selector: Selector
    observed: float
    expected: float
    share: float
    evidence: float
    same: tuple[float, float]

    def cause(self) -> Cause:
        return Cause(
            selector=self.selector, observed=self.observed, expected=self.expected, share=self.share, surprise=self.evidence
        )


def _place(one: _Ranked, order: Sequence[str]) -> tuple[float, int, int, str]:
    """By evidence; where two hold the same calls, the one with fewer and the more usual dimensions."""
    usual = min((order.index(name) for name in one.selector.dimensions), default=len(order))
    return -one.evidence, len(one.selector.pairs), usual, str(one.selector)


def _succinct(ranked: list[_Ranked]) -> Iterator[_Ranked]:
    """The first few without what says the same again: of like calls one, of the parts of what is named the first."""
    kept = list[_Ranked]()
    refined = set[Selector]()
    for one in ranked:
        if any(one.same == other.same for other in kept):
            continue
        wider = [other.selector for other in kept if _holds(other.selector, one.selector)]
        if any(selector in refined for selector in wider):
            continue
        refined.update(wider)
        kept.append(one)
        yield one
        if len(kept) == _MOST_CAUSES:
            return


def _holds(wide: Selector, narrow: Selector) -> bool:
    """Whether the one has all the calls of the other and is not all traffic."""
    return bool(wide.pairs) and set(wide.pairs) < set(narrow.pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """What is expected of each leaf, in the window and before it, for one metric."""

    leaves: Leaves
    metric: str
    growth: float
    usual: Floats
    variance: Floats

    @classmethod
    def of(cls, leaves: Leaves, metric: str, growth: float) -> "_Model":
        usual, variance = np.zeros(len(leaves.codes)), np.ones(len(leaves.codes))
        if metric in RATIOS:
            top, bottom = RATIOS[metric]
            usual = _backed(leaves, leaves.before[top], leaves.before[bottom])
        elif metric in LEVELS:
            name = LEVELS[metric]
            count = leaves.before[f"{name}_known"]
            usual = _backed(leaves, leaves.before[f"{name}_log"], count)
            squares = _backed(leaves, leaves.before[f"{name}_log2"], count)
            variance = np.maximum(squares - usual**2, _LEAST_VARIANCE)
        return cls(leaves=leaves, metric=metric, growth=growth, usual=usual, variance=variance)

    def effects(self, group: Candidates) -> Effects:
        if self.metric in RATIOS:
            return self._of_ratios(group)
        return self._of_levels(group) if self.metric in LEVELS else self._of_calls(group)

    def _of_calls(self, group: Candidates) -> Effects:
        """Poisson counts whose rate wanders (a quasi-likelihood)."""
        seen, before = (group.sums(part["calls"]) for part in (self.leaves.inside, self.leaves.before))
        span = self.leaves.minutes / max(self.leaves.minutes_before, 1e-9)
        due = np.maximum(before * span * self.growth, 0.5)
        evidence = seen * np.log(np.maximum(seen, 1e-300) / due) - (seen - due)
        seconds = 60.0 * self.leaves.minutes
        return Effects(
            observed=seen / seconds,
            expected=due / seconds,
            excess=seen - due,
            evidence=np.where(np.maximum(seen, due) >= _LEAST_CALLS, evidence / (1.0 + _WANDER**2 * due), 0.0),
            calls=seen + due,
        )

    def _of_ratios(self, group: Candidates) -> Effects:
        """Binomial outcomes."""
        top, bottom = RATIOS[self.metric]
        trials, seen = (group.sums(self.leaves.inside[name]) for name in (bottom, top))
        due = group.sums(self.leaves.inside[bottom] * self.usual)
        due_before = group.sums(self.leaves.before[bottom] * self.usual)
        due = due * (group.sums(self.leaves.before[top]) + _PRIOR_EVENTS) / (due_before + _PRIOR_EVENTS)
        rate = np.clip(seen / np.maximum(trials, 1e-9), 0.0, 1.0)
        usual = np.clip(due / np.maximum(trials, 1e-9), 1e-5, 1.0 - 1e-5)
        evidence = trials * (_xlog(rate, rate / usual) + _xlog(1.0 - rate, (1.0 - rate) / (1.0 - usual)))
        return Effects(
            observed=rate,
            expected=usual,
            excess=seen - usual * trials,
            evidence=np.where(trials >= _LEAST_CALLS, evidence, 0.0),
            calls=trials,
        )

    def _of_levels(self, group: Candidates) -> Effects:
        """A common shift of the logarithm, each call weighing by how even its like usually are."""
        name = LEVELS[self.metric]
        count, before = (part[f"{name}_known"] for part in (self.leaves.inside, self.leaves.before))
        weight, weight_before = count / self.variance, before / self.variance
        shift = (self.leaves.inside[f"{name}_log"] - count * self.usual) / self.variance
        shift_before = (self.leaves.before[f"{name}_log"] - before * self.usual) / self.variance
        own = group.sums(shift_before) / (group.sums(weight_before) + _PRIOR / _LEAST_VARIANCE)
        total, calls = group.sums(weight), group.sums(count)
        moved = group.sums(shift) / np.maximum(total, 1e-9) - own
        usual = group.sums(count * self.usual) / np.maximum(calls, 1e-9) + own
        return Effects(
            observed=np.exp(usual + moved),
            expected=np.exp(usual),
            excess=moved * calls,
            evidence=np.where(calls >= _LEAST_CALLS, total * moved**2 / 2.0, 0.0),
            calls=calls,
        )


def _backed(leaves: Leaves, top: Floats, bottom: Floats) -> Floats:
    """Mean of each leaf's like before the window: by route, provider and model, backed by wider groups where calls are few."""
    mean = np.full(len(top), top.sum() / max(bottom.sum(), 1e-9))
    for depth in range(1, len(_BACKING) + 1):
        group = leaves.group([name for name in _BACKING[:depth] if name in leaves.dimensions])
        above, below = np.bincount(group, top), np.bincount(group, bottom)
        mean = (above[group] + _PRIOR * mean) / (below[group] + _PRIOR)
    return np.asarray(mean)


def _xlog(part: Floats, ratio: Floats) -> Floats:
    return np.where(part > 0, part * np.log(np.maximum(ratio, 1e-300)), 0.0)
