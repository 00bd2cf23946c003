"""What moved with a breach: calls and errors of a window and of the time before it, by the values of a dimension."""

from datetime import datetime, timedelta

import pandas as pd

from core.series import Selector
from core.transactions import Transaction
from storage.contract import Store, Value
from storage.frames import with_labels
from storage.rollups import pick
from storage.selection import check_dimensions, matching
from storage.transaction_series import selected
from storage.transactions import verdict_of

MINUTE_S = 60
MOST_VALUES = 500
_SUMS = ("calls", "errors", "latency_ms_sum")


def read_parts(
    store: Store, dimension: str, start: datetime, end: datetime, before: timedelta, selector: Selector
) -> pd.DataFrame:
    """Sums by the values of one dimension, in [start, end) and in the `before` that precedes it.

    Returns
    -------
    DataFrame with `value` (`str`), `after` (`bool`: in the window), `calls`, `errors`, `latency_ms_sum` (`float64`); those with
    the most calls. Raises ValueError for what is no dimension.
    """
    check_dimensions((dimension,))
    if selector.transaction:
        return _of_transaction(store, dimension, start, end, before, selected(store, selector))
    source = pick((dimension, *selector.dimensions), _SUMS, MINUTE_S)
    where, labels = matching(selector, "t")
    sums = ", ".join(f"toFloat64({source.column(name)}) AS {name}" for name in _SUMS)
    sql = f"""SELECT t.{dimension} AS value, t.{source.time} >= {{start:DateTime('UTC')}} AS inside, {sums}
    FROM {source.table} AS t
    WHERE t.{source.time} >= {{earliest:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}}{where}
    GROUP BY value, inside ORDER BY calls DESC, value, inside LIMIT {{most:UInt64}}"""
    span = {"start": start, "end": end, "earliest": start - before}
    frame = store.frame(sql, {**span, "most": MOST_VALUES, **labels}).rename(columns={"inside": "after"})
    return with_labels(frame.astype({"after": "bool"}), ["value"])


def _of_transaction(
    store: Store, dimension: str, start: datetime, end: datetime, before: timedelta, one: Transaction
) -> pd.DataFrame:
    """From the single calls: which of them belong to it, and are bad, only its own rule says."""
    mine, verdict, bound = verdict_of(one, "t0")
    sql = f"""SELECT t.{dimension} AS value, t.ts >= {{start:DateTime64(3, 'UTC')}} AS inside, toFloat64(count()) AS calls,
        toFloat64(countIf({verdict} = 0)) AS errors, sum(toFloat64(ifNull(t.latency_ms, 0))) AS latency_ms_sum
    FROM calls AS t
    WHERE t.ts >= {{earliest:DateTime64(3, 'UTC')}} AND t.ts < {{end:DateTime64(3, 'UTC')}} AND ({mine})
    GROUP BY value, inside ORDER BY calls DESC, value, inside LIMIT {{most:UInt64}}"""
    span: dict[str, Value] = {"start": start, "end": end, "earliest": start - before, "most": MOST_VALUES}
    frame = store.frame(sql, {**span, **bound}).rename(columns={"inside": "after"})
    return with_labels(frame.astype({"after": "bool"}), ["value"])
