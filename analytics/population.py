"""One against its like: how the other values of a dimension fare in an anomaly's window."""

import numpy as np

from analytics.causes import LEVELS, RATIOS
from analytics.features import Floats
from analytics.leaves import Leaves
from analytics.wording import number, quantity
from core.series import Selector

_LEAST_CALLS = 8.0
"""Peers with fewer calls say nothing."""
_LEAST_PEERS = 2
_WHOLE = 0.98
"""A value with more of the dimension's calls than this has no peers worth the name."""


def against_peers(leaves: Leaves, metric: str, selector: Selector) -> str:
    """How the peers of a selection of one dimension fare, `its 3 peers 0.2 to 0.6 %`; empty where there are none.

    Ratios are those of the window; of levels it is told by how much they changed, because what a call usually takes differs
    from value to value.
    """
    if len(selector.pairs) != 1 or not (metric in RATIOS or metric in LEVELS):
        return ""
    ((name, value),) = selector.pairs
    column = leaves.dimensions.index(name)
    names = np.array(leaves.values[column], dtype=object)
    shown, calls = _by_value(leaves, metric, leaves.codes[:, column], len(names))
    known = (calls >= _LEAST_CALLS) & np.isfinite(shown) & (names != "")
    peers = shown[known & (names != value)]
    if len(peers) < _LEAST_PEERS or calls[names == value].sum() > _WHOLE * calls[names != ""].sum():
        return ""
    low, high = float(peers.min()), float(peers.max())
    if metric in RATIOS:
        return f"its {len(peers)} peers {quantity(metric, low)} to {quantity(metric, high)}"
    return f"its {len(peers)} peers {number(low)} to {number(high)} times as much"


def _by_value(leaves: Leaves, metric: str, codes: np.typing.NDArray[np.int64], values: int) -> tuple[Floats, Floats]:
    """What is shown of each value of the dimension, NaN where unknown, and the calls that it is known of."""

    def summed(part: Floats) -> Floats:
        return np.bincount(codes, part, minlength=values).astype(np.float64)

    if metric in RATIOS:
        top, bottom = (summed(leaves.inside[name]) for name in RATIOS[metric])
        return np.divide(top, bottom, out=np.full(values, np.nan), where=bottom > 0), bottom
    name = LEVELS[metric]
    now, before = (summed(part[f"{name}_known"]) for part in (leaves.inside, leaves.before))
    log_now, log_before = (summed(part[f"{name}_log"]) for part in (leaves.inside, leaves.before))
    known = (now > 0) & (before >= _LEAST_CALLS)
    moved = log_now / np.maximum(now, 1.0) - log_before / np.maximum(before, 1.0)
    return np.where(known, np.exp(moved), np.nan), now
