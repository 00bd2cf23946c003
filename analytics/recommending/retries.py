"""Rule: retry storms, found as the value of a dimension whose retries exceed most what the rest would lead one to expect.

Which value is to blame is decided by the likelihood ratio of a Poisson scan statistic (Kulldorff 1997, formula 1), so that a
tenant's storm is told of the tenant and not of the service in which it happens.
"""

import math

import numpy as np

from analytics.recommending.measures import block_sums, blocks, resampled
from analytics.recommending.totals import Estate, comparing, confidence_of, share
from analytics.replay.calls import Mask
from core.recommendations import Effect, Finding
from core.series import Selector

_DIMENSIONS = ("tenant", "service", "route", "provider", "gateway")
_LEAST_CALLS = 100
_LEAST_RATE = 0.1
_LEAST_LIFT = 4.0
_MOST_STORMS = 3


def retry_storms(estate: Estate) -> list[Finding]:
    """The storms, strongest first; calls of one are left out before the next is looked for."""
    left = np.ones(len(estate.calls), dtype=bool)
    found = []
    for _ in range(_MOST_STORMS):
        storm = _strongest(estate, left)
        if storm is None:
            break
        found.append(_finding(estate, *storm, left))
        left &= ~estate.calls.matching(storm[0])
    return found


def _strongest(estate: Estate, left: Mask) -> tuple[Selector, float] | None:
    calls, best, found = estate.calls, 0.0, None
    total, size = float(calls.retries[left].sum()), int(left.sum())
    for name in _DIMENSIONS:
        labels = calls.labels[name]
        count = np.bincount(labels.codes[left], minlength=len(labels.values))
        retries = np.bincount(labels.codes[left], calls.retries[left], minlength=len(labels.values))
        for code in np.flatnonzero((count >= _LEAST_CALLS) & (labels.values != "")):
            inside, outside = retries[code] / count[code], (total - retries[code]) / max(size - count[code], 1)
            if inside < _LEAST_RATE or inside < _LEAST_LIFT * outside or count[code] == size:
                continue
            ratio = _likelihood_ratio(float(retries[code]), total * count[code] / size, total)
            if ratio > best:
                best, found = ratio, (Selector.of({name: str(labels.values[code])}), float(outside))
    return found


def _likelihood_ratio(seen: float, expected: float, total: float) -> float:
    rest = total - seen
    return seen * math.log(seen / expected) + (rest * math.log(rest / (total - expected)) if rest > 0 else 0.0)


def _finding(estate: Estate, scope: Selector, usual: float, left: Mask) -> Finding:
    calls = estate.calls
    mask = calls.matching(scope)
    place, theirs, others = blocks(calls), mask, left & ~mask
    sums = [block_sums(place[one], values) for one, values in (
        (theirs, calls.retries[theirs]), (theirs, np.ones(int(theirs.sum()))),
        (others, calls.retries[others]), (others, np.ones(int(others.sum()))))]  # fmt: skip
    before = float(calls.retries[mask].mean())
    low, high = resampled(sums, lambda _, __, retries, count: retries / np.maximum(count, 1.0), estate.seed)
    effect = Effect(measure="retries_per_call", scope=scope, unit="retries", before=before, after=usual, lower=low, upper=high)
    failing = float((calls.failed | calls.rejected)[mask].mean())
    return Finding(
        rule="retry_storm",
        selector=scope,
        about=str(scope),
        action=f"Have {scope.words} wait longer between its repeats, and give up sooner (exponential back-off with jitter).",
        evidence=(
            f"{before:.2f} repeats a call, where all others have {usual:.3f}",
            f"{failing:.1%} of its calls fail or are refused all the same",
        ),
        effect=effect,
        gain=share((before - usual) * float(mask.sum()), estate.retries),
        gain_of="retries",
        confidence=confidence_of(effect),
        verify=comparing(scope, f"repeats a call should come near {usual:.2g}"),
    )
