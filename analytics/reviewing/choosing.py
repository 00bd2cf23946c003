"""Which of many compared figures a review tells: what changed most and matters, slowest and costliest first. Pure."""

import math
from collections.abc import Sequence

from core.reviews import Compared, Trend
from core.series import METRICS, Direction

MOST = 5
EACH = 3
"""Of each dimension among the slowest and the costliest."""
_LEAST_CALLS = 200
_LEAST_CHANGE = 0.10
_LEAST_AMOUNT = {"latency_p95": 5.0, "error_rate": 0.002, "cost_per_h": 0.01}
"""Changes below these (ms, share, USD/h) are nobody's news."""
_SURE = 0.01


def changed(found: Sequence[Compared]) -> tuple[tuple[Compared, ...], tuple[Compared, ...]]:
    """What got worse and what got better by a tenth or more; first what changed by the largest factor and is a large part."""
    moved = [
        one
        for one in found
        if min(one.calls, one.calls_before) >= _LEAST_CALLS
        and abs(one.change) >= _LEAST_CHANGE
        and abs(one.value - one.before) >= _LEAST_AMOUNT.get(one.metric, 0.0)
    ]
    worse = [one for one in moved if one.change > 0 and METRICS[one.metric].bad is Direction.HIGH]
    better = [one for one in moved if one.change < 0 and METRICS[one.metric].bad is Direction.HIGH]
    return _most(worse), _most(better)


def _most(found: list[Compared]) -> tuple[Compared, ...]:
    whole: dict[str, float] = {}
    for one in found:
        whole[one.metric] = max(whole.get(one.metric, 0.0), _size(one))
    ranked = sorted(found, key=lambda one: -_step(one) * math.sqrt(_size(one) / whole[one.metric]))
    # A service of one route, a route of one model: the same calls are told once, by what came first.
    alone = {(one.metric, one.calls, one.value, one.before): one for one in reversed(ranked)}
    return tuple(one for one in ranked if alone[one.metric, one.calls, one.value, one.before] is one)[:MOST]


def _step(one: Compared) -> float:
    return abs(math.log(max(one.value, 1e-9) / one.before))


def _size(one: Compared) -> float:
    """How much of everything it is: of what is spent, or of the calls. A rare route that trebled is less than half of all."""
    return max(one.value, one.before) if one.metric == "cost_per_h" else float(max(one.calls, one.calls_before, 1))


def largest(found: Sequence[Compared], most: int = MOST) -> tuple[Compared, ...]:
    """The highest values; unknown ones and selections of few calls left out."""
    known = [one for one in found if math.isfinite(one.value) and one.value > 0 and one.calls >= _LEAST_CALLS]
    return tuple(sorted(known, key=lambda one: (-one.value, str(one.selector)))[:most])


def rising(found: Sequence[Trend]) -> tuple[Trend, ...]:
    """Trends to the bad side that are sure (p below 1 %) and add up to a tenth or more, steepest first."""
    told = [one for one in found if one.p_value < _SURE and one.growth >= _LEAST_CHANGE]
    return tuple(sorted(told, key=lambda one: (-one.growth, str(one.selector)))[:MOST])
