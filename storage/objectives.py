"""What objectives are judged by: how much was counted over spans of time, and how much of it was bad, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from core.config import ObjectiveSettings
from core.series import METRICS, Selector
from core.transactions import Transaction
from storage.contract import Store, Value
from storage.frames import epoch_s, moment
from storage.series import latest_minute
from storage.spans import read_spans

Span = tuple[datetime, datetime]

_MINUTE = timedelta(minutes=1)
_MINUTE_S = 60

# A minute counts in every span that it lies in. The bounds are said twice: the outer ones are what the key is searched by.
OVER_SPANS = """
SELECT toInt64(arrayJoin(arrayFilter(
        nth -> {starts:Array(Int64)}[nth + 1] <= at_s AND at_s < {ends:Array(Int64)}[nth + 1], range({count:UInt64})
    ))) AS span,
    toInt64(sum(of_minute.known)) AS known, toInt64(sum(of_minute.good)) AS good, toInt64(sum(of_minute.timed)) AS timed,
    toInt64(sum(of_minute.under)) AS good_under, toInt64(countIf(of_minute.total >= {least:Float64})) AS held
FROM (SELECT toInt64(toUnixTimestamp(t.minute)) AS at_s, t.total AS total, t.known AS known, t.good AS good, t.timed AS timed,
        if({place:UInt64} = 0, 0, t.good_under[{place:UInt64}]) AS under
    FROM transactions_1m AS t FINAL
    WHERE t.transaction = {name:String} AND t.version = {version:String}
        AND t.minute >= {first:DateTime('UTC')} AND t.minute < {last:DateTime('UTC')}) AS of_minute
GROUP BY span ORDER BY span
"""
COUNTED_SPAN = """
SELECT toInt64(count()) AS minutes, min(minute) AS first, max(minute) AS last FROM transactions_1m
WHERE transaction = {name:String} AND version = {version:String}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedSpan:
    """The first and the last minute (their starts) that a version of a transaction was counted in."""

    first: datetime
    last: datetime


def counted_span(store: Store, transaction: Transaction) -> CountedSpan | None:
    """None where the version was never counted."""
    key: dict[str, Value] = {"name": transaction.name, "version": transaction.version}
    row = store.arrow(COUNTED_SPAN, key).to_pylist()[0]
    return CountedSpan(first=moment(row["first"]), last=moment(row["last"])) if row["minutes"] else None


def read_shares(
    store: Store, objective: ObjectiveSettings, transaction: Transaction | None, spans: Sequence[Span]
) -> pd.DataFrame:
    """What is bad over each of `spans` (half open, whole minutes), by the objective's own measure.

    Of a transaction: its calls of known outcome, of which those that are not good are bad; with `under`, calls that are bad or
    of known latency, of which those that are not good up to it are bad; with `at_least`, minutes since the first that was
    counted, of which those with fewer calls a second are bad, minutes without any call too. Only minutes that were counted by
    this very version are in it. Without a transaction `value` is the metric itself, and `bad` its share of the calls.

    Returns
    -------
    DataFrame with `span` (`int64`: its number), `calls` (`float64`, what is counted: calls or minutes), `bad` (`float64`) and
    `value` (`float64`, NaN: unknown); spans in which nothing was counted have no row.
    """
    if not objective.transaction:
        return _of_metric(store, objective, spans)
    if transaction is None:
        raise ValueError(f"objective {objective.name!r}: there is no transaction {objective.transaction!r}")
    rows = _rows(store, objective, transaction, spans)
    if objective.counts_minutes:
        rows = rows.reindex(range(len(spans)))
        calls = _minutes_of(store, transaction, spans)
        bad = calls - rows["held"].fillna(0).to_numpy("float64")
    else:
        top, bottom = ("good", "known") if objective.under is None else ("good_under", "timed")
        calls = rows[bottom].to_numpy("float64")
        bad = calls - rows[top].to_numpy("float64")
    value = np.full(len(calls), np.nan)
    np.divide(bad, calls, out=value, where=calls > 0)
    frame = pd.DataFrame({"span": rows.index.to_numpy("int64"), "calls": calls, "bad": bad, "value": value})
    return frame[frame["calls"] > 0].reset_index(drop=True)


def _of_metric(store: Store, objective: ObjectiveSettings, spans: Sequence[Span]) -> pd.DataFrame:
    frame = read_spans(store, objective.metric, spans, Selector.of(objective.selector))
    share = METRICS[objective.metric].unit == "1"
    return frame.assign(bad=frame["value"] * frame["calls"] if share else np.nan)[["span", "calls", "bad", "value"]]


def _rows(store: Store, objective: ObjectiveSettings, transaction: Transaction, spans: Sequence[Span]) -> pd.DataFrame:
    place = 0 if objective.under_ms is None else transaction.thresholds_ms.index(objective.under_ms) + 1
    params: dict[str, Value] = {
        "name": transaction.name,
        "version": transaction.version,
        "starts": [epoch_s(start) for start, _ in spans],
        "ends": [epoch_s(end) for _, end in spans],
        "count": len(spans),
        "first": min(start for start, _ in spans),
        "last": max(end for _, end in spans),
        "least": (objective.at_least or 0.0) * _MINUTE_S,
        "place": place,
    }
    return store.frame(OVER_SPANS, params).set_index("span")


def _minutes_of(store: Store, transaction: Transaction, spans: Sequence[Span]) -> np.ndarray:
    """Of each span, the minutes of which it is known how many calls of the transaction they had.

    A minute without any call at all has no row: it is known to be empty where minutes before and after it were counted, or
    where all that arrived was.
    """
    counted = counted_span(store, transaction)
    if counted is None:
        return np.zeros(len(spans))
    newest = latest_minute(store)
    behind = newest is not None and newest > counted.last
    last = counted.last + _MINUTE if behind else max(end for _, end in spans)
    known = [max(min(end, last) - max(start, counted.first), timedelta(0)) for start, end in spans]
    return np.array([one / _MINUTE for one in known])
