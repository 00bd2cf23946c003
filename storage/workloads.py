"""Workloads counted from the single calls: no call's content is read, only when calls came, of which route, and how large."""

import math
from datetime import datetime, timedelta

import numpy as np

from core.series import Selector
from core.workload import SIZES, SLICE_S, Workload, WorkloadRoute
from storage.contract import Store, Value
from storage.selection import matching

_LEVELS = ", ".join(f"{number / 100:g}" for number in range(101))
_SPAN = "t.ts >= {start:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')}"
_SLICES = """
SELECT toInt64(intDiv(toUnixTimestamp(toDateTime(t.ts)) - {first:Int64}, {slice:Int64})) AS slice, toInt64(count()) AS calls
FROM calls AS t WHERE <WHERE> GROUP BY slice
"""
_SIZES = ", ".join(
    f"toInt64(count(t.{name})) AS {name}_known, quantilesTDigestIf({_LEVELS})(toFloat64(ifNull(t.{name}, 0)), "
    f"t.{name} IS NOT NULL) AS {name}"
    for name in SIZES
)
_ROUTES = f"""
SELECT t.service AS service, t.method AS method, t.route AS route, t.kind AS kind, t.model AS model,
    toInt64(count()) AS calls, {_SIZES}
FROM calls AS t WHERE <WHERE> GROUP BY service, method, route, kind, model
ORDER BY calls DESC, service, method, route, kind, model LIMIT {{most:UInt64}}
"""
# Of the last calls alone: to put many millions in order of tenant and time takes long.
_PAUSES = f"""
SELECT toInt64(count()) AS pauses, quantilesTDigest({_LEVELS})(pause) AS quantiles FROM (
    SELECT (ms - lagInFrame(ms, 1, ms) OVER (
            PARTITION BY tenant ORDER BY ms ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) / 1000 AS pause
    FROM (SELECT t.tenant AS tenant, toUnixTimestamp64Milli(t.ts) AS ms FROM calls AS t
        WHERE <WHERE> AND t.tenant != '' ORDER BY t.ts DESC LIMIT {{most:UInt64}}))
WHERE pause > 0 AND pause < {{longest:Float64}}
"""
_MOST_ROUTES = 500
_MOST_PAUSES = 1_000_000
_LEAST_PAUSES = 100
_LONGEST_PAUSE_S = 1800.0
_HOUR = timedelta(hours=1)


def read_workload(store: Store, start: datetime, end: datetime, selector: Selector) -> Workload | None:
    """The workload of whole hours [start, end); None where there is no call."""
    selected, labels = matching(selector, "t")
    params: dict[str, Value] = {"start": start, "end": end, **labels}
    where = _SPAN + selected
    asked = {**params, "first": int(start.timestamp()), "slice": SLICE_S}
    rows = store.frame(_SLICES.replace("<WHERE>", where), asked)
    if rows.empty:
        return None
    slices = np.zeros(int((end - start) / timedelta(seconds=SLICE_S)))
    slices[rows["slice"].to_numpy("int64")] = rows["calls"].to_numpy("float64")
    by_hour = slices.reshape(-1, int(_HOUR / timedelta(seconds=SLICE_S)))
    return Workload(
        start=start,
        end=end,
        selector=selector,
        hours=tuple(int(calls) for calls in by_hour.sum(axis=1)),
        burstiness=_burstiness(by_hour),
        think_s=_pauses(store, where, params),
        routes=_routes(store, where, params),
    )


def _burstiness(by_hour: np.ndarray) -> float:
    """How much the rate varies beyond what chance (Poisson) makes of an even one."""
    means = by_hour.mean(axis=1)
    some = means > 0
    excess = by_hour[some].var(axis=1, ddof=1) - means[some]
    return math.sqrt(max(float(excess.sum() / (means[some] ** 2).sum()), 0.0))


def _pauses(store: Store, where: str, params: dict[str, Value]) -> tuple[float, ...]:
    asked = {**params, "most": _MOST_PAUSES, "longest": _LONGEST_PAUSE_S}
    row = store.arrow(_PAUSES.replace("<WHERE>", where), asked).to_pylist()[0]
    return tuple(float(value) for value in row["quantiles"]) if row["pauses"] >= _LEAST_PAUSES else ()


def _routes(store: Store, where: str, params: dict[str, Value]) -> tuple[WorkloadRoute, ...]:
    """The busiest routes; what is beyond `_MOST_ROUTES` is left out, and the shares are of the rest."""
    rows = store.arrow(_ROUTES.replace("<WHERE>", where), {**params, "most": _MOST_ROUTES}).to_pylist()
    total = sum(row["calls"] for row in rows)
    return tuple(
        WorkloadRoute(
            **{name: row[name] for name in ("service", "method", "route", "kind", "model")},
            share=row["calls"] / total,
            sizes={
                name: (row[f"{name}_known"] / row["calls"], tuple(float(value) for value in row[name]))
                for name in SIZES
                if row[f"{name}_known"]
            },
        )
        for row in rows
    )
