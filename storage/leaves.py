"""The calls of a window, and of the time before it, counted by every combination of dimensions: what explanations are made
from.

Read from the single calls of that short time only: no rollup holds pairs of dimensions.
"""

from datetime import datetime

import pandas as pd

from storage.contract import Store, Value
from storage.frames import with_labels
from storage.rollups import IS_ERROR, IS_RATE_LIMITED

LEAF_DIMENSIONS: tuple[str, ...] = ("gateway", "service", "route", "provider", "model", "tenant")

_TOKENS = "(ifNull(t.prompt_tokens, 0) + ifNull(t.completion_tokens, 0))"
_LOGARITHMS = {
    "latency": ("log(greatest(assumeNotNull(t.latency_ms), 0.1))", "t.latency_ms IS NOT NULL"),
    "tokens": (f"log(1. + {_TOKENS})", "(t.prompt_tokens IS NOT NULL OR t.completion_tokens IS NOT NULL)"),
    "cost": ("log(greatest(assumeNotNull(t.cost_usd), 1e-9))", "t.cost_usd IS NOT NULL"),
}
_SUMS = {
    "calls": "count()",
    "errors": f"countIf({IS_ERROR})",
    "status_known": "countIf(t.status IS NOT NULL OR t.error_type != '')",
    "rate_limited": f"countIf({IS_RATE_LIMITED})",
    "cache_hits": "countIf(ifNull(t.cache_hit, false))",
    "cache_known": "countIf(t.cache_hit IS NOT NULL)",
    **{f"{name}_known": f"countIf({known})" for name, (_, known) in _LOGARITHMS.items()},
    **{f"{name}_log": f"sumIf({value}, {known})" for name, (value, known) in _LOGARITHMS.items()},
    **{f"{name}_log2": f"sumIf(pow({value}, 2), {known})" for name, (value, known) in _LOGARITHMS.items()},
}
LEAF_SUMS: tuple[str, ...] = tuple(_SUMS)

CALLS_OF_SPAN = """
SELECT toInt64(sum(calls)) AS calls FROM route_1m
WHERE minute >= {before:DateTime('UTC')} AND minute < {end:DateTime('UTC')}"""
LEAVES = f"""
SELECT toUInt8(t.ts >= {{start:DateTime64(3, 'UTC')}}) AS inside,
    {", ".join(f"t.{name} AS {name}" for name in LEAF_DIMENSIONS)},
    {", ".join(f"toFloat64({sql}) AS {name}" for name, sql in _SUMS.items())}
FROM calls AS t
WHERE t.ts >= {{before:DateTime64(3, 'UTC')}} AND t.ts < {{end:DateTime64(3, 'UTC')}}
    AND (t.ts < {{before_end:DateTime64(3, 'UTC')}} OR t.ts >= {{start:DateTime64(3, 'UTC')}})
    AND cityHash64(t.topic, t.partition, t.offset) % {{nth:UInt64}} = 0
GROUP BY inside, {", ".join(LEAF_DIMENSIONS)}
"""


def read_leaves(
    store: Store, before: datetime, before_end: datetime, start: datetime, end: datetime, most_calls: int = 1_000_000
) -> pd.DataFrame:
    """Calls of [before, before_end) and of [start, end), counted by all dimensions; a sample of them where they are too many.

    Returns
    -------
    DataFrame with `inside` (bool: of the second span), the columns of `LEAF_DIMENSIONS` (`str`) and those of `LEAF_SUMS`
    (`float64`): counts, and sums of the natural logarithm and its square of latency (ms), tokens (+ 1) and cost (USD) over the
    calls that know them. Counts of a sample are not scaled up: they are what evidence was seen.
    """
    known: dict[str, Value] = {"before": before, "end": end}
    calls = int(store.arrow(CALLS_OF_SPAN, known).column("calls")[0].as_py() or 0)
    nth = max(-(-calls // most_calls), 1)
    frame = store.frame(LEAVES, {**known, "before_end": before_end, "start": start, "nth": nth})
    return with_labels(frame, LEAF_DIMENSIONS).assign(inside=frame["inside"].astype(bool))
