"""Which selections have their ceiling measured, and the minutes that it is measured by."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.ceiling import fit_ceiling, highest_within
from analytics.usl import Floats
from core.capacity import Fit
from core.config import ObjectiveSettings, Settings
from core.series import ALL_CALLS, Selector
from core.transactions import Transaction
from storage.contract import Store
from storage.overlap import read_overlap
from storage.series import read_panel
from storage.transaction_series import read_counts

HISTORY = timedelta(days=14)
_SCOPES: tuple[tuple[str, ...], ...] = ((), ("gateway",), ("service",), ("service", "route"))
_MOST_OF_A_SCOPE = 30
_STEP_S = 60
_LEAST_CALLS = 60
"""Calls of a minute: with fewer, throughput and latency are mostly noise, and noise bends the curve."""
_LONG_CALLS_S = 6.0
"""Mean latency, a tenth of the minute, from which Little's law of a minute is not to be relied on."""
_OVERLAP_HISTORY = timedelta(days=1)
_MOST_POINTS = 300
_SHOWN = 150
_BINS = 50
_METRICS = ("tps", "concurrency", "latency_p50", "latency_p90", "latency_p95", "latency_p99")


def measure_ceilings(store: Store, settings: Settings, end: datetime, made_at: datetime) -> list[Fit]:
    """Fit all traffic, the busiest gateways, services and routes, what limits and objectives select, and transactions.

    Concurrency is TPS times mean latency (Little's law), of the minutes before `end` that had enough calls. Where calls last so
    long that those of a minute are not the ones in flight, it is counted from single calls, as far back as the last day.
    """
    fits: dict[Selector, Fit] = {}
    for by in _SCOPES:
        panel = read_panel(store, end - HISTORY, end, _STEP_S, by, _METRICS)
        for selector, rows in _busiest(panel, by):
            fits[selector] = _fit(selector, _with_overlap(store, rows, selector, end), settings, made_at)
    for selector in _asked_for(settings):
        if selector not in fits:
            rows = read_panel(store, end - HISTORY, end, _STEP_S, (), _METRICS, selector=selector)
            fits[selector] = _fit(selector, _with_overlap(store, rows, selector, end), settings, made_at)
    return [*fits.values(), *(_of_transaction(store, settings, one, end, made_at) for one in settings.definitions)]


def _of_transaction(store: Store, settings: Settings, one: Transaction, end: datetime, made_at: datetime) -> Fit:
    """The ceiling of a transaction's calls, by its own counters; calls of unknown latency count with the mean of the others."""
    counts = read_counts(store, one, end - HISTORY, end, _STEP_S)
    latency_s = counts["latency_ms_sum"] / counts["latency_known"].where(counts["latency_known"] > 0) / 1000.0
    tps = counts["total"] / _STEP_S
    rows = counts.assign(calls=counts["total"], tps=tps, concurrency=tps * latency_s)
    return replace(_fit(ALL_CALLS, rows, settings, made_at), transaction=one.name, objective_tps=None, objective_failed=False)


def _with_overlap(store: Store, rows: pd.DataFrame, selector: Selector, end: datetime) -> pd.DataFrame:
    """The minutes, with throughput and concurrency from single calls where these last long."""
    calls = rows["calls"].sum()
    seconds = float((rows["concurrency"] * _STEP_S).sum()) / calls if calls else 0.0
    if seconds < _LONG_CALLS_S:
        return rows
    counted = read_overlap(store, end - _OVERLAP_HISTORY, end, _STEP_S, selector)
    latencies = rows.drop(columns=["calls", "tps", "concurrency"])
    return counted.merge(latencies, on="ts", how="left") if len(counted) else rows


def _asked_for(settings: Settings) -> list[Selector]:
    named = [limit.selector for limit in settings.limits] + [one.selector for one in settings.objectives if not one.transaction]
    return list(dict.fromkeys(Selector.of(labels) for labels in named))


def _busiest(panel: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[Selector, pd.DataFrame]]:
    if not by:
        return [(ALL_CALLS, panel)]
    known = panel[(panel[list(by)] != "").all(axis=1)]
    calls = known.groupby(list(by))["calls"].sum().sort_values(ascending=False, kind="stable")[:_MOST_OF_A_SCOPE]
    groups = dict(iter(known.groupby(list(by))))
    return [
        (Selector.of(dict(zip(by, _tuple(key), strict=True))), groups[_tuple(key)]) for key in calls.index
    ]  # fmt: skip


def _tuple(key: object) -> tuple[str, ...]:
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)


def _fit(selector: Selector, rows: pd.DataFrame, settings: Settings, made_at: datetime) -> Fit:
    busy = rows[(rows["calls"] >= _LEAST_CALLS) & rows["concurrency"].notna()]
    n, x = busy["concurrency"].to_numpy("float64"), busy["tps"].to_numpy("float64")
    chosen = _spread_out(n, _MOST_POINTS)
    ceiling = fit_ceiling(n[chosen], x[chosen])
    shown = _spread_out(n, _SHOWN)
    points = tuple(zip(n[shown].tolist(), x[shown].tolist(), strict=True))
    reached, failed = _objective(selector, busy, settings.objectives)
    return Fit(
        selector=selector, made_at=made_at, ceiling=ceiling, points=points, objective_tps=reached, objective_failed=failed
    )


def _objective(selector: Selector, rows: pd.DataFrame, objectives: tuple[ObjectiveSettings, ...]) -> tuple[float | None, bool]:
    """The lowest of what the selection's latency objectives allow."""
    found = []
    for one in objectives:
        if one.metric in rows.columns and one.at_most is not None and Selector.of(one.selector) == selector and len(rows):
            latency = rows[one.metric].to_numpy("float64")
            if np.isfinite(latency).any():
                found.append(highest_within(rows["tps"].to_numpy("float64"), latency, one.at_most))
    return min(found, default=(None, False), key=lambda pair: pair[0] or 0.0)


def _spread_out(concurrency: Floats, most: int) -> np.ndarray:
    """Positions of at most `most` measurements, rising: of each tenth-like range of concurrency as many, evenly over time.

    Busy minutes are rare, and they are what bends the curve.
    """
    if len(concurrency) <= most:
        return np.arange(len(concurrency))
    logs = np.log(np.maximum(concurrency, 1e-9))
    edges = np.linspace(logs.min(), logs.max() + 1e-9, _BINS + 1)
    place = np.clip(np.searchsorted(edges, logs, side="right") - 1, 0, _BINS - 1)
    each = most // _BINS
    kept = [inside[np.unique(np.linspace(0, len(inside) - 1, each).astype(int))] for inside in
            (np.flatnonzero(place == one) for one in range(_BINS)) if len(inside)]  # fmt: skip
    return np.sort(np.concatenate(kept))
