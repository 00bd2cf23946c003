"""Several metrics by the minute for many scopes at once: one question a table instead of one a scope.

Detection asks every minute for the same seven scopes; a question costs some 20 ms whatever it brings. Of weeks of minutes a few
values of one dimension are read at a time: rollups lie in the order of their dimensions, so that a part of the values is a part
of the table, while a part of the time is spread over nearly all of it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from core.series import ALL_CALLS
from storage.contract import Store, Value
from storage.frames import at_epoch_s, epoch_s, times_of, with_labels
from storage.prices import PricedSpan, add_priced, read_prices
from storage.rollups import Columns, Rollup, formula, needed, pick
from storage.selection import among_values

MINUTE_S = 60
DAY_S = 86_400

Scope = tuple[str, ...]


def read_scopes(
    store: Store,
    start: datetime,
    end: datetime,
    scopes: Sequence[Scope],
    metrics: Sequence[str],
    among: tuple[str, ...] = (),
) -> Iterator[tuple[Scope, pd.DataFrame]]:
    """Each scope with its frame, in any order; the same as `storage.series.read_panel` by the minute, for all calls.

    With `among`, of a single scope of one dimension, only these values of it.

    Raises ValueError for an unknown metric or dimension, and for a metric that needs more than a rollup by the minute.
    """
    if "peak_tps" in metrics:
        raise ValueError("peak_tps is not made of minutes; read it with read_panel")
    columns = needed(metrics)
    by_source: dict[str, tuple[Rollup, list[Scope]]] = {}
    for scope in scopes:
        source = pick(scope, columns, MINUTE_S)
        by_source.setdefault(source.table, (source, []))[1].append(scope)
    prices = read_prices(store) if "cost_usd" in columns else None
    first_s, end_s = epoch_s(start), -(-epoch_s(end) // MINUTE_S) * MINUTE_S
    for source, members in by_source.values():
        rows = _sums(store, source, members, columns, first_s, end_s, among)
        for scope, part in _by_scope(rows, members):
            if prices is not None:
                part = add_priced(store, part, _to_price(scope, first_s, end_s, among), prices)
            yield scope, _valued(part, scope, metrics)


def busy_values(
    store: Store, start: datetime, end: datetime, dimensions: Sequence[str], least_per_hour: float
) -> dict[str, list[str]]:
    """Values of each dimension with at least so many calls an hour, in order; the empty one (unknown) is left out.

    The hours are those of the span since the value's first call in it, a day at least.
    """
    parts = []
    for name in dimensions:
        source = pick((name,), ("calls",), MINUTE_S)
        parts.append(
            f"""SELECT '{name}' AS dimension, toString(t.{name}) AS value FROM {source.table} AS t
            WHERE t.{source.time} >= {{start:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}} AND t.{name} != ''
            GROUP BY value
            HAVING sum(t.calls) * 3600 >= {{least:Float64}} * least(
                greatest(toUnixTimestamp({{end:DateTime('UTC')}}) - toUnixTimestamp(min(t.{source.time})), {DAY_S}),
                toUnixTimestamp({{end:DateTime('UTC')}}) - toUnixTimestamp({{start:DateTime('UTC')}}))"""
        )
    params: dict[str, Value] = {"start": start, "end": end, "least": least_per_hour}
    rows = store.arrow(" UNION ALL ".join(parts), params).to_pylist()
    found: dict[str, list[str]] = {name: [] for name in dimensions}
    for row in sorted(rows, key=lambda row: str(row["value"])):
        found[row["dimension"]].append(str(row["value"]))
    return found


def _sums(
    store: Store,
    source: Rollup,
    scopes: Sequence[Scope],
    columns: Sequence[str],
    first_s: int,
    end_s: int,
    among: tuple[str, ...],
) -> pd.DataFrame:
    """Rows of all scopes one below the other: `scope` (its number), `step_at`, every dimension of any of them, the columns."""
    names = tuple(dict.fromkeys(name for scope in scopes for name in scope))
    sets = ", ".join(f"({', '.join(('step_at', *scope))})" for scope in scopes)
    # The bit of a dimension is set where it is left out; which scope that is follows from the dimensions that are there.
    present = "".join(f", toUInt8(grouping({name})) AS without_{name}" for name in names)
    values = "".join(f", toFloat64({source.column(name)}) AS {name}" for name in columns)
    within, params = among_values(names[0], among, "t") if among else ("", {})
    params |= {"start": at_epoch_s(first_s), "end": at_epoch_s(end_s)}
    rows = store.frame(
        f"""SELECT intDiv(toInt64(toUnixTimestamp(t.{source.time})), {MINUTE_S}) * {MINUTE_S} AS step_at
            {"".join(f", t.{name} AS {name}" for name in names)}{present}{values}
        FROM {source.table} AS t
        WHERE t.{source.time} >= {{start:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}}{within}
        GROUP BY GROUPING SETS ({sets})""",
        params,
    )
    place = {frozenset(scope): number for number, scope in enumerate(scopes)}
    weights = 2 ** np.arange(len(names))
    absent = np.stack([rows[f"without_{name}"].to_numpy("int64") for name in names], axis=1) if names else None
    codes = np.zeros(len(rows), np.int64) if absent is None else absent @ weights
    number_of = np.full(2 ** len(names), -1)
    for members, number in place.items():
        number_of[sum(int(weight) for weight, name in zip(weights, names, strict=True) if name not in members)] = number
    rows = rows.drop(columns=[f"without_{name}" for name in names])
    return with_labels(rows, names).assign(scope=number_of[codes])


def _by_scope(rows: pd.DataFrame, scopes: Sequence[Scope]) -> Iterator[tuple[Scope, pd.DataFrame]]:
    for number, scope in enumerate(scopes):
        others = [name for other in scopes for name in other if name not in scope]
        part = rows[rows["scope"] == number].drop(columns=["scope", *dict.fromkeys(others)])
        yield scope, part.sort_values([*scope, "step_at"], ignore_index=True)


def _valued(rows: pd.DataFrame, scope: Scope, metrics: Sequence[str]) -> pd.DataFrame:
    columns: Columns = {name: rows[name].to_numpy("float64") for name in rows.columns if name not in (*scope, "step_at")}
    values = {metric: formula(metric).value(columns, MINUTE_S) for metric in metrics}
    labels = {name: rows[name] for name in scope}
    return pd.DataFrame({"ts": times_of(rows["step_at"]), **labels, "calls": rows["calls"].astype("int64"), **values})


def _to_price(scope: Scope, first_s: int, end_s: int, among: tuple[str, ...]) -> PricedSpan:
    return PricedSpan(
        first_s=first_s, end_s=end_s, selector=ALL_CALLS, by=scope, column="step_at",
        step=lambda seconds: f"intDiv({seconds}, {MINUTE_S}) * {MINUTE_S}", params={}, hourly=False, among=among,
    )  # fmt: skip
