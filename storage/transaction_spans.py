"""Transactions where rules and detection look: over spans, over sliding windows, and by the minute, as other selections are.

Each function answers in the shape of its namesake for other selections, of which it is a part: whoever asks need not know.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from core.series import METRICS, TRANSACTION, VERSION, Selector
from core.transactions import TRANSACTION_METRICS, Transaction
from storage.contract import Params, Store, Value
from storage.data_span import MAX_POINTS, data_span
from storage.frames import at_epoch_s, epoch_s, times_of
from storage.transaction_series import SUMS, check_metric, read_counts, read_transaction_series, selected, unpacked, values_of

Span = tuple[datetime, datetime]

_MINUTE_S = 60
_AT = "toInt64(toUnixTimestamp({alias}.minute))"
_BOUNDS = "{alias}.minute >= {{first:DateTime('UTC')}} AND {alias}.minute < {{last:DateTime('UTC')}}"


def transaction_spans(store: Store, metric: str, spans: Sequence[Span], selector: Selector) -> pd.DataFrame:
    """As `storage.spans.read_spans`; spans in which the transaction had no call have no row."""
    check_metric(metric)
    transaction = selected(store, selector)
    inside = "{starts:Array(Int64)}[nth + 1] <= %s AND %s < {ends:Array(Int64)}[nth + 1]"
    at = _AT.format(alias="t")
    key = f"toInt64(arrayJoin(arrayFilter(nth -> {inside % (at, at)}, range({{count:UInt64}}))))"
    params: dict[str, Value] = {
        "starts": [epoch_s(start) for start, _ in spans],
        "ends": [epoch_s(end) for _, end in spans],
        "count": len(spans),
        "first": min(start for start, _ in spans),
        "last": max(end for _, end in spans),
    }
    rows = _sums(store, transaction, key, params)
    rows = rows[rows["total"] > 0].reset_index(drop=True)
    width_s = epoch_s(spans[0][1]) - epoch_s(spans[0][0])
    values = values_of(rows, metric, width_s)
    return pd.DataFrame({"span": rows["key"].astype("int64"), "calls": rows["total"].astype("float64"), "value": values})


def transaction_windows(
    store: Store, metric: str, first_s: int, last_s: int, window: timedelta, selector: Selector
) -> pd.DataFrame:
    """As `storage.windows.read_windows`, for whole minutes from `first_s` to `last_s`.

    A window with calls that no counter has yet is unknown, and not empty: its `value` is NaN and its `calls` are one at least.
    """
    check_metric(metric)
    transaction, width_s = selected(store, selector), int(window.total_seconds())
    ends = np.arange(first_s, last_s + 1, _MINUTE_S, dtype=np.int64)
    params: dict[str, Value] = {
        "first": at_epoch_s(first_s - width_s),
        "last": at_epoch_s(last_s),
        "first_end": first_s,
        "last_end": last_s,
        "minutes": width_s // _MINUTE_S,
    }
    rows = _sums(store, transaction, _ends("t"), params).set_index("key").reindex(ends)
    total = rows["total"].fillna(0).to_numpy("int64")
    value = values_of(rows, metric, width_s)
    span = data_span(store)
    if METRICS[metric].zero_when_idle and span is not None:
        value = np.where(total == 0, 0.0, value)
        whole = (ends - width_s >= epoch_s(span[0])) & (ends <= epoch_s(span[1]) + _MINUTE_S)
        value = np.where(whole, value, np.nan)
    rolled = _rolled(store, params).reindex(ends).fillna(0).to_numpy("int64")
    behind = rows["seen"].fillna(0).to_numpy("int64") < rolled
    value = np.where(behind, np.nan, value)
    return pd.DataFrame({"end": times_of(ends), "value": value, "calls": np.where(behind, np.maximum(total, 1), total)})


def transaction_series(
    store: Store, metric: str, start: datetime, end: datetime, step_s: int, selector: Selector
) -> pd.DataFrame:
    """As `storage.series.read_series`; steps that are not counted yet are unknown."""
    if step_s % _MINUTE_S:
        raise ValueError("transactions are counted by whole minutes; ask for a step of minutes")
    found = read_transaction_series(store, selected(store, selector), metric, start, end, step_s)
    return found[["ts", "value", "calls"]]


def transaction_panel(
    store: Store, start: datetime, end: datetime, step_s: int, metrics: Sequence[str], selector: Selector
) -> pd.DataFrame:
    """As `storage.series.read_panel`: only steps with calls; metrics that transactions have not are unknown."""
    return panel_of(read_counts(store, selected(store, selector), start, end, step_s), metrics, step_s)


def read_transactions(
    store: Store, start: datetime, end: datetime, transactions: Sequence[Transaction], metrics: Sequence[str]
) -> pd.DataFrame:
    """Minutes of many transactions in one read, sparse: only minutes with calls.

    Returns
    -------
    DataFrame with `ts`, `transaction` and `version` (`str`), `calls` (`int64`) and one `float64` column per metric, NaN where
    unknown; those that transactions have not are unknown.
    """
    sql = f"""SELECT toString(t.transaction) AS name, toString(t.version) AS name_version,
        toInt64(toUnixTimestamp(t.minute)) AS step_at, {SUMS}
    FROM transactions_1m AS t FINAL
    WHERE t.transaction IN {{names:Array(String)}} AND t.version IN {{versions:Array(String)}} AND {_BOUNDS.format(alias="t")}
    GROUP BY name, name_version, step_at ORDER BY name, name_version, step_at"""
    params: dict[str, Value] = {
        "names": [one.name for one in transactions],
        "versions": [one.version for one in transactions],
        "first": start,
        "last": end,
    }
    rows = unpacked(store.arrow(sql, params), None)
    known = {(one.name, one.version) for one in transactions}
    mine = np.array([key in known for key in zip(rows["name"], rows["name_version"], strict=True)], dtype=bool)
    rows = rows[mine].reset_index(drop=True)
    rows["ts"] = times_of(rows.pop("step_at"))
    labels = rows.loc[rows["total"] > 0, ["name", "name_version"]].reset_index(drop=True)
    labels = labels.rename(columns={"name": TRANSACTION, "name_version": VERSION})
    return pd.concat([panel_of(rows, metrics, _MINUTE_S), labels], axis=1)


def panel_of(counts: pd.DataFrame, metrics: Sequence[str], step_s: int) -> pd.DataFrame:
    """Frame with `ts`, `calls` and the metrics, of what `read_counts` gives."""
    rows = counts[counts["total"] > 0].reset_index(drop=True)
    if len(rows) > MAX_POINTS:
        raise ValueError(f"{len(rows)} points are too many; ask for longer steps or a shorter span")
    values = {
        name: values_of(rows, name, step_s) if name in TRANSACTION_METRICS else np.full(len(rows), np.nan) for name in metrics
    }
    return pd.DataFrame({"ts": rows["ts"], "calls": rows["total"].astype("int64"), **values})


def _sums(store: Store, transaction: Transaction, key: str, params: Params) -> pd.DataFrame:
    sql = f"""SELECT {key} AS key, {SUMS}
    FROM transactions_1m AS t FINAL
    WHERE t.transaction = {{name:String}} AND t.version = {{version:String}} AND {_BOUNDS.format(alias="t")}
    GROUP BY key ORDER BY key"""
    named: dict[str, Value] = {**params, "name": transaction.name, "version": transaction.version}
    return unpacked(store.arrow(sql, named), transaction)


def _rolled(store: Store, params: Params) -> "pd.Series[int]":
    """All calls that have arrived, by the ends of windows."""
    sql = f"""SELECT {_ends("r")} AS key, toInt64(sum(r.calls)) AS calls FROM route_1m AS r
    WHERE {_BOUNDS.format(alias="r")} GROUP BY key ORDER BY key"""
    return store.frame(sql, params).set_index("key")["calls"]


def _ends(alias: str) -> str:
    """The ends of the asked-for windows that a minute lies in, one row each."""
    first = f"(intDiv({_AT.format(alias=alias)}, 60) + 1) * 60"
    ends = f"arrayMap(nth -> {first} + toInt64(nth) * 60, range(toUInt64({{minutes:Int64}})))"
    return f"arrayJoin(arrayFilter(one -> one >= {{first_end:Int64}} AND one <= {{last_end:Int64}}, {ends}))"
