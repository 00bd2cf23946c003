"""What everybody shares: a slowdown of most services at once is one of the load, and nobody's own.

Each latency is compared with its peers before it is judged: near saturation a tenth more calls makes everything half as slow
again, and each of a hundred selections would tell it. Up to a factor of two is taken for common; what is beyond is told.
"""

from dataclasses import replace

import numpy as np

from analytics.baseline import Expected
from analytics.features import Panel, inverse, transform
from core.series import METRICS

_LEAST_PEERS = 6
"""With fewer services one that is slow would pass for all of them."""
_MOST_COMMON = float(np.log(2.0))
_PEERS = ("service",)
_ONE_KIND = (("route",), ("service",), ("tenant",))
"""Elsewhere most calls are of routes that have no cache, which the hit rate does not count."""
_BIMODAL = (0.3, 0.7)
"""Usual hit rates between which the median call may be a hit in one minute and a miss in the next."""


def without_common_slowdown(panel: Panel, expected: Expected) -> Panel:
    """The panel (rows as in `expected`) with latencies freed of what most services share in that minute."""
    peers = [row for row, selector in enumerate(panel.selectors) if selector.dimensions == _PEERS]
    if len(peers) < _LEAST_PEERS:
        return panel
    values = dict(panel.values)
    for metric in panel.values:
        if METRICS[metric].unit == "ms" and metric in expected.center:
            moved = transform(metric, panel.values[metric][peers]) - expected.center[metric][peers]
            known = np.isfinite(moved).sum(axis=0) >= _LEAST_PEERS
            common = np.zeros(panel.minutes)
            common[known] = np.clip(np.nanmedian(moved[:, known], axis=0), 0.0, _MOST_COMMON)
            values[metric] = panel.values[metric] / np.exp(common)
    return replace(panel, values=values)


def without_bimodal_medians(panel: Panel, expected: Expected) -> Panel:
    """The panel without the medians of selections about half of whose calls are cached: hits and misses lie worlds apart."""
    if "cache_hit_rate" not in expected.center or "latency_p50" not in panel.values:
        return panel
    hits = inverse("cache_hit_rate", np.nan_to_num(expected.center["cache_hit_rate"]))
    asked = np.array([selector.dimensions in _ONE_KIND for selector in panel.selectors], dtype=bool)
    bimodal = asked[:, None] & (hits > _BIMODAL[0]) & (hits < _BIMODAL[1])
    median = np.where(bimodal, np.nan, panel.values["latency_p50"])
    return replace(panel, values={**panel.values, "latency_p50": median})


def comparable(panel: Panel, expected: Expected) -> Panel:
    """What is judged: latencies against those of the peers, and no medians that jump between two modes."""
    return without_bimodal_medians(without_common_slowdown(panel, expected), expected)
