"""Mixes of calls (`core.mixes`): counted from the single calls, and kept beside the frozen baseline of the same name."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from core.mixes import BLOCKS, CallMix, Histogram, Stratum
from core.prices import TOKEN_CLASSES, PriceTable
from core.record import TS_TYPE
from core.series import ALL_CALLS, Selector
from core.transactions import Transaction
from storage.contract import Store, Value
from storage.frames import frame_table, moment, with_labels
from storage.prices import read_prices
from storage.rollups import SUMS_OF_CALLS
from storage.selection import matching
from storage.sequence import next_seq
from storage.transactions import verdict_of

FROZEN_MIX = """
SELECT starts_at, ends_at, selector, transaction, transaction_version, block, blocks, service, method, route, size,
    calls, known, errors, rate_limited, cost_usd, priced, latency_ms, latency_calls, ttft_ms, ttft_calls
FROM frozen_mixes
WHERE name = {name:String} AND seq = (SELECT max(seq) FROM frozen_mixes WHERE name = {name:String})
"""
_SIZE = "toInt64(if(t.prompt_tokens IS NULL, -1, floor(log2(greatest(assumeNotNull(t.prompt_tokens), 1)) + 1e-9)))"
_KEY = f"t.service AS service, t.method AS method, t.route AS route, {_SIZE} AS size"
_HASH = f"cityHash64(t.service, t.method, t.route, {_SIZE})"
_BLOCK = "toInt64(intDiv((toUnixTimestamp64Milli(t.ts) - {start_ms:Int64}) * {blocks:Int64}, {width_ms:Int64}))"
_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"
# Eight bits behind the first: half a step, 0.2 %, is the error of the step's middle.
_CUT = "bitAnd(reinterpretAsUInt32(assumeNotNull(t.{column})), 4294934528)"
_MIDDLE = 1.0 + 2.0**-9
_COUNTS = ("calls", "known", "errors", "rate_limited", "cost_usd", "priced")
_SUMS = {
    "calls": "count()",
    "known": SUMS_OF_CALLS["status_known"],
    "errors": SUMS_OF_CALLS["errors"],
    "rate_limited": SUMS_OF_CALLS["rate_limited"],
    "cost_usd": SUMS_OF_CALLS["cost_usd"],
    "priced": "countIf(t.cost_usd IS NOT NULL)",
}
_UNPRICED = "t.cost_usd IS NULL AND (t.prompt_tokens IS NOT NULL OR t.completion_tokens IS NOT NULL)"
_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string()),
        *(pa.field(name, TS_TYPE) for name in ("starts_at", "ends_at")),
        *(pa.field(name, pa.string()) for name in ("selector", "transaction", "transaction_version")),
        *(pa.field(name, pa.uint32()) for name in ("block", "blocks")),
        *(pa.field(name, pa.string()) for name in ("service", "method", "route")),
        pa.field("size", pa.int16()),
        *(pa.field(name, pa.float64() if name == "cost_usd" else pa.uint64()) for name in _COUNTS),
        *(
            pa.field(f"{measure}_{part}", pa.list_(pa.float64() if part == "ms" else pa.uint64()))
            for measure in ("latency", "ttft")
            for part in ("ms", "calls")
        ),
        pa.field("seq", pa.uint64()),
    ]
)


def read_mix(
    store: Store,
    start: datetime,
    end: datetime,
    selector: Selector = ALL_CALLS,
    transaction: Transaction | None = None,
    *,
    name: str = "",
) -> CallMix | None:
    """Count the calls of [start, end) in blocks and strata, of a selection or of a transaction by its own rule.

    None where there is no call. Calls without a reported cost are priced by the table in force.
    """
    where, sums, params = _counted(selector, transaction)
    width_ms = max(int((end - start) / timedelta(milliseconds=1)), 1)
    span: dict[str, Value] = {
        "start": start,
        "end": end,
        "blocks": BLOCKS,
        "start_ms": int(start.timestamp() * 1000),
        "width_ms": width_ms,
    }
    columns = ", ".join(f"toFloat64({sums[count]}) AS {count}" for count in _COUNTS)
    counted = with_labels(
        store.frame(
            f"""SELECT {_BLOCK} AS block, {_KEY}, toString({_HASH}) AS key, {columns} FROM calls AS t
            WHERE {_SPAN}{where} GROUP BY block, service, method, route, size, key""",
            _only(params, f"{columns}{where}") | span,
        ),
        ("service", "method", "route", "key"),
    )
    if counted.empty:
        return None
    keys = counted.groupby("key")[["service", "method", "route", "size"]].first()
    strata, place = _strata(keys), {key: at for at, key in enumerate(keys.index)}
    cells = counted["block"].to_numpy("int64"), counted["key"].map(place).to_numpy("int64")
    counters = {count: np.zeros((BLOCKS, len(strata))) for count in _COUNTS}
    for count in _COUNTS:
        np.add.at(counters[count], cells, counted[count].to_numpy("float64"))
    bound = _only(params, where) | span
    _add_priced(store, counters, place, where, bound)
    return CallMix(
        name=name,
        spans=((start, end),),
        selector=selector,
        transaction=transaction.name if transaction else "",
        version=transaction.version if transaction else "",
        strata=strata,
        seconds=np.full(BLOCKS, width_ms / 1000.0 / BLOCKS),
        latency=_histogram(store, "latency_ms", place, where, bound),
        ttft=_histogram(store, "ttft_ms", place, where, bound),
        **counters,
    )


def write_frozen_mix(store: Store, mix: CallMix, name: str) -> None:
    """Keep a mix of one span under a name, for good; one that had the name before is replaced."""
    ((start, end),) = mix.spans
    cells = pd.DataFrame(np.argwhere(mix.calls > 0), columns=["block", "stratum"])
    at = (cells["block"].to_numpy(), cells["stratum"].to_numpy())
    frame = pd.DataFrame({count: getattr(mix, count)[at] for count in _COUNTS})
    frame = frame.astype({count: "int64" for count in _COUNTS if count != "cost_usd"})
    frame["block"] = at[0]
    for label in ("service", "method", "route", "size"):
        frame[label] = [getattr(mix.strata[stratum], label) for stratum in at[1]]
    for measure, held in (("latency", mix.latency), ("ttft", mix.ttft)):
        lists = _lists(held, len(mix.strata))
        found = [lists.get((int(block), int(stratum)), ([], [])) for block, stratum in zip(*at, strict=True)]
        frame[f"{measure}_ms"] = [values for values, _ in found]
        frame[f"{measure}_calls"] = [calls for _, calls in found]
    table = frame_table(
        _SCHEMA,
        frame,
        name=name,
        starts_at=start,
        ends_at=end,
        selector=str(mix.selector),
        transaction=mix.transaction,
        transaction_version=mix.version,
        blocks=len(mix.seconds),
        seq=next_seq(),
    )
    store.insert("frozen_mixes", table)


def read_frozen_mix(store: Store, name: str) -> CallMix | None:
    """The mix that was frozen under a name; None where there is none (a baseline that was frozen without it)."""
    rows = store.arrow(FROZEN_MIX, {"name": name}).to_pylist()
    if not rows:
        return None
    first, blocks = rows[0], int(rows[0]["blocks"])
    start, end = moment(first["starts_at"]), moment(first["ends_at"])
    labels = sorted({(row["service"], row["method"], row["route"], int(row["size"])) for row in rows})
    place = {label: at for at, label in enumerate(labels)}
    counters = {count: np.zeros((blocks, len(labels))) for count in _COUNTS}
    cells = [(int(row["block"]), place[row["service"], row["method"], row["route"], int(row["size"])]) for row in rows]
    for row, cell in zip(rows, cells, strict=True):
        for count in _COUNTS:
            counters[count][cell] = row[count]
    return CallMix(
        name=name,
        spans=((start, end),),
        selector=Selector.parse(first["selector"]),
        transaction=first["transaction"],
        version=first["transaction_version"],
        strata=tuple(Stratum(service=s, method=m, route=r, size=c, last_size=c) for s, m, r, c in labels),
        seconds=np.full(blocks, (end - start).total_seconds() / blocks),
        latency=_unlisted(rows, cells, "latency"),
        ttft=_unlisted(rows, cells, "ttft"),
        **counters,
    )


def _counted(selector: Selector, transaction: Transaction | None) -> tuple[str, dict[str, str], dict[str, Value]]:
    """Which calls, the sums over them, and the values that both bind."""
    where, params = matching(selector, "t")
    if transaction is None:
        return where, _SUMS, params
    condition, verdict, bound = verdict_of(transaction, "of_transaction")
    sums = _SUMS | {"known": f"countIf({verdict} >= 0)", "errors": f"countIf({verdict} = 0)"}
    return f"{where} AND {condition}", sums, params | bound


def _only(params: dict[str, Value], sql: str) -> dict[str, Value]:
    """The values that a statement names."""
    return {name: value for name, value in params.items() if f"{{{name}:" in sql}


def _strata(keys: pd.DataFrame) -> tuple[Stratum, ...]:
    rows = zip(keys["service"], keys["method"], keys["route"], keys["size"], strict=True)
    return tuple(Stratum(service=s, method=m, route=r, size=int(size), last_size=int(size)) for s, m, r, size in rows)


def _histogram(store: Store, column: str, place: dict[str, int], where: str, params: dict[str, Value]) -> Histogram:
    held = store.frame(
        f"""SELECT {_BLOCK} AS block, toString({_HASH}) AS key, toInt64({_CUT.format(column=column)}) AS bits,
            toFloat64(count()) AS calls
        FROM calls AS t WHERE {_SPAN}{where} AND t.{column} IS NOT NULL GROUP BY block, key, bits""",
        params,
    )
    bits = held["bits"].to_numpy("int64").astype(np.uint32)
    codes, names = pd.factorize(held["key"])
    return Histogram(
        block=held["block"].to_numpy("int64"),
        stratum=np.array([place[key] for key in names], dtype=np.int64)[codes],
        value=bits.view(np.float32).astype(np.float64) * _MIDDLE,
        calls=held["calls"].to_numpy("float64"),
    )


def _add_priced(
    store: Store, counters: dict[str, np.ndarray], place: dict[str, int], where: str, params: dict[str, Value]
) -> None:
    """What the table in force makes of the tokens of calls without a reported cost."""
    table: PriceTable = read_prices(store)
    if not table.prices:
        return
    tokens = ", ".join(f"toFloat64({SUMS_OF_CALLS[name]}) AS {name}" for name in TOKEN_CLASSES)
    period = "toInt64(arrayCount(change -> change <= toInt64(toUnixTimestamp(t.ts)), {changes:Array(Int64)}))"
    rows = store.frame(
        f"""SELECT {_BLOCK} AS block, toString({_HASH}) AS key, t.provider AS provider, t.model AS model, {period} AS period,
            toFloat64(count()) AS calls, {tokens}
        FROM calls AS t WHERE {_SPAN}{where} AND {_UNPRICED} GROUP BY block, key, provider, model, period""",
        {**params, "changes": [int(change.timestamp()) for change in table.changes]},
    )
    first = params["start"]
    begins = (first, *table.changes)
    for row in rows.to_dict("records"):
        moment_of = begins[int(row["period"])]
        price = table.at(str(row["provider"]), str(row["model"]), moment_of) if isinstance(moment_of, datetime) else None
        if price is not None:
            cell = int(row["block"]), place[str(row["key"])]
            counters["cost_usd"][cell] += price.cost_usd({name: float(row[name]) for name in TOKEN_CLASSES})
            counters["priced"][cell] += float(row["calls"])


def _lists(held: Histogram, strata: int) -> dict[tuple[int, int], tuple[list[float], list[int]]]:
    """Values and calls of each cell."""
    cell = held.block * strata + held.stratum
    order = np.argsort(cell, kind="stable")
    edges = np.flatnonzero(np.diff(cell[order])) + 1
    found = {}
    for some in np.split(order, edges) if len(order) else []:
        key = int(held.block[some[0]]), int(held.stratum[some[0]])
        found[key] = held.value[some].tolist(), held.calls[some].astype(np.int64).tolist()
    return found


def _unlisted(rows: Sequence[dict[str, list[float]]], cells: Sequence[tuple[int, int]], measure: str) -> Histogram:
    lengths = [len(row[f"{measure}_ms"]) for row in rows]
    block, stratum = (np.repeat(np.array([cell[at] for cell in cells], dtype=np.int64), lengths) for at in (0, 1))
    return Histogram(block=block, stratum=stratum, value=_flat(rows, f"{measure}_ms"), calls=_flat(rows, f"{measure}_calls"))


def _flat(rows: Sequence[dict[str, list[float]]], column: str) -> np.ndarray:
    return np.array([value for row in rows for value in row[column]], dtype=np.float64)
