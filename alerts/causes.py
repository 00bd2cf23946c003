"""What explains a breach of a threshold: the values of other dimensions that hold most of what changed, with their share. Pure.

A value explains a breach when its part of the change (of errors, of time spent, of calls) is large and clearly larger than its
part of the traffic: a provider that carries everything carries every error as well and says nothing.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.types import RankedCause

DIMENSIONS = ("provider", "model", "service", "account", "route", "gateway", "tenant")
"""Looked at in this order: of two that explain the same, the earlier is named first."""

LEAST_SHARE = 0.3
LEAST_LIFT = 0.15
MOST = 3

_Values = npt.NDArray[np.float64]


def rank(metric: str, parts: Mapping[str, pd.DataFrame]) -> tuple[RankedCause, ...]:
    """The causes, the largest share first.

    Parameters
    ----------
    parts : mapping of dimension to DataFrame
        As `storage.causes.read_parts` gives it.
    """
    found: list[tuple[float, int, str]] = []
    for place, dimension in enumerate(DIMENSIONS):
        frame = parts.get(dimension)
        if frame is None or frame.empty:
            continue
        names, now, before = _wide(frame)
        change = _change(metric, now, before)
        share = change / change.sum() if change.sum() > 0 else np.zeros_like(change)
        weight = np.maximum(now["calls"], before["calls"])
        lift = share - weight / max(weight.sum(), 1.0)
        found += [
            (float(share[i]), place, f"{dimension} {names[i] or '(none)'}")
            for i in np.flatnonzero((share >= LEAST_SHARE) & (lift >= LEAST_LIFT))
        ]
    found.sort(key=lambda entry: (-round(entry[0], 2), entry[1]))
    return tuple(RankedCause(text=text, share=share) for share, _, text in found[:MOST])


def _wide(frame: pd.DataFrame) -> tuple[list[str], dict[str, _Values], dict[str, _Values]]:
    names = sorted(frame["value"].unique())
    sides = []
    for after in (True, False):
        side = frame[frame["after"] == after].set_index("value").reindex(names).fillna(0.0)
        sides.append({name: side[name].to_numpy("float64") for name in ("calls", "errors", "latency_ms_sum")})
    return names, sides[0], sides[1]


def _change(metric: str, now: Mapping[str, _Values], before: Mapping[str, _Values]) -> _Values:
    """How much of the change each value holds, in the direction in which all of it went."""
    if metric.startswith(("latency", "ttft", "upstream", "gateway_overhead", "concurrency")):
        change = now["latency_ms_sum"] - now["calls"] * _mean(before)
    elif metric in ("tps", "peak_tps", "bytes_per_s", "tokens_per_s", "cost_per_h"):
        change = now["calls"] - before["calls"]
        change = -change if change.sum() < 0 else change
    else:
        change = now["errors"] - before["errors"]
    positive: _Values = np.maximum(change, 0.0)
    return positive


def _mean(side: Mapping[str, _Values]) -> _Values:
    """Mean latency of each value; where it had no call, that of all."""
    total = max(float(side["calls"].sum()), 1.0)
    overall = float(side["latency_ms_sum"].sum()) / total
    mean: _Values = np.where(side["calls"] > 0, side["latency_ms_sum"] / np.maximum(side["calls"], 1.0), overall)
    return mean
