"""Hours: for long views and forecasts, made from the rollups by a job (or given by an import of history), kept for years.

A row is one selection over one hour. Of several rows for one hour the one with the highest (epoch, seq) holds. Hours without a
call have no row.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from core.series import ALL_CALLS, METRICS, Selector
from storage.contract import Store, Value
from storage.frames import Ints, at_epoch_s, epoch_s, frame_table, times_of, with_labels
from storage.prices import PricedSpan, add_priced
from storage.rollups import CALLS, CALLS_1S, PERCENTILES, SUMS_OF_CALLS, Columns, Rollup, formula, pick
from storage.selection import check_dimensions, within
from storage.sequence import next_seq

HOUR_S = 3600
LEVELS: tuple[str, ...] = ("peak_tps", *PERCENTILES)
"""Columns that are not sums; NULL where unknown."""

COUNT_WRITTEN = "SELECT toInt64(count()) AS hours FROM hours WHERE hour >= {start:DateTime('UTC')} AND seq = {seq:UInt64}"
HOURS_OF_ORIGIN = """
SELECT toInt64(count()) AS hours FROM hours
WHERE scope = 'global' AND origin = {origin:String} AND hour >= {start:DateTime('UTC')} AND hour < {end:DateTime('UTC')}"""
HOURS_SPAN = """SELECT toInt64(count()) AS hours, min(hour) AS first, max(hour) AS last
FROM hours WHERE scope = {scope:String}"""
_SPAN = "t.{time} >= {{start:DateTime('UTC')}} AND t.{time} < {{end:DateTime('UTC')}}"
_ORIGIN = "multiIf(countIf(t.origin = 'live') > 0, 'live', countIf(t.origin = 'import') > 0, 'import', 'generated')"
_COUNTERS = tuple(name for name in SUMS_OF_CALLS if name not in ("cost_usd", "latency_ms_sum"))
_SCHEMA = pa.schema(
    [
        pa.field("hour", pa.timestamp("s", tz="UTC")),
        *(pa.field(name, pa.string()) for name in ("scope", "selector")),
        *(pa.field(name, pa.uint64()) for name in _COUNTERS),
        *(pa.field(name, pa.float64()) for name in ("cost_usd", "latency_ms_sum", *LEVELS)),
    ]
)


def refresh_hours(
    store: Store,
    start: datetime,
    end: datetime,
    scopes: tuple[tuple[str, ...], ...],
    epoch: int,
    *,
    peaks_of_calls: bool = False,
) -> int:
    """Make the whole hours of the span anew from what is kept of them; returns how many rows were written.

    A scope is a tuple of dimensions: one row per hour and combination of their values, `()` for all calls. The hour of `start`
    is made as a whole, the hour that `end` cuts is left for later. The peak comes from the seconds, which are kept for a week;
    with `peaks_of_calls` from the single calls, which must all be there.
    """
    first, last = epoch_s(start) // HOUR_S * HOUR_S, epoch_s(end) // HOUR_S * HOUR_S
    seq = next_seq()
    params: dict[str, Value] = {"start": at_epoch_s(first), "end": at_epoch_s(last)}
    for scope in scopes:
        check_dimensions(scope)
        store.command(_refresh_sql(tuple(sorted(scope)), peaks_of_calls=peaks_of_calls), {**params, "epoch": epoch, "seq": seq})
    written = store.arrow(COUNT_WRITTEN, {"start": at_epoch_s(first), "seq": seq})
    return int(written.column("hours")[0].as_py())


def insert_hours(store: Store, frame: pd.DataFrame, *, origin: str, epoch: int) -> None:
    """Write hours that were made elsewhere (an import of hourly history, the demo's past), labelled with their origin.

    `frame` has `hour` (aware), `scope`, `selector` (canonical text) and any of the other columns of the table; counters that it
    lacks are 0, levels NULL (NaN is written as NULL). Raises ValueError that names a column which the table has not.
    """
    for name in frame.columns:
        if name not in _SCHEMA.names:
            raise ValueError(f"hours have no column {name!r}; choose from {', '.join(_SCHEMA.names)}")
    given = pa.schema(
        [field for field in _SCHEMA if field.name in frame.columns or field.name in ("hour", "scope", "selector")]
    )
    table = frame_table(given, frame)
    for number, name in enumerate(given.names):
        if name in LEVELS:
            table = table.set_column(number, given.field(number), pa.array(frame[name], pa.float64(), from_pandas=True))
    for name, value, kind in (("origin", origin, pa.string()), ("epoch", epoch, pa.uint64()), ("seq", next_seq(), pa.uint64())):
        table = table.append_column(pa.field(name, kind), pa.array([value] * len(frame), kind))
    store.insert("hours", table)


def read_hours(store: Store, metric: str, start: datetime, end: datetime, selector: Selector = ALL_CALLS) -> pd.DataFrame:
    """One metric of one selection by the hour, without gaps.

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`, every hour of the span between the first and the last hour that is known of any
    selection of this scope), `value` (`float64`; in hours without a call 0 for rates, NaN for levels) and `calls` (`int64`).
    """
    rows = read_hours_by(store, metric, start, end, (), selector=selector)
    known = hours_span(store, selector.dimensions)
    if known is None:
        return rows
    first = max(known[0], epoch_s(start) // HOUR_S * HOUR_S)
    last = min(known[1], -(-epoch_s(end) // HOUR_S) * HOUR_S - HOUR_S)
    dense = pd.DataFrame({"ts": times_of(np.arange(first, last + 1, HOUR_S))}).merge(rows, on="ts", how="left")
    dense["calls"] = dense["calls"].fillna(0).astype("int64")
    if METRICS[metric].zero_when_idle:
        dense.loc[dense["calls"] == 0, "value"] = 0.0
    return dense


def read_hours_by(
    store: Store, metric: str, start: datetime, end: datetime, by: tuple[str, ...], *, selector: Selector = ALL_CALLS
) -> pd.DataFrame:
    """One metric by the hour for every combination of `by`; only hours with calls.

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`), `*by` (`str`), `value` (`float64`, NaN where unknown) and `calls` (`int64`),
    sorted by (`*by`, `ts`). Empty where hours of this scope are not made.
    """
    wanted = formula(metric)
    rows = hour_rows(store, ("calls", *wanted.needs), epoch_s(start), epoch_s(end), selector, by)
    if "cost_usd" in wanted.needs:
        rows = add_priced(store, rows, _to_price(epoch_s(start), epoch_s(end), selector, by))
    columns: Columns = {name: rows[name].to_numpy("float64") for name in wanted.needs}
    return pd.DataFrame(
        {
            "ts": times_of(rows["step_at"]),
            **{name: rows[name] for name in by},
            "value": wanted.value(columns, HOUR_S),
            "calls": rows["calls"].astype("int64"),
        }
    )


def hour_rows(
    store: Store,
    columns: tuple[str, ...],
    first_s: int,
    end_s: int,
    selector: Selector,
    by: tuple[str, ...],
    *,
    among: Sequence[Sequence[str]] = (),
) -> pd.DataFrame:
    """Stored columns of the hours that begin in [first_s, end_s), sorted by (*by, step_at).

    `step_at` (int64, seconds since 1970), `*by` (str) and the columns as float64, NaN where unknown; with `among` only these
    combinations of `by`.
    """
    where, params = _hours_of(first_s, end_s, selector, by, among)
    values = "".join(f", toNullable(toFloat64(t.{name})) AS {name}" for name in dict.fromkeys(columns))
    frame = store.frame(
        f"""SELECT toInt64(toUnixTimestamp(t.hour)) AS step_at, t.selector AS selector{values}
        FROM hours AS t FINAL WHERE {where} ORDER BY selector, step_at""",
        params,
    )
    frame = _split_selectors(frame, by)
    return frame.sort_values([*by, "step_at"], ignore_index=True) if by else frame


def hour_totals(
    store: Store, columns: tuple[str, ...], first_s: int, end_s: int, selector: Selector, by: tuple[str, ...]
) -> pd.DataFrame:
    """The same added up over all those hours, one row a combination, with `step_at` 0; folded as in `fold_hours`."""
    where, params = _hours_of(first_s, end_s, selector, by, ())
    values = "".join(f", toFloat64({_folded(name)}) AS {name}" for name in dict.fromkeys(columns))
    frame = store.frame(
        f"SELECT toInt64(0) AS step_at, t.selector AS selector{values} FROM hours AS t FINAL WHERE {where} GROUP BY selector",
        params,
    )
    return _split_selectors(frame, by)


def _hours_of(
    first_s: int, end_s: int, selector: Selector, by: tuple[str, ...], among: Sequence[Sequence[str]]
) -> tuple[str, dict[str, Value]]:
    check_dimensions(by)
    selected, params = within(selector, "t.selector")
    params |= {"start": at_epoch_s(first_s), "end": at_epoch_s(end_s), "scope": scope_name({*by, *selector.dimensions})}
    if among:
        selected += " AND has({among:Array(String)}, t.selector)"
        labels = [{**selector.labels, **dict(zip(by, values, strict=True))} for values in among]
        params["among"] = [str(Selector.of(one)) for one in labels]
    return f"t.scope = {{scope:String}} AND {_SPAN.format(time='hour')}{selected}", params


def _folded(name: str) -> str:
    if name in PERCENTILES:
        return f"sum(t.{name} * t.calls) / sumIf(t.calls, t.{name} IS NOT NULL)"
    return "max(t.peak_tps)" if name == "peak_tps" else f"sum(t.{name})"


def _split_selectors(frame: pd.DataFrame, by: tuple[str, ...]) -> pd.DataFrame:
    """The values of `by` in columns of their own instead of the selectors' texts."""
    codes, texts = pd.factorize(frame["selector"])
    parsed = [Selector.parse(text).labels for text in texts]
    for name in by:
        frame[name] = np.asarray([one[name] for one in parsed], dtype=object)[codes]
    return with_labels(frame.drop(columns="selector"), by)


def _to_price(first_s: int, end_s: int, selector: Selector, by: tuple[str, ...]) -> PricedSpan:
    """The hours that begin in [first_s, end_s), each as a whole."""
    return PricedSpan(
        first_s=-(-first_s // HOUR_S) * HOUR_S,
        end_s=-(-end_s // HOUR_S) * HOUR_S,
        selector=selector,
        by=by,
        column="step_at",
        step=lambda seconds: f"intDiv({seconds}, {HOUR_S}) * {HOUR_S}",
        params={},
        hourly=True,
    )


def has_hours_of(store: Store, origin: str, start: datetime, end: datetime) -> bool:
    """Whether some hour of all calls in the span is labelled with this origin."""
    params: dict[str, Value] = {"origin": origin, "start": start, "end": end}
    return bool(store.arrow(HOURS_OF_ORIGIN, params).column("hours")[0].as_py())


def hours_span(store: Store, dimensions: tuple[str, ...]) -> tuple[int, int] | None:
    """First and last hour (seconds since 1970) of which any selection over these dimensions is known."""
    row = store.arrow(HOURS_SPAN, {"scope": scope_name(dimensions)}).to_pylist()[0]
    return (epoch_s(row["first"]), epoch_s(row["last"])) if row["hours"] else None


def fold_hours(rows: pd.DataFrame, columns: tuple[str, ...], by: tuple[str, ...], step_s: int) -> pd.DataFrame:
    """Hours folded into longer steps: sums of sums, the highest peak.

    Percentiles of several hours cannot be had from percentiles: what comes out is their mean, weighted by the calls.
    """
    steps: Ints = rows["step_at"].to_numpy("int64") // step_s * step_s
    folded = rows.assign(step_at=steps)
    for name in columns:
        if name in PERCENTILES:
            folded[f"weight:{name}"] = folded["calls"].where(folded[name].notna())
            folded[name] = folded[name] * folded["calls"]
    grouped = folded.groupby([*by, "step_at"], sort=True)
    result = grouped[[name for name in columns if name != "peak_tps"]].sum(min_count=1)
    if "peak_tps" in columns:
        result["peak_tps"] = grouped["peak_tps"].max()
    for name in columns:
        if name in PERCENTILES:
            result[name] = result[name] / grouped[f"weight:{name}"].sum(min_count=1)
    return result.reset_index()


def scope_name(dimensions: Iterable[str]) -> str:
    return ",".join(sorted(dimensions)) or "global"


def _refresh_sql(scope: tuple[str, ...], *, peaks_of_calls: bool) -> str:
    source = pick(scope, ("calls", "latency_p50"), HOUR_S)
    seconds = CALLS_1S if CALLS_1S.answers(scope, ("calls",), 1) and not peaks_of_calls else CALLS
    keys = "".join(f", t.{name} AS {name}" for name in scope)
    names = "".join(f", {name}" for name in scope)
    sums = "".join(f", {source.column(name)} AS {name}" for name in SUMS_OF_CALLS)
    percentiles = "".join(f", {source.column(name)} AS {name}" for name in PERCENTILES)
    known = ", ".join(f"if(isNaN({name}), NULL, toFloat64({name})) AS {name}_or_null" for name in PERCENTILES)
    made = ", ".join(SUMS_OF_CALLS)
    return f"""
    INSERT INTO hours (hour, scope, selector, origin, {made}, peak_tps, {", ".join(PERCENTILES)}, epoch, seq)
    SELECT hour_at, '{scope_name(scope)}', {_selector_sql(scope)}, origin_of_hour, {made}, peak_tps, {known},
        {{epoch:UInt64}}, {{seq:UInt64}}
    FROM (SELECT {_hour_of(source)} AS hour_at{keys}, {_ORIGIN} AS origin_of_hour{sums}{percentiles}
        FROM {source.table} AS t WHERE {_SPAN.format(time=source.time)} GROUP BY hour_at{names}) AS made
    LEFT JOIN (SELECT toStartOfHour(second_at) AS hour_at{names}, toNullable(toFloat64(max(calls))) AS peak_tps
        FROM (SELECT toDateTime(t.{seconds.time}, 'UTC') AS second_at{keys}, {seconds.column("calls")} AS calls
            FROM {seconds.table} AS t WHERE {_SPAN.format(time=seconds.time)} GROUP BY second_at{names})
        GROUP BY hour_at{names}) AS peaks
    USING (hour_at{names})"""


def _hour_of(source: Rollup) -> str:
    return f"toStartOfHour(toDateTime(t.{source.time}, 'UTC'))"


def _selector_sql(scope: tuple[str, ...]) -> str:
    """The canonical text of `core.series.Selector`, made of the columns."""
    pairs = [rf"""'{name}="', replaceAll(replaceAll({name}, '\\', '\\\\'), '"', '\\"'), '"'""" for name in scope]
    return "concat('', " + ", ',', ".join(pairs) + ")" if pairs else "''"
