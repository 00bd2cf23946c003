"""Calls for the tests of this room, and what pandas says of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from core.record import CALL_SCHEMA, DIMENSIONS

START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday; what is imported is kept whatever its age."""

_UNKNOWN: dict[str, Any] = {field.name: None if field.nullable else "" for field in CALL_SCHEMA}
_UNKNOWN |= {"prompt_hash": 0, "attributes": [], "topic": "import:test", "partition": 0, "ingested_at": START}
LEVELS = {"latency_p50": 0.5, "latency_p90": 0.9, "latency_p95": 0.95, "latency_p99": 0.99}


def batch(rows: Sequence[Mapping[str, Any]], first_offset: int = 0) -> pa.Table:
    """Rows as a batch of calls; what they do not say is unknown. `ts` is required, offsets count up."""
    whole = [{**_UNKNOWN, "offset": first_offset + number, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(whole, schema=CALL_SCHEMA)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def minute_row(minute: int, **values: Any) -> dict[str, Any]:
    return {"ts": at(60 * minute), **values}


_maybe_ms = st.none() | st.floats(0.015625, 1e5, width=32)
_maybe_count = st.none() | st.integers(0, 5000)
rows_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.integers(0, 3 * 3600 * 1000 - 1).map(lambda ms: at(ms / 1000)),
            "gateway": st.just("gw"),
            "service": st.sampled_from(["chat", "search"]),
            "route": st.sampled_from(["/a", "/b"]),
            "tenant": st.sampled_from(["t1", "t2"]),
            "provider": st.sampled_from(["", "openai"]),
            "model": st.sampled_from(["", "m"]),
            "status": st.sampled_from([None, 200, 404, 429, 500, 503]),
            "error_type": st.sampled_from(["", "", "", "timeout", "rate_limit"]),
            "latency_ms": _maybe_ms,
            "upstream_ms": _maybe_ms,
            "ttft_ms": _maybe_ms,
            "bytes_in": _maybe_count,
            "bytes_out": _maybe_count,
            "prompt_tokens": _maybe_count,
            "completion_tokens": _maybe_count,
            "cost_usd": st.none() | st.floats(0, 10),
            "cache_hit": st.none() | st.booleans(),
            "fallback": st.none() | st.booleans(),
            "retries": st.none() | st.integers(0, 9),
        }
    ),
    max_size=60,
)


def pandas_metrics(rows: Sequence[Mapping[str, Any]], step_s: int, by: Sequence[str]) -> pd.DataFrame:
    """Every metric that is not a percentile, straight from the rows; indexed by (*by, ts), with `calls`."""
    frame = pd.DataFrame([{**_UNKNOWN, **row} for row in rows])
    seconds = frame["ts"].map(lambda ts: int(ts.timestamp()))
    frame["ts"] = pd.to_datetime(seconds // step_s * step_s, unit="s", utc=True).astype("datetime64[ms, UTC]")
    frame["second"] = seconds
    status = frame["status"].astype("float64")
    limited = (status == 429) | (frame["error_type"] == "rate_limit")
    frame["limited"] = limited
    frame["error"] = ~limited & ((status >= 500) | (frame["error_type"] != ""))
    frame["outcome"] = status.notna() | (frame["error_type"] != "")
    numeric = ["latency_ms", "cost_usd", "prompt_tokens", "completion_tokens", "bytes_in", "bytes_out", "retries"]
    frame[numeric] = frame[numeric].astype("float64")
    for flag in ("cache_hit", "fallback"):
        frame[flag] = frame[flag].astype("float64")
    grouped = frame.groupby([*by, "ts"])[list(frame.columns)]
    return pd.DataFrame(grouped.apply(lambda group: _metrics(group, step_s)))


def _metrics(group: pd.DataFrame, step_s: int) -> pd.Series:
    tokens = group[["prompt_tokens", "completion_tokens"]]
    moved = group[["bytes_in", "bytes_out"]].sum().sum()
    return pd.Series(
        {
            "calls": float(len(group)),
            "tps": len(group) / step_s,
            "peak_tps": float(group["second"].value_counts().max()),
            "bytes_per_s": moved / step_s if moved else np.nan,
            "error_rate": group.loc[group["outcome"], "error"].mean() if group["outcome"].any() else np.nan,
            "tokens_per_s": tokens.sum().sum() / step_s if tokens.notna().any(axis=None) else np.nan,
            "cost_per_h": group["cost_usd"].sum(min_count=1) / step_s * 3600,
            "cache_hit_rate": group["cache_hit"].mean(),
            "rate_limited_rate": group["limited"].mean() if group["outcome"].any() else np.nan,
            "retry_rate": group["retries"].mean(),
            "fallback_rate": group["fallback"].mean(),
            "concurrency": len(group) / step_s * group["latency_ms"].mean() / 1000,
        }
    )


def is_near_order_statistic(value: float, data: Sequence[float], level: float, tolerance: float = 0.01) -> bool:
    """Whether `value` is within `tolerance` (relative) of an order statistic next to the quantile; NaN for no data."""
    if not data:
        return bool(np.isnan(value))
    ordered = np.sort(np.asarray(data, dtype=np.float64))
    middle = level * len(ordered)
    near = {min(max(int(place), 0), len(ordered) - 1) for place in (np.floor(middle) - 1, np.floor(middle), np.ceil(middle))}
    return any(abs(value - ordered[place]) <= tolerance * ordered[place] + 1e-9 for place in near)


assert set(DIMENSIONS) <= set(_UNKNOWN)
