"""What it costs to serve a forecast: its calls, its instances in whole steps, and what 100 calls/s more would cost."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.headroom import paths_of
from analytics.paths import Persistence
from analytics.usl import Floats
from core.capacity import Estimate, ServingCost
from core.config import InstancePriceSettings, ObjectiveSettings, Settings
from core.series import ALL_CALLS, Selector
from core.types import QUANTILE_COLUMNS
from storage.contract import Store
from storage.forecasts import read_forecast

_CURVE = 21
_EXTRA_TPS = 100.0


def serving_costs(store: Store, settings: Settings, now: datetime, made_at: datetime) -> list[ServingCost]:
    """For all traffic and for what instance prices select, as far as their throughput is forecast."""
    selectors = dict.fromkeys([ALL_CALLS, *(Selector.of(one.selector) for one in settings.prices.instances)])
    found = []
    for selector in selectors:
        tps, cost = (_points(store, metric, selector, now) for metric in ("tps", "cost_per_h"))
        if tps is None:
            continue
        instances = [one for one in settings.prices.instances if Selector.of(one.selector) == selector]
        objectives = [one for one in settings.objectives if not one.transaction and Selector.of(one.selector) == selector]
        found.append(serving_cost(selector, tps, cost, instances, objectives, settings.forecast.seed, made_at))
    return found


def serving_cost(
    selector: Selector,
    tps: pd.DataFrame,
    cost: pd.DataFrame | None,
    instances: list[InstancePriceSettings],
    objectives: list[ObjectiveSettings],
    seed: int,
    made_at: datetime,
) -> ServingCost:
    """From forecasts by the hour: frames with `ts`, `mean` and the columns of `QUANTILE_COLUMNS`; `cost` None: unknown."""
    busiest = float(tps["q95"].max())
    per_call, calls_usd = float("nan"), Estimate(value=np.nan, lower=np.nan, upper=np.nan)
    if cost is not None:
        sums = paths_of(cost[list(QUANTILE_COLUMNS)].to_numpy("float64"), Persistence(), seed).sum(axis=1)
        calls_usd = Estimate(
            value=float(cost["mean"].sum()), lower=float(np.quantile(sums, 0.05)), upper=float(np.quantile(sums, 0.95))
        )
        both = cost.merge(tps, on="ts", suffixes=("_cost", "_tps"))
        calls = float(both["mean_tps"].sum()) * 3600.0
        per_call = float(both["mean_cost"].sum()) / calls if calls > 0.0 else float("nan")
    known = cost is not None or bool(instances)

    def usd_per_h(load: Floats) -> Floats:
        return np.asarray(load * 3600.0 * np.nan_to_num(per_call) + instance_cost(load, instances))

    levels = np.linspace(0.0, 2.0 * busiest, _CURVE)
    more = usd_per_h(np.array([busiest, busiest + _EXTRA_TPS]))
    counts = instances_for(tps["q95"].to_numpy("float64"), instances)
    rising = np.flatnonzero(counts > counts[0])
    return ServingCost(
        selector=selector,
        made_at=made_at,
        first=tps["ts"].iloc[0].to_pydatetime(),
        until=tps["ts"].iloc[-1].to_pydatetime() + timedelta(hours=1),
        calls_usd=calls_usd,
        instances_usd=float(instance_cost(tps["q95"].to_numpy("float64"), instances).sum()),
        usd_per_call=per_call,
        per_extra_100_tps=float(more[1] - more[0]) if known else float("nan"),
        curve=tuple(zip(levels.tolist(), usd_per_h(levels).tolist(), strict=True)) if known else (),
        passes=_passes(tps, objectives),
        instances_now=int(counts[0]),
        instances_most=int(counts.max()),
        more_instances_at=tps["ts"].iloc[rising[0]].to_pydatetime() if len(rising) else None,
    )


def instance_cost(tps: Floats, instances: list[InstancePriceSettings]) -> Floats:
    """USD/h at each load: of every kind as many whole instances as the load needs."""
    return np.asarray(sum((_needed(tps, one) * one.usd_per_h for one in instances), np.zeros(len(tps))))


def instances_for(tps: Floats, instances: list[InstancePriceSettings]) -> Floats:
    """How many instances each load needs, of all kinds together."""
    return np.asarray(sum((_needed(tps, one) for one in instances), np.zeros(len(tps))))


def _needed(tps: Floats, one: InstancePriceSettings) -> Floats:
    return np.asarray(np.maximum(np.ceil(tps / one.tps), one.at_least))


def _passes(tps: pd.DataFrame, objectives: list[ObjectiveSettings]) -> tuple[tuple[str, float, datetime], ...]:
    found = []
    for one in objectives:
        if one.metric == "tps" and one.at_least is not None and (tps["q50"] > one.at_least).any():
            at = tps.loc[tps["q50"] > one.at_least, "ts"].iloc[0].to_pydatetime()
            found.append((one.name, one.at_least, at))
    return tuple(found)


def _points(store: Store, metric: str, selector: Selector, now: datetime) -> pd.DataFrame | None:
    """What is still to come of the newest forecast; None without one."""
    found = read_forecast(store, metric, selector)
    if found is None:
        return None
    points = found[1][found[1]["ts"] >= pd.Timestamp(now).floor("h")]
    return None if points.empty else points
