"""Windows of calls for comparisons: counted from the single calls, and kept under a name when they are frozen."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from core.record import TS_TYPE
from core.series import ALL_CALLS, Selector
from core.transactions import Transaction
from core.windows import CallWindow, blocks_of
from storage.contract import Store, Value
from storage.frames import epoch_s, frame_table, moment
from storage.rollups import SUMS_OF_CALLS
from storage.selection import matching
from storage.sequence import next_seq
from storage.transactions import verdict_of

KEPT = """
SELECT
    (SELECT toInt64(count()) FROM calls
        WHERE ts >= {start:DateTime64(3, 'UTC')} AND ts < {end:DateTime64(3, 'UTC')}) AS kept,
    (SELECT toInt64(sum(calls)) FROM route_1m
        WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')}) AS counted
"""
FROZEN_NAMES = """
SELECT name, argMax(made_at, seq) AS at, argMax(who, seq) AS whose, argMax(starts_at, seq) AS first,
    argMax(ends_at, seq) AS last, argMax(selector, seq) AS of, argMax(transaction, seq) AS counting,
    argMax(transaction_version, seq) AS counted_by
FROM frozen_baselines GROUP BY name ORDER BY name
"""
FROZEN = """
SELECT name, made_at, who, starts_at, ends_at, selector, transaction, transaction_version, block, blocks, calls, known, errors,
    rate_limited, tokens, tokens_known, cost_usd, priced, latency_ms, latency_calls
FROM frozen_baselines
WHERE name = {name:String} AND seq = (SELECT max(seq) FROM frozen_baselines WHERE name = {name:String})
ORDER BY block
"""
_COUNTS = ("calls", "known", "errors", "rate_limited", "tokens", "tokens_known", "cost_usd", "priced")
_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"
_BLOCK = "toInt64(intDiv((toUnixTimestamp64Milli(t.ts) - {start_ms:Int64}) * {blocks:Int64}, {width_ms:Int64}))"
# Nine bits behind the first: half a step, 0.1 %, is the error of the step's middle.
_CUT = "toFloat64(reinterpretAsFloat32(bitAnd(reinterpretAsUInt32(assumeNotNull(t.latency_ms)), 4294950912)))"
_MIDDLE = 1.0 + 2.0**-10
_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string()),
        pa.field("made_at", TS_TYPE),
        pa.field("who", pa.string()),
        *(pa.field(name, TS_TYPE) for name in ("starts_at", "ends_at")),
        *(pa.field(name, pa.string()) for name in ("selector", "transaction", "transaction_version")),
        *(pa.field(name, pa.uint32()) for name in ("block", "blocks")),
        *(pa.field(name, pa.float64() if name == "cost_usd" else pa.uint64()) for name in _COUNTS),
        pa.field("latency_ms", pa.list_(pa.float64())),
        pa.field("latency_calls", pa.list_(pa.uint64())),
        pa.field("seq", pa.uint64()),
    ]
)


def window_is_kept(store: Store, start: datetime, end: datetime) -> bool:
    """Whether every call of the window that the rollups know is still kept as a single call."""
    row = store.arrow(KEPT, {"start": start, "end": end}).to_pylist()[0]
    return int(row["kept"]) >= int(row["counted"] or 0)


def read_window(
    store: Store, start: datetime, end: datetime, selector: Selector = ALL_CALLS, transaction: Transaction | None = None
) -> CallWindow:
    """Count the calls of [start, end) in blocks, of a selection or of a transaction by its own rule.

    Raises ValueError for a window that is empty.
    """
    if end <= start:
        raise ValueError(f"nothing lies between {start.isoformat()} and {end.isoformat()}")
    blocks = blocks_of(start, end)
    where, sums, params = _counted(selector, transaction)
    span: dict[str, Value] = {
        "start": start,
        "end": end,
        "blocks": blocks,
        "start_ms": epoch_s(start) * 1000 + start.microsecond // 1000,
        "width_ms": max(int((end - start).total_seconds() * 1000), 1),
    }
    values = ", ".join(f"toFloat64({sums[name]}) AS {name}" for name in _COUNTS)
    counted = store.frame(
        f"SELECT {_BLOCK} AS block, {values} FROM calls AS t WHERE {_SPAN}{where} GROUP BY block",
        _only(params, f"{values}{where}") | span,
    )
    held = store.frame(
        f"""SELECT {_BLOCK} AS block, {_CUT} AS latency, toFloat64(count()) AS calls FROM calls AS t
        WHERE {_SPAN}{where} AND t.latency_ms IS NOT NULL GROUP BY block, latency""",
        _only(params, where) | span,
    )
    dense = counted.set_index("block").reindex(range(blocks), fill_value=0.0)
    bins, latency_calls = _histogram(held, blocks)
    return CallWindow(
        name="",
        made_at=end,
        who="",
        start=start,
        end=end,
        selector=selector,
        transaction=transaction.name if transaction else "",
        version=transaction.version if transaction else "",
        latency_ms=bins * _MIDDLE,
        latency_calls=latency_calls,
        **{name: dense[name].to_numpy("float64") for name in _COUNTS},
    )


def write_frozen(store: Store, window: CallWindow, name: str, who: str, at: datetime) -> None:
    """Keep a window under a name, for good; one that had the name before is replaced."""
    values, calls = [], []
    for row in window.latency_calls:
        some = row > 0
        values.append(window.latency_ms[some].tolist())
        calls.append(row[some].astype(np.int64).tolist())
    frame = pd.DataFrame({column: getattr(window, column) for column in _COUNTS})
    frame = frame.astype({column: "int64" for column in _COUNTS if column != "cost_usd"})
    frame["block"] = np.arange(window.blocks)
    frame["latency_ms"], frame["latency_calls"] = values, calls
    table = frame_table(
        _SCHEMA,
        frame,
        name=name,
        made_at=at,
        who=who,
        starts_at=window.start,
        ends_at=window.end,
        selector=str(window.selector),
        transaction=window.transaction,
        transaction_version=window.version,
        blocks=window.blocks,
        seq=next_seq(),
    )
    store.insert("frozen_baselines", table)


def read_frozen(store: Store, name: str) -> CallWindow | None:
    """The frozen baseline of a name; None where there is none."""
    rows = store.arrow(FROZEN, {"name": name}).to_pylist()
    if not rows:
        return None
    bins = np.unique(np.concatenate([np.asarray(row["latency_ms"], dtype=np.float64) for row in rows]))
    latency_calls = np.zeros((len(rows), len(bins)))
    for row in rows:
        place = np.searchsorted(bins, np.asarray(row["latency_ms"], dtype=np.float64))
        latency_calls[row["block"], place] = row["latency_calls"]
    first = rows[0]
    return CallWindow(
        name=name,
        made_at=moment(first["made_at"]),
        who=first["who"],
        start=moment(first["starts_at"]),
        end=moment(first["ends_at"]),
        selector=Selector.parse(first["selector"]),
        transaction=first["transaction"],
        version=first["transaction_version"],
        latency_ms=bins,
        latency_calls=latency_calls,
        **{column: np.array([row[column] for row in rows], dtype=np.float64) for column in _COUNTS},
    )


def list_frozen(store: Store) -> pd.DataFrame:
    """By name: `name`, `at`, `whose`, `first`, `last`, `of` (selector), `counting` (transaction), `counted_by` (version)."""
    return store.frame(FROZEN_NAMES)


def named(window: CallWindow, name: str, who: str, at: datetime) -> CallWindow:
    """The window under the name that it is frozen by."""
    return replace(window, name=name, who=who, made_at=at)


def _counted(selector: Selector, transaction: Transaction | None) -> tuple[str, dict[str, str], dict[str, Value]]:
    """Which calls, the sums over them, and the values that both bind."""
    sums = {
        "calls": "count()",
        "known": SUMS_OF_CALLS["status_known"],
        "errors": SUMS_OF_CALLS["errors"],
        "rate_limited": SUMS_OF_CALLS["rate_limited"],
        "tokens": f"{SUMS_OF_CALLS['prompt_tokens']} + {SUMS_OF_CALLS['completion_tokens']}",
        "tokens_known": SUMS_OF_CALLS["tokens_known"],
        "cost_usd": SUMS_OF_CALLS["cost_usd"],
        "priced": "countIf(t.cost_usd IS NOT NULL)",
    }
    where, params = matching(selector, "t")
    if transaction is not None:
        condition, verdict, bound = verdict_of(transaction, "of_transaction")
        where = f"{where} AND {condition}"
        params |= bound
        sums |= {"known": f"countIf({verdict} >= 0)", "errors": f"countIf({verdict} = 0)"}
    return where, sums, params


def _only(params: dict[str, Value], sql: str) -> dict[str, Value]:
    """The values that a statement names."""
    return {name: value for name, value in params.items() if f"{{{name}:" in sql}


def _histogram(held: pd.DataFrame, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    bins = np.unique(held["latency"].to_numpy("float64"))
    counts = np.zeros((blocks, len(bins)))
    place = (held["block"].to_numpy("int64"), np.searchsorted(bins, held["latency"].to_numpy("float64")))
    np.add.at(counts, place, held["calls"].to_numpy("float64"))
    return bins, counts
