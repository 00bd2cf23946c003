"""Ceilings, the outlook of limits, and tagged load tests: of several rows with one key the latest holds."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from core.capacity import Against, Ceiling, CeilingState, Estimate, Fit, LimitOutlook, LoadRun, MeasuredLoad, ServingCost
from core.record import TS_TYPE
from core.series import Selector
from storage.contract import Store, Value
from storage.frames import EVENT_FIELDS, events_table, moment, moment_or_none

# What the last run of the job did not write any more (a limit that was removed) is older than what it wrote, and left out.
LATEST_FITS = """
SELECT body FROM fits WHERE made_at = (SELECT max(made_at) FROM fits)
ORDER BY selector, epoch DESC, seq DESC
LIMIT 1 BY selector, JSONExtractString(body, 'against'), JSONExtractString(body, 'transaction')"""
LATEST_COSTS = """
SELECT body FROM serving_costs WHERE made_at = (SELECT max(made_at) FROM serving_costs)
ORDER BY selector, epoch DESC, seq DESC LIMIT 1 BY selector"""
LATEST_LIMITS = """
SELECT body FROM limits WHERE made_at = (SELECT max(made_at) FROM limits)
ORDER BY name, epoch DESC, seq DESC LIMIT 1 BY name"""
RUNS = """
SELECT id, name, selector, note, started_at, ended_at FROM (
    SELECT id, name, selector, note, started_at, ended_at FROM runs ORDER BY id, epoch DESC, seq DESC LIMIT 1 BY id)
ORDER BY started_at DESC, id LIMIT {most:UInt64}"""
PAST_FORECASTS = """
SELECT version, min(ts) AS first FROM forecasts
WHERE metric = {metric:String} AND selector = {selector:String}
    AND made_at >= {since:DateTime64(3, 'UTC')} AND made_at < {until:DateTime64(3, 'UTC')}
GROUP BY version ORDER BY first DESC"""
_FITS = pa.schema(
    [pa.field("selector", pa.string()), pa.field("made_at", TS_TYPE), pa.field("body", pa.string()), *EVENT_FIELDS]
)
_LIMITS = pa.schema(
    [
        pa.field("name", pa.string()),
        pa.field("made_at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("kind", "selector")),
        *(pa.field(name, pa.float64()) for name in ("probability", "headroom")),
        pa.field("early_at", TS_TYPE),
        pa.field("body", pa.string()),
        *EVENT_FIELDS,
    ]
)
_RUNS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "name", "selector", "note")),
        *(pa.field(name, TS_TYPE) for name in ("started_at", "ended_at")),
        *EVENT_FIELDS,
    ]
)


def write_fits(store: Store, fits: list[Fit], epoch: int) -> None:
    """Write the ceilings of one run of the job, all with one `made_at`."""
    if fits:
        bodies = [_body(fit) for fit in fits]
        store.insert("fits", events_table(_FITS, fits, epoch, selector=[str(fit.selector) for fit in fits], body=bodies))


def read_fits(store: Store) -> list[Fit]:
    """The ceilings of the last run, by selector."""
    return [_fit(orjson.loads(row)) for row in store.arrow(LATEST_FITS).column("body").to_pylist()]


def write_limits(store: Store, limits: list[LimitOutlook], epoch: int) -> None:
    """Write the outlook of all limits of one run of the job, all with one `made_at`."""
    if limits:
        made: dict[str, list[object]] = {
            "selector": [str(one.selector) for one in limits],
            "probability": [_known(one.probability) for one in limits],
            "headroom": [_known(one.headroom) for one in limits],
            "body": [_body(one) for one in limits],
        }
        store.insert("limits", events_table(_LIMITS, limits, epoch, **made))


def read_limits(store: Store) -> list[LimitOutlook]:
    """The outlook of the last run, by name."""
    return [_limit(orjson.loads(row)) for row in store.arrow(LATEST_LIMITS).column("body").to_pylist()]


def write_costs(store: Store, costs: list[ServingCost], epoch: int) -> None:
    """Write what it costs to serve the forecasts, all with one `made_at`."""
    if costs:
        bodies = [_body(one) for one in costs]
        store.insert(
            "serving_costs", events_table(_FITS, costs, epoch, selector=[str(one.selector) for one in costs], body=bodies)
        )


def read_costs(store: Store) -> list[ServingCost]:
    """What it costs to serve the forecasts, as of the last run, by selector."""
    return [_cost(orjson.loads(row)) for row in store.arrow(LATEST_COSTS).column("body").to_pylist()]


def write_run(store: Store, run: LoadRun, epoch: int = 0) -> None:
    """Note the begin or the end of a load test; a later note of the same id replaces the former."""
    store.insert("runs", events_table(_RUNS, [run], epoch, selector=[str(run.selector)]))


def read_runs(store: Store, limit: int = 100) -> list[LoadRun]:
    """Tagged load tests, newest first."""
    return [
        LoadRun(
            id=row["id"],
            name=row["name"],
            selector=Selector.parse(row["selector"]),
            note=row["note"],
            started_at=moment(row["started_at"]),
            ended_at=moment_or_none(row["ended_at"]),
        )
        for row in store.arrow(RUNS, {"most": limit}).to_pylist()
    ]


def past_forecasts(
    store: Store, metric: str, selector: Selector, since: datetime, until: datetime
) -> list[tuple[str, datetime]]:
    """Versions of forecasts of a series that were made in the span, newest first, with the first time that each is of."""
    params: dict[str, Value] = {"metric": metric, "selector": str(selector), "since": since, "until": until}
    return [(row["version"], moment(row["first"])) for row in store.arrow(PAST_FORECASTS, params).to_pylist()]


def _body(item: Fit | LimitOutlook | ServingCost) -> str:
    """JSON; NaN and infinities as text, which JSON has no numbers for."""
    return orjson.dumps(_texts({**asdict(item), "selector": str(item.selector)})).decode()


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _texts(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(one) for one in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _estimate(body: dict[str, Any]) -> Estimate:
    return Estimate(**{name: float(value) for name, value in body.items()})


def _fit(body: dict[str, Any]) -> Fit:
    ceiling = body["ceiling"]
    estimates = {name: _estimate(ceiling[name]) for name in ("gamma", "sigma", "kappa", "peak_tps", "peak_concurrency")}
    load = {name: int(value) if name == "points" else float(value) for name, value in ceiling["load"].items()}
    return Fit(
        selector=Selector.parse(body["selector"]),
        made_at=datetime.fromisoformat(body["made_at"]),
        ceiling=Ceiling(
            state=CeilingState(ceiling["state"]),
            load=MeasuredLoad(**load),  # type: ignore[arg-type]  # whole numbers and floats by name
            reason=ceiling["reason"],
            advice=ceiling["advice"],
            **estimates,
        ),
        points=tuple((float(n), float(x)) for n, x in body["points"]),
        objective_tps=body["objective_tps"],
        objective_failed=body["objective_failed"],
        against=Against(body.get("against", Against.CONCURRENCY)),  # earlier versions knew no other, and no transactions
        transaction=body.get("transaction", ""),
    )


def _cost(body: dict[str, Any]) -> ServingCost:
    return ServingCost(
        selector=Selector.parse(body["selector"]),
        calls_usd=_estimate(body["calls_usd"]),
        curve=tuple((float(tps), float(usd)) for tps, usd in body["curve"]),
        passes=tuple((name, float(tps), datetime.fromisoformat(at)) for name, tps, at in body["passes"]),
        made_at=datetime.fromisoformat(body["made_at"]),
        first=datetime.fromisoformat(body["first"]),
        until=datetime.fromisoformat(body["until"]),
        instances_usd=float(body["instances_usd"]),
        usd_per_call=float(body["usd_per_call"]),
        per_extra_100_tps=float(body["per_extra_100_tps"]),
        instances_now=body.get("instances_now", 0),  # earlier versions did not say
        instances_most=body.get("instances_most", 0),
        more_instances_at=(at := body.get("more_instances_at")) and datetime.fromisoformat(at),
    )


def _limit(body: dict[str, Any]) -> LimitOutlook:
    times = {name: body[name] and datetime.fromisoformat(body[name]) for name in ("until", "early_at", "likely_at", "late_at")}
    return LimitOutlook(
        name=body["name"],
        kind=body["kind"],
        selector=Selector.parse(body["selector"]),
        unit=body["unit"],
        made_at=datetime.fromisoformat(body["made_at"]),
        limit=_estimate(body["limit"]),
        now=float(body["now"]),
        probability=float(body["probability"]),
        headroom=float(body["headroom"]),
        minutes=body["minutes"] and _estimate(body["minutes"]),
        words=body["words"],
        by_day=tuple(float(one) for one in body.get("by_day", ())),  # outlooks of before have none
        **times,
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
