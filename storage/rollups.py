"""Which table answers a question: the rollups, their columns, and how each metric is computed from them.

Every table is brought to the same *columns*: sums (calls, errors, known-counts, …) and percentiles. What is unknown is decided
here and nowhere else: a metric is NaN where the count of calls that it knows of is 0.

The merging functions cut values to 8 significant bits, so a percentile is at most 0.8 % below the true one (see
`migrations/0002_rollups.sql`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.record import DIMENSIONS

Floats = npt.NDArray[np.float64]
Columns = Mapping[str, Floats]

IS_RATE_LIMITED = "(ifNull(t.status, 0) = 429 OR t.error_type = 'rate_limit')"
IS_ERROR = f"(NOT {IS_RATE_LIMITED} AND (ifNull(t.status, 0) >= 500 OR t.error_type != ''))"

# What each sum means over single calls: the same as the materialized views of 0002_rollups.sql compute.
SUMS_OF_CALLS: dict[str, str] = {
    "calls": "count()",
    "errors": f"countIf({IS_ERROR})",
    "rate_limited": f"countIf({IS_RATE_LIMITED})",
    "cache_hits": "countIf(ifNull(t.cache_hit, false))",
    "retries": "sum(toUInt64(ifNull(t.retries, 0)))",
    "fallbacks": "countIf(ifNull(t.fallback, false))",
    "bytes_in": "sum(ifNull(t.bytes_in, 0))",
    "bytes_out": "sum(ifNull(t.bytes_out, 0))",
    "prompt_tokens": "sum(toUInt64(ifNull(t.prompt_tokens, 0)))",
    "completion_tokens": "sum(toUInt64(ifNull(t.completion_tokens, 0)))",
    "cached_tokens": "sum(toUInt64(ifNull(t.cached_tokens, 0)))",
    "cache_write_tokens": "sum(toUInt64(ifNull(t.cache_write_tokens, 0)))",
    "reasoning_tokens": "sum(toUInt64(ifNull(t.reasoning_tokens, 0)))",
    "unpriced": "countIf(t.cost_usd IS NULL)",
    "status_known": "countIf(t.status IS NOT NULL OR t.error_type != '')",
    "latency_known": "countIf(t.latency_ms IS NOT NULL)",
    "upstream_known": "countIf(t.upstream_ms IS NOT NULL)",
    "ttft_known": "countIf(t.ttft_ms IS NOT NULL)",
    "tokens_known": "countIf(t.prompt_tokens IS NOT NULL OR t.completion_tokens IS NOT NULL)",
    "cache_known": "countIf(t.cache_hit IS NOT NULL)",
    "retries_known": "countIf(t.retries IS NOT NULL)",
    "fallback_known": "countIf(t.fallback IS NOT NULL)",
    "cost_usd": "sum(ifNull(t.cost_usd, 0.))",
    "latency_ms_sum": "sum(toFloat64(ifNull(t.latency_ms, 0)))",
}

QUANTILE_LEVELS_SQL = "0.5, 0.9, 0.95, 0.99"
_OVERHEAD = "toFloat32(greatest(assumeNotNull(t.latency_ms) - assumeNotNull(t.upstream_ms), 0))"
STATES_OF_CALLS: dict[str, tuple[str, str]] = {  # state column → value, condition that it is known
    "latency_q": ("assumeNotNull(t.latency_ms)", "t.latency_ms IS NOT NULL"),
    "upstream_q": ("assumeNotNull(t.upstream_ms)", "t.upstream_ms IS NOT NULL"),
    "overhead_q": (_OVERHEAD, "t.latency_ms IS NOT NULL AND t.upstream_ms IS NOT NULL"),
    "ttft_q": ("assumeNotNull(t.ttft_ms)", "t.ttft_ms IS NOT NULL"),
}

PERCENTILES: dict[str, tuple[str, int]] = {  # column → state column, position in QUANTILE_LEVELS_SQL
    "latency_p50": ("latency_q", 1),
    "latency_p90": ("latency_q", 2),
    "latency_p95": ("latency_q", 3),
    "latency_p99": ("latency_q", 4),
    "upstream_p95": ("upstream_q", 3),
    "gateway_overhead_p95": ("overhead_q", 3),
    "ttft_p95": ("ttft_q", 3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """One table that calls are counted in (or `calls` itself).

    Attributes
    ----------
    time : str
        Its time column.
    unit_s : int
        Width of its finest step in seconds.
    """

    table: str
    time: str
    unit_s: int
    dimensions: frozenset[str]
    columns: frozenset[str]

    def answers(self, dimensions: Sequence[str], columns: Sequence[str], step_s: int) -> bool:
        return step_s % self.unit_s == 0 and self.dimensions.issuperset(dimensions) and self.columns.issuperset(columns)

    def column(self, name: str) -> str:
        """The expression that makes a column over the table's rows (alias `t`)."""
        if name in PERCENTILES:
            state, position = PERCENTILES[name]
            return f"{self.quantiles(state, QUANTILE_LEVELS_SQL)}[{position}]"
        return SUMS_OF_CALLS[name] if self is CALLS else f"sum(t.{name})"

    def quantiles(self, state: str, levels: str) -> str:
        """The expression of an array of quantiles of a state column, at any levels (`0.5, 0.999`): a state has them all."""
        if self is CALLS:
            value, known = STATES_OF_CALLS[state]
            return f"quantilesBFloat16If({levels})({value}, {known})"
        return f"quantilesBFloat16Merge({levels})(t.{state})"


_ALL_COLUMNS = frozenset(SUMS_OF_CALLS) | frozenset(PERCENTILES)
_BY_SECOND = frozenset({"calls", "errors", "rate_limited", "status_known", "latency_known", "latency_ms_sum"})


def _minutes(table: str, *dimensions: str) -> Rollup:
    return Rollup(table=table, time="minute", unit_s=60, dimensions=frozenset(dimensions), columns=_ALL_COLUMNS)


MODEL_1M = _minutes("model_1m", "provider", "account", "model", "service")
ROUTE_1M = _minutes("route_1m", "gateway", "service", "route")
TENANT_1M = _minutes("tenant_1m", "tenant", "service")
CALLS_1S = Rollup(
    table="calls_1s", time="second", unit_s=1, dimensions=frozenset({"gateway", "service", "route"}), columns=_BY_SECOND
)
CALLS = Rollup(table="calls", time="ts", unit_s=1, dimensions=frozenset(DIMENSIONS), columns=_ALL_COLUMNS)

SERVICE_1M = _minutes("service_1m", "service")
PROVIDER_1M = _minutes("provider_1m", "provider", "model")

ROLLUPS: tuple[Rollup, ...] = (MODEL_1M, ROUTE_1M, TENANT_1M, CALLS_1S, CALLS)
"""From the smallest: models are fewer than routes, routes fewer than tenants; single calls come last."""

BY_TIME: tuple[Rollup, ...] = (SERVICE_1M, PROVIDER_1M)
"""Those that lie in the order of time, and count every call since a moment of their own (`storage/by_time.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """How a metric follows from columns over a step.

    Attributes
    ----------
    needs : tuple of str
        The columns it is computed from.
    value : callable
        Columns (arrays of one length) and the step in seconds to values in the metric's unit, NaN where unknown.
    """

    needs: tuple[str, ...]
    value: Callable[[Columns, int], Floats]


def _ratio(top: str, bottom: str, known: str | None = None) -> Formula:
    needs = (top, bottom) if known is None else (top, bottom, known)
    return Formula(needs=needs, value=lambda c, step_s: _share(_where(c[known or bottom] > 0, c[top]), c[bottom]))


def _rate(needs: tuple[str, ...], per_step: Callable[[Columns], Floats]) -> Formula:
    return Formula(needs=needs, value=lambda c, step_s: per_step(c) / step_s)


def _stored(name: str) -> Formula:
    return Formula(needs=(name,), value=lambda c, step_s: c[name])


def _where(known: npt.NDArray[np.bool_], value: Floats) -> Floats:
    return np.where(known, value, np.nan)


def _share(top: Floats, bottom: Floats) -> Floats:
    out = np.full(len(top), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def _cost(c: Columns) -> Floats:
    return _where(c["calls"] > c["unpriced"], c["cost_usd"] * 3600)


def _tokens(c: Columns) -> Floats:
    return _where(c["tokens_known"] > 0, c["prompt_tokens"] + c["completion_tokens"])


def _bytes(c: Columns) -> Floats:
    moved = c["bytes_in"] + c["bytes_out"]
    return _where(moved > 0, moved)  # calls that moved no byte at all did not report their size


def _concurrency(c: Columns) -> Floats:
    # Calls of unknown latency count with the mean of the known ones.
    return _share(c["latency_ms_sum"] * c["calls"], c["latency_known"]) / 1000


FORMULAS: dict[str, Formula] = {
    "tps": _rate(("calls",), lambda c: c["calls"]),
    "peak_tps": _stored("peak_tps"),
    "bytes_per_s": _rate(("bytes_in", "bytes_out"), _bytes),
    "error_rate": _ratio("errors", "status_known"),
    **{name: _stored(name) for name in PERCENTILES},
    "tokens_per_s": _rate(("prompt_tokens", "completion_tokens", "tokens_known"), _tokens),
    "cost_per_h": _rate(("calls", "cost_usd", "unpriced"), _cost),
    "cache_hit_rate": _ratio("cache_hits", "cache_known"),
    "rate_limited_rate": _ratio("rate_limited", "calls", known="status_known"),
    "retry_rate": _ratio("retries", "retries_known"),
    "fallback_rate": _ratio("fallbacks", "fallback_known"),
    "concurrency": _rate(("calls", "latency_ms_sum", "latency_known"), _concurrency),
}
"""Every metric of `core.series.METRICS`."""


def formula(metric: str) -> Formula:
    """Raises ValueError that names what is no metric."""
    if metric not in FORMULAS:
        raise ValueError(f"{metric!r} is no metric; choose from {', '.join(FORMULAS)}")
    return FORMULAS[metric]


def needed(metrics: Sequence[str]) -> tuple[str, ...]:
    """The columns that the metrics are computed from, `calls` first; `peak_tps` is none of them, it is read on its own."""
    columns = dict.fromkeys(("calls", *(name for metric in metrics for name in formula(metric).needs)))
    return tuple(name for name in columns if name != "peak_tps")


def pick(dimensions: Sequence[str], columns: Sequence[str], step_s: int) -> Rollup:
    """The smallest of `ROLLUPS` that has all the dimensions and columns and whose steps make up `step_s`."""
    return next(rollup for rollup in ROLLUPS if rollup.answers(dimensions, columns, step_s))
