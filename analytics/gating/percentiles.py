"""Weighted percentiles of two sides, and whether the candidate's are higher. Pure and seeded.

Percentiles are compared on the scale of shares (Woodruff, J. Am. Stat. Assoc. 47, 1952): at the percentile of both sides
together the share of calls below it is estimated on each side, which is a mean, has a well-behaved error however heavy the
tail, and needs no density. Intervals go the way back: resampled shares are looked up in each side's own distribution.
"""

from dataclasses import dataclass, replace

import numpy as np

from analytics.gating.estimates import Contrast, Estimate, contrast, drawn, drawn_at_once, ratio_estimate
from analytics.gating.overlap import weights_of
from core.mixes import CallMix, Floats, Histogram

_LEAST_IN_TAIL = 5
"""Calls beyond a percentile that each side must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The distribution of one side, its strata weighted.

    Attributes
    ----------
    totals : ndarray of shape (n_blocks, n_strata)
        Calls of known value.
    values, shares : ndarray of shape (n_entries,)
        Values, rising, and the weighted share of calls up to and with each.
    """

    held: Histogram
    totals: Floats
    weights: Floats
    values: Floats
    shares: Floats

    def quantile(self, share: float | Floats) -> Floats:
        place = np.searchsorted(self.shares, np.clip(share, 0.0, 1.0) - 1e-12)
        return self.values[np.minimum(place, len(self.values) - 1)]

    def share_below(self, value: float) -> float:
        """Share of calls below, of those with the same value half."""
        less, equal = (np.searchsorted(self.values, value, side=side) for side in ("left", "right"))
        return 0.5 * sum(float(self.shares[at - 1]) if at else 0.0 for at in (less, equal))

    def estimate(self, value: float) -> Estimate:
        """`share_below` with its error."""
        held, strata = self.held, self.totals.shape[1]
        counted = held.calls * ((held.value < value) + 0.5 * (held.value == value))
        below = np.asarray(np.bincount(held.block * strata + held.stratum, counted, self.totals.size), np.float64)
        return ratio_estimate(below.reshape(self.totals.shape), self.totals, self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentileChange:
    """One percentile on both sides; `contrast` is of shares below it: candidate less baseline, so that less is slower."""

    before: float
    after: float
    lower: float
    upper: float
    contrast: Contrast
    parts: Floats
    """What each stratum adds to the candidate's being slower."""


def sides_of(before: CallMix, after: CallMix, measure: str) -> tuple[Side, Side] | None:
    """Both distributions of `latency` or `ttft`, over shared strata and with shared weights; None where one is unknown."""
    held = [getattr(mix, measure) for mix in (before, after)]
    totals = [totals_of(one, mix) for one, mix in zip(held, (before, after), strict=True)]
    weights = weights_of(totals[0].sum(axis=0), totals[1].sum(axis=0))
    if not weights.any():
        return None
    one, other = (_side(part, total, weights) for part, total in zip(held, totals, strict=True))
    return one, other


def standardised(before: Side, after: Side, level: float) -> tuple[Side, Side]:
    """Both distributions of values as multiples of the percentile that their stratum has over both sides together.

    The percentile of all calls says little where routes differ: it lies between two of them, or in one. Here each route's calls
    beyond its own percentile count, so that a change of many routes is seen with the calls of all.
    """
    own = _own(before.held, after.held, before.totals.shape[1], level)
    one, other = (
        _side(replace(side.held, value=side.held.value / own[side.held.stratum]), side.totals, side.weights)
        for side in (before, after)
    )
    return one, other


def _own(before: Histogram, after: Histogram, strata: int, level: float) -> Floats:
    """The percentile of each stratum over both sides, each side counting half; shape (n_strata,)."""
    counts = [np.bincount(held.stratum, held.calls, strata) for held in (before, after)]
    stratum = np.concatenate([before.stratum, after.stratum])
    value = np.concatenate([before.value, after.value])
    share = np.concatenate([held.calls / count[held.stratum] for held, count in zip((before, after), counts, strict=True)])
    order = np.lexsort((value, stratum))
    stratum, value, running = stratum[order], value[order], np.cumsum(share[order])
    ends = np.searchsorted(stratum, np.arange(strata), side="right")
    begins = np.searchsorted(stratum, np.arange(strata), side="left")
    before_it = np.where(begins > 0, running[np.maximum(begins - 1, 0)], 0.0)
    whole = np.where(ends > begins, running[np.maximum(ends - 1, 0)] - before_it, 0.0)
    place = np.searchsorted(running, before_it + level * whole - 1e-9)
    found = np.where(ends > begins, value[np.minimum(place, np.maximum(ends - 1, 0))], 1.0)
    return np.where(found > 0, found, 1.0)


def side_of(mix: CallMix, measure: str) -> Side | None:
    """The distribution of one side as its calls came, in one stratum (`overlap.folded`)."""
    held = getattr(mix, measure)
    total = totals_of(held, mix)
    return _side(held, total, np.ones(1)) if total.sum() >= _LEAST_IN_TAIL else None


def totals_of(held: Histogram, mix: CallMix) -> Floats:
    strata = len(mix.strata)
    counted = np.bincount(held.block * strata + held.stratum, held.calls, len(mix.seconds) * strata)
    return np.asarray(counted, np.float64).reshape(len(mix.seconds), strata)


def enough_beyond(side: Side, level: float) -> bool:
    return float(side.totals[:, side.weights > 0].sum()) * (1.0 - level) >= _LEAST_IN_TAIL


def percentile_change(
    before: Side, after: Side, level: float, *, resamples: int, tail: float, at_once: bool, rng: np.random.Generator
) -> PercentileChange:
    """How the percentile changed, with an interval that leaves `tail` on each side."""
    both = _pooled(before, after, level)
    first, second = before.estimate(both), after.estimate(both)
    low, high = float(before.quantile(level)), float(after.quantile(level))
    own = before.estimate(low), after.estimate(high)
    off = drawn_at_once(*own, resamples, rng) if at_once else [drawn(one, resamples, rng) for one in own]
    apart = _looked_up(after, level, off[1]) - _looked_up(before, level, off[0])
    known = apart[np.isfinite(apart)]
    lower, upper = np.quantile(known, [tail, 1.0 - tail]) if len(known) else (np.nan, np.nan)
    return PercentileChange(
        before=low,
        after=high,
        lower=float(lower),
        upper=float(upper),
        contrast=contrast(first, second, at_once=at_once),
        parts=first.parts - second.parts,
    )


def resampled(side: Side, level: float, resamples: int, rng: np.random.Generator) -> Floats:
    """The percentile of `resamples` resamples; NaN where its error is unknown."""
    return _looked_up(side, level, drawn(side.estimate(float(side.quantile(level))), resamples, rng))


def _looked_up(side: Side, level: float, off: Floats) -> Floats:
    return np.where(np.isnan(off), np.nan, side.quantile(level - np.nan_to_num(off)))


def _side(held: Histogram, totals: Floats, weights: Floats) -> Side:
    calls = totals.sum(axis=0)
    each = np.divide(weights, calls, out=np.zeros(len(calls)), where=calls > 0)
    weighted = each[held.stratum] * held.calls
    used = weighted > 0
    values, place = np.unique(held.value[used], return_inverse=True)
    shares = np.cumsum(np.bincount(place, weighted[used], len(values)))
    return Side(held=held, totals=totals, weights=weights, values=values, shares=shares / shares[-1])


def _pooled(before: Side, after: Side, level: float) -> float:
    """The percentile of both sides together, each counting half."""
    low, high = sorted((float(before.quantile(level)), float(after.quantile(level))))
    between = np.unique(np.concatenate([before.values, after.values]))
    between = between[(between >= low) & (between <= high)]
    first, last = 0, len(between) - 1
    while first < last:
        middle = (first + last) // 2
        shares = [side.shares[np.searchsorted(side.values, between[middle], side="right") - 1] for side in (before, after)]
        if between[middle] >= max(before.values[0], after.values[0]) and sum(shares) / 2.0 >= level - 1e-12:
            last = middle
        else:
            first = middle + 1
    return float(between[first])
