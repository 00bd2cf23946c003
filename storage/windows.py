"""Sliding windows for rules: one metric over the span before each minute, in one read, however many windows overlap.

Each row of a minute rollup is counted in every window that it lies in, so percentiles of a window are merged from the states of
its minutes and are exact to the rollup's own error, unlike a mean of the minutes' percentiles.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from core.series import ALL_CALLS, METRICS, Selector
from storage.by_time import choose
from storage.contract import Store, Value
from storage.frames import at_epoch_s, epoch_s, times_of, with_labels
from storage.prices import PricedSpan, add_priced
from storage.rollups import CALLS, CALLS_1S, Columns, Rollup, formula, needed
from storage.selection import check_dimensions, matching
from storage.series import MAX_POINTS, data_span
from storage.transaction_spans import transaction_windows

_MINUTE_S = 60


def read_windows(
    store: Store,
    metric: str,
    first_end: datetime,
    last_end: datetime,
    window: timedelta,
    selector: Selector = ALL_CALLS,
    by: tuple[str, ...] = (),
) -> pd.DataFrame:
    """A metric over the `window` before each whole minute from `first_end` to `last_end` (both included).

    Returns
    -------
    DataFrame with `end` (`datetime64[ms, UTC]`, the window's end), `*by` (`str`), `value` (`float64`, the metric's unit, NaN
    where unknown) and `calls` (`int64`), sorted by (`*by`, `end`): every minute for each combination of `by` that occurs in one
    of the windows; without `by` one series, always. Rates are NaN in windows that reach beyond the first or last minute of all
    data (they would be too low), and 0 in others without a call, unless the series never reports them (tokens of a plain API).

    Raises ValueError for an unknown metric or dimension, a window that is not of whole minutes, and more than 5 million points.
    """
    width_s = int(window.total_seconds())
    if width_s < _MINUTE_S or window % timedelta(minutes=1):
        raise ValueError(f"a window of {window} is not a whole number of minutes")
    check_dimensions(by)
    first_s, last_s = -(-epoch_s(first_end) // _MINUTE_S) * _MINUTE_S, epoch_s(last_end) // _MINUTE_S * _MINUTE_S
    if selector.transaction:
        return transaction_windows(store, metric, first_s, last_s, window, selector)
    rows = _rows(store, metric, first_s, last_s, width_s, selector, by)
    return _dense(store, rows, metric, np.arange(first_s, last_s + 1, _MINUTE_S, dtype=np.int64), width_s, by)


def _rows(
    store: Store, metric: str, first_s: int, last_s: int, width_s: int, selector: Selector, by: tuple[str, ...]
) -> pd.DataFrame:
    """The windows with calls: `end_at` (seconds since 1970), `*by`, `calls`, `value`."""
    columns = needed((metric,))
    dimensions = tuple(sorted({*by, *selector.dimensions}))
    selected, labels = matching(selector, "t")
    params: dict[str, Value] = {
        "start": at_epoch_s(first_s - width_s), "end": at_epoch_s(last_s), "first": first_s, "last": last_s,
        "minutes": width_s // _MINUTE_S, **labels,
    }  # fmt: skip
    source = choose(store, dimensions, columns, _MINUTE_S, first_s - width_s)
    rows = store.frame(_sums_sql(source, columns, selected, by), params)
    rows = with_labels(rows, by)
    if metric == "peak_tps":
        seconds = CALLS_1S if CALLS_1S.answers(dimensions, ("calls",), 1) else CALLS
        peaks = with_labels(store.frame(_peaks_sql(seconds, selected, by), params), by)
        rows = rows.merge(peaks, on=[*by, "end_at"], how="left")
    if "cost_usd" in columns:
        rows = add_priced(store, rows, _to_price(first_s, last_s, width_s, selector, by))
    values: Columns = {name: rows[name].to_numpy("float64") for name in rows.columns if name not in (*by, "end_at")}
    return rows[[*by, "end_at", "calls"]].assign(value=formula(metric).value(values, width_s))


def _to_price(first_s: int, last_s: int, width_s: int, selector: Selector, by: tuple[str, ...]) -> PricedSpan:
    return PricedSpan(
        first_s=first_s - width_s,
        end_s=last_s,
        selector=selector,
        by=by,
        column="end_at",
        step=_ends,
        params={"first": first_s, "last": last_s, "minutes": width_s // _MINUTE_S},
        hourly=False,
    )


def _dense(store: Store, rows: pd.DataFrame, metric: str, ends: np.ndarray, width_s: int, by: tuple[str, ...]) -> pd.DataFrame:
    labels = rows[list(by)].drop_duplicates(ignore_index=True) if by else pd.DataFrame(index=[0])
    if len(labels) * len(ends) > MAX_POINTS:
        raise ValueError(f"{len(labels)} series of {len(ends)} windows are too many; group by fewer dimensions")
    series = rows.groupby(list(by), sort=False).ngroup().to_numpy() if by else np.zeros(len(rows), np.int64)
    column = (rows["end_at"].to_numpy("int64") - ends[0]) // _MINUTE_S if len(ends) else np.zeros(0, np.int64)
    value, calls = np.full((len(labels), len(ends)), np.nan), np.zeros((len(labels), len(ends)), np.int64)
    value[series, column], calls[series, column] = rows["value"], rows["calls"].astype("int64")
    if METRICS[metric].zero_when_idle and (span := data_span(store)) is not None:
        whole = (ends - width_s >= epoch_s(span[0])) & (ends <= epoch_s(span[1]) + _MINUTE_S)
        unreported = (calls > 0).any(axis=1) & np.isnan(value).all(axis=1)
        value[(calls == 0) & ~unreported.reshape(-1, 1)] = 0.0
        value[:, ~whole] = np.nan
    frame = pd.DataFrame({"end": times_of(np.tile(ends, len(labels)))})
    for name in by:
        frame[name] = labels[name].repeat(len(ends)).to_numpy()
    return with_labels(frame, by).assign(value=value.reshape(-1), calls=calls.reshape(-1))


def _ends(seconds: str) -> str:
    """The ends of the asked-for windows that a row of this time lies in, one row each."""
    first = f"(intDiv({seconds}, 60) + 1) * 60"
    ends = f"arrayMap(nth -> {first} + toInt64(nth) * 60, range(toUInt64({{minutes:Int64}})))"
    return f"arrayJoin(arrayFilter(one -> one >= {{first:Int64}} AND one <= {{last:Int64}}, {ends}))"


def _sums_sql(source: Rollup, columns: tuple[str, ...], selected: str, by: tuple[str, ...]) -> str:
    keys = "".join(f", t.{name} AS {name}" for name in by)
    values = "".join(f", toFloat64({source.column(name)}) AS {name}" for name in columns)
    names = ", ".join((*by, "end_at"))
    return f"""SELECT {_ends(f"toInt64(toUnixTimestamp(t.{source.time}))")} AS end_at{keys}{values}
    FROM {source.table} AS t
    WHERE t.{source.time} >= {{start:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}}{selected}
    GROUP BY {names} ORDER BY {names}"""


def _peaks_sql(source: Rollup, selected: str, by: tuple[str, ...]) -> str:
    keys = "".join(f", t.{name} AS {name}" for name in by)
    names = "".join(f", {name}" for name in by)
    return f"""SELECT {_ends("second_at")} AS end_at{names}, toFloat64(max(calls)) AS peak_tps
    FROM (SELECT toInt64(toUnixTimestamp(t.{source.time})) AS second_at{keys}, {source.column("calls")} AS calls
        FROM {source.table} AS t
        WHERE t.{source.time} >= {{start:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}}{selected}
        GROUP BY second_at{names})
    GROUP BY end_at{names}"""
