"""Objectives that history would have kept with something to spare: of transactions, and of the busiest services."""

import math
from datetime import datetime, timedelta
from typing import Any

from analytics.objectives import SHARES, suggested_latency, suggested_share, suggested_tps
from core.config import Settings
from core.durations import format_duration
from core.objective_words import good_words
from core.transactions import Transaction
from render.units import format_number, format_value
from storage.contract import Store
from storage.spans import read_spans
from storage.transaction_series import read_counts, read_transaction_series

LEAST_CALLS = 1000

_DAY = timedelta(days=1)
_DAYS = 28
_DAY_S = 86_400
_MOST_SERVICES = 10
_SLOW = 0.0075
_HELD = 0.95
"""Of the minutes: the rate is one that 99 of 100 reached, so that four more may be lost."""

Found = list[dict[str, Any]]


def suggestions(store: Store, settings: Settings, end: datetime) -> Found:
    """As configuration: transactions first."""
    found = [one for definition in settings.definitions for one in _of_transaction(store, definition, end)]
    return found + _of_services(store, end)


def _of_transaction(store: Store, one: Transaction, end: datetime) -> Found:
    """From its own counters: the share of good calls, "99 % within", and the rate that its minutes reached."""
    days = read_counts(store, one, end - _DAYS * _DAY, end, _DAY_S)
    known, total = int(days["known"].sum()), int(days["total"].sum())
    if total < LEAST_CALLS:
        return []
    bad = 1.0 - int(days["good"].sum()) / known if known else math.nan
    daily = [value for value in days["latency_p99"].tolist() if math.isfinite(value)]
    minutes = read_transaction_series(store, one, "tps", end - _DAYS * _DAY, end)
    reached = minutes.loc[minutes["counted"], "value"].tolist()
    share, limit, tps = suggested_share(bad), suggested_latency(daily), suggested_tps(reached)
    # What is bad is not fast either. The limit lies above the P99, so some of the hundredth is left for it.
    fast = next((allowed for allowed in SHARES if allowed >= _SLOW + bad), None)
    why = f"the last {_DAYS} days: {{}}, {format_number(float(total))} calls"
    found: Found = []
    if share is not None:
        said = why.format(f"{good_words(bad)} good")
        found.append({"name": f"{one.name}-good", "target": _percent(1.0 - share), "description": said})
    if limit is not None and fast is not None:
        said = why.format(f"P99 up to {format_value(max(daily), 'ms')} a day")
        under = format_duration(timedelta(milliseconds=limit))
        found.append({"name": f"{one.name}-fast", "target": _percent(1.0 - fast), "under": under, "description": said})
    if tps is not None:
        said = why.format(f"99 of 100 minutes had {format_number(tps)} calls/s and more")
        found.append({"name": f"{one.name}-tps", "target": _percent(_HELD), "at_least": tps, "description": said})
    return [{"name": entry.pop("name"), "transaction": one.name, **entry} for entry in found]


def _of_services(store: Store, end: datetime) -> Found:
    days = [(end - (day + 1) * _DAY, end - day * _DAY) for day in range(_DAYS)]
    errors = read_spans(store, "error_rate", [(end - _DAYS * _DAY, end)], by=("service",))
    busiest = errors[errors["calls"] >= LEAST_CALLS].sort_values("calls", ascending=False).head(_MOST_SERVICES)
    latency = read_spans(store, "latency_p99", days, by=("service",))
    found: Found = []
    for row in busiest.to_dict("records"):
        service = str(row["service"])
        daily = latency.loc[latency["service"] == service, "value"].tolist()
        for metric, limit, was in (
            ("error_rate", suggested_share(float(row["value"])), format_value(float(row["value"]), "1")),
            ("latency_p99", suggested_latency(daily), f"up to {format_value(max(daily, default=math.nan), 'ms')} a day"),
        ):
            if limit is not None:
                why = f"the last {_DAYS} days: {was}, {format_number(float(row['calls']))} calls"
                name = f"{service or 'unnamed'}-{metric}"
                found.append(
                    {"name": name, "metric": metric, "selector": {"service": service}, "at_most": limit, "description": why}
                )
    return found


def _percent(share: float) -> str:
    return f"{round(100.0 * share, 6):g}%"
