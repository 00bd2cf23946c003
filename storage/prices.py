"""The price table in the store, and what it makes of tokens for which no cost was reported.

Prices are applied when costs are read: rollups keep the tokens by class of every call without a reported cost
(`migrations/0011_capacity.sql`), so a corrected table prices history anew. What no price fits stays unpriced and counted.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import orjson
import pandas as pd
import pyarrow as pa

from core.prices import TOKEN_CLASSES, PriceTable, TokenPrice
from core.record import TS_TYPE
from core.series import Selector
from storage.contract import Store, Value
from storage.frames import EVENT_FIELDS, at_epoch_s, events_table, with_labels
from storage.rollups import SUMS_OF_CALLS
from storage.selection import among_values, matching

LATEST = "SELECT body FROM prices ORDER BY epoch DESC, seq DESC LIMIT 1"
_SCHEMA = pa.schema([pa.field("at", TS_TYPE), pa.field("body", pa.string()), *EVENT_FIELDS])
_DIMENSIONS = frozenset({"provider", "account", "model", "gateway", "service", "route", "tenant"})
_OF_CALLS = "t.cost_usd IS NULL AND (t.prompt_tokens IS NOT NULL OR t.completion_tokens IS NOT NULL)"
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def write_prices(store: Store, table: PriceTable, at: datetime, epoch: int) -> bool:
    """Put a price table in force; returns False, and writes nothing, where it is in force already."""
    body = orjson.dumps([asdict(price) for price in table.prices]).decode()
    if body == (_latest(store) or "[]"):
        return False
    store.insert("prices", events_table(_SCHEMA, [None], epoch, at=[at], body=[body]))
    return True


def read_prices(store: Store) -> PriceTable:
    """The price table in force; without any price before the first was written."""
    rows = orjson.loads(_latest(store) or "[]")
    return PriceTable(tuple(TokenPrice(**{**row, "valid_from": datetime.fromisoformat(row["valid_from"])}) for row in rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedSpan:
    """What is to be priced: calls in [first_s, end_s), seconds since 1970, of a selection, by dimensions and step.

    Attributes
    ----------
    step : callable
        From the seconds since 1970 of a row to the expression of its step (or steps), which is named `column`.
    params : mapping
        What that expression binds.
    among : tuple of str
        Only these values of the one dimension of `by`; empty: all.
    hourly : bool
        Whether steps are made of whole hours, of which tokens are kept for good.
    """

    first_s: int
    end_s: int
    selector: Selector
    by: tuple[str, ...]
    column: str
    step: Callable[[str], str]
    params: dict[str, Value]
    hourly: bool
    among: tuple[str, ...] = ()


def add_priced(store: Store, rows: pd.DataFrame, span: PricedSpan, table: PriceTable | None = None) -> pd.DataFrame:
    """The rows with priced tokens added to `cost_usd`, and the calls that got a price no longer among `unpriced`.

    `rows` has `*by`, the span's `column`, `cost_usd` and `unpriced`, one row a step. Without a `table` that in force is read.
    """
    table = read_prices(store) if table is None else table
    if not table.prices or rows.empty:
        return rows
    found = _priced(store, table, span)
    if found.empty:
        return rows
    both = rows.merge(found, on=[*span.by, span.column], how="left")
    priced = both["priced_usd"].notna().to_numpy()
    for name, change in (("cost_usd", both["priced_usd"]), ("unpriced", -both["priced_calls"])):
        rows[name] = rows[name].astype("float64") + change.fillna(0.0).to_numpy() * priced
    return rows.assign(unpriced=rows["unpriced"].clip(lower=0.0))


def unpriced_models(store: Store, start: datetime, end: datetime) -> dict[tuple[str, str], int]:
    """Calls with tokens but without a reported cost and without a price, by provider and model."""
    table = read_prices(store)
    rows = _tokens(store, table, _whole(start, end))
    calls: dict[tuple[str, str], int] = {}
    for price, provider, model, count in zip(
        _prices(table, rows), rows["of_provider"], rows["of_model"], rows["priced_calls"], strict=True
    ):
        if price is None:
            calls[provider, model] = calls.get((provider, model), 0) + int(count)
    return calls


def _priced(store: Store, table: PriceTable, span: PricedSpan) -> pd.DataFrame:
    """`*by`, the step, `priced_usd` and `priced_calls`; only what some price fits."""
    rows = _tokens(store, table, span)
    prices = _prices(table, rows)
    tokens = [dict(zip(TOKEN_CLASSES, row, strict=True)) for row in rows[list(TOKEN_CLASSES)].to_numpy("float64").tolist()]
    costs = [price.cost_usd(row) for price, row in zip(prices, tokens, strict=True) if price is not None]
    rows = rows[[price is not None for price in prices]].assign(priced_usd=costs)
    return rows.groupby([*span.by, span.column], sort=False)[["priced_usd", "priced_calls"]].sum().reset_index()


def _prices(table: PriceTable, rows: pd.DataFrame) -> list[TokenPrice | None]:
    """The price of each row, by its provider, model and period."""
    begins = (_FIRST, *table.changes)
    return [
        table.at(str(provider), str(model), begins[int(period)])
        for provider, model, period in zip(rows["of_provider"], rows["of_model"], rows["period"], strict=True)
    ]


def _tokens(store: Store, table: PriceTable, span: PricedSpan) -> pd.DataFrame:
    """Tokens by class per step, combination of `by`, provider, model and period between two changes of prices."""
    needed = {*span.by, *span.selector.dimensions}
    source, time = ("unpriced_1h", "hour") if span.hourly else ("unpriced_1m", "minute")
    only, values = "", {name: f"sum(t.{name})" for name in TOKEN_CLASSES}
    count = "sum(t.calls)"
    if not needed <= _DIMENSIONS:
        source, time, only, count = "calls", "ts", f" AND {_OF_CALLS}", "count()"
        values = {name: SUMS_OF_CALLS[name] for name in TOKEN_CLASSES}
    selected, labels = matching(span.selector, "t")
    within, values_of_by = among_values(span.by[0], span.among, "t") if span.among else ("", {})
    keys = "".join(f", t.{name} AS {name}" for name in span.by)
    names = "".join(f", {name}" for name in span.by)
    sums = "".join(f", toFloat64({value}) AS {name}" for name, value in values.items())
    rows = store.frame(
        f"""SELECT {span.step(f"toInt64(toUnixTimestamp(t.{time}))")} AS {span.column}{keys},
            t.provider AS of_provider, t.model AS of_model,
            toInt64(arrayCount(change -> change <= toInt64(toUnixTimestamp(t.{time})), {{changes:Array(Int64)}})) AS period,
            toFloat64({count}) AS priced_calls{sums}
        FROM {source} AS t
        WHERE t.{time} >= {{start:DateTime('UTC')}} AND t.{time} < {{end:DateTime('UTC')}}{only}{selected}{within}
        GROUP BY {span.column}{names}, of_provider, of_model, period""",
        {
            "start": at_epoch_s(span.first_s),
            "end": at_epoch_s(span.end_s),
            "changes": [int(change.timestamp()) for change in table.changes],
            **span.params,
            **labels,
            **values_of_by,
        },
    )
    return with_labels(rows, (*span.by, "of_provider", "of_model"))


def _whole(start: datetime, end: datetime) -> PricedSpan:
    return PricedSpan(
        first_s=int(start.timestamp()), end_s=int(end.timestamp()), selector=Selector(), by=(), column="step_at",
        step=lambda seconds: "toInt64(0)", params={}, hourly=False,
    )  # fmt: skip


def _latest(store: Store) -> str | None:
    rows = store.arrow(LATEST).column("body").to_pylist()
    return str(rows[0]) if rows else None
