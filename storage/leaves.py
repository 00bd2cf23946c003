"""The calls of a window, and of the time before it, counted by every combination of dimensions: what explanations are made
from.

Read from the single calls of that short time only: no rollup holds pairs of dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from core.transactions import Transaction
from storage.contract import Store, Value
from storage.frames import with_labels
from storage.rollups import IS_ERROR, IS_RATE_LIMITED
from storage.transactions import verdict_of

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

CALLS_OF_SPANS = """
SELECT toInt64(sumIf(calls, minute < {before_end:DateTime('UTC')})) AS calls_before,
    toInt64(sumIf(calls, minute >= {start:DateTime('UTC')})) AS calls_inside
FROM route_1m WHERE minute >= {before:DateTime('UTC')} AND minute < {end:DateTime('UTC')}"""
_IN_SPANS = """t.ts >= {before:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}
    AND (t.ts < {before_end:DateTime64(3, 'UTC')} OR t.ts >= {start:DateTime64(3, 'UTC')})"""
_NTH = """cityHash64(t.topic, t.partition, t.offset)
        % if(t.ts >= {start:DateTime64(3, 'UTC')}, {nth_inside:UInt64}, {nth_before:UInt64}) = 0"""
_CALLS_AMONG = f"""
SELECT toInt64(countIf(t.ts < {{before_end:DateTime64(3, 'UTC')}})) AS calls_before,
    toInt64(countIf(t.ts >= {{start:DateTime64(3, 'UTC')}})) AS calls_inside
FROM calls AS t WHERE {_IN_SPANS}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafRows:
    """What `read_leaves` found.

    Attributes
    ----------
    frame : DataFrame
        `inside` (bool: of the second span), the columns of `LEAF_DIMENSIONS` (`str`) and those of `LEAF_SUMS` (`float64`):
        counts, and sums of the natural logarithm and its square of latency (ms), tokens (+ 1) and cost (USD) over the calls
        that know them. Counts of a sample are not scaled up: they are what evidence was seen.
    inside_share, before_share : float
        Which part of the calls of each span is counted, 1.0 for all.
    """

    frame: pd.DataFrame
    inside_share: float
    before_share: float


def read_leaves(
    store: Store,
    before: datetime,
    before_end: datetime,
    start: datetime,
    end: datetime,
    of: Transaction | None = None,
    *,
    most_calls: int = 50_000,
) -> LeafRows:
    """Calls of [before, before_end) and of [start, end), counted by all dimensions; of each span a sample where they are many.

    The time before tells only what is usual, and is the longer one: sampled by itself it does not cost the anomaly its calls.
    With `of` only the calls of that transaction, and its own rule says which of them are errors.
    """
    spans: dict[str, Value] = {"before": before, "before_end": before_end, "start": start, "end": end}
    sums, among, counted = _SUMS, "", CALLS_OF_SPANS
    rule: dict[str, Value] = {}
    if of is not None:
        mine, verdict, rule = verdict_of(of, "of")
        among = f" AND {mine}"
        sums = {**_SUMS, "errors": f"countIf({verdict} = 0)", "status_known": f"countIf({verdict} >= 0)"}
        counted = _CALLS_AMONG + among
    calls = store.arrow(counted, spans | {name: value for name, value in rule.items() if f"{{{name}:" in among}).to_pylist()[0]
    nth = {f"nth_{span}": max(-(-int(calls[f"calls_{span}"]) // most_calls), 1) for span in ("before", "inside")}
    frame = store.frame(_leaves_sql(sums, among), {**spans, **rule, **nth})
    frame = with_labels(frame, LEAF_DIMENSIONS).assign(inside=frame["inside"].astype(bool))
    return LeafRows(frame=frame, inside_share=1.0 / nth["nth_inside"], before_share=1.0 / nth["nth_before"])


def _leaves_sql(sums: Mapping[str, str], among: str) -> str:
    return f"""
SELECT toUInt8(t.ts >= {{start:DateTime64(3, 'UTC')}}) AS inside,
    {", ".join(f"t.{name} AS {name}" for name in LEAF_DIMENSIONS)},
    {", ".join(f"toFloat64({sql}) AS {name}" for name, sql in sums.items())}
FROM calls AS t
WHERE {_IN_SPANS} AND {_NTH}{among}
GROUP BY inside, {", ".join(LEAF_DIMENSIONS)}
"""
