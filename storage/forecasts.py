"""Forecasts: one run per series and time of making, with its quantiles."""

from typing import Any

import pandas as pd
import pyarrow as pa

from core.record import TS_TYPE
from core.series import ALL_CALLS, Selector
from core.types import QUANTILE_COLUMNS, ForecastRun
from storage.contract import Store
from storage.frames import EVENT_FIELDS, frame_table, moment
from storage.sequence import next_seq

_RUN = "version, made_at, metric, selector, unit, model, step, trained_from, trained_to, error_mase, choice_version, note"
# A version is whole and never changes, so the newest by its own time of making holds, whoever wrote it.
LATEST_RUNS = f"SELECT {_RUN} FROM forecasts ORDER BY made_at DESC, epoch DESC, seq DESC LIMIT 1 BY metric, selector"
RUN = f"""
SELECT {_RUN}, epoch, seq FROM forecasts
WHERE metric = {{metric:String}} AND selector = {{selector:String}}
    AND (empty({{version:String}}) OR version = {{version:String}})
ORDER BY made_at DESC, epoch DESC, seq DESC LIMIT 1
"""
POINTS = f"""
SELECT ts, mean, {", ".join(QUANTILE_COLUMNS)} FROM forecasts
WHERE metric = {{metric:String}} AND selector = {{selector:String}} AND version = {{version:String}}
    AND epoch = {{epoch:UInt64}} AND seq = {{seq:UInt64}}
ORDER BY forecasts.ts
"""
_SCHEMA = pa.schema(
    [
        pa.field("version", pa.string()),
        pa.field("made_at", TS_TYPE),
        *(pa.field(name, pa.string()) for name in ("metric", "selector", "unit", "model", "step")),
        *(pa.field(name, TS_TYPE) for name in ("trained_from", "trained_to")),
        pa.field("error_mase", pa.float64()),
        *(pa.field(name, pa.string()) for name in ("choice_version", "note")),
        pa.field("ts", TS_TYPE),
        *(pa.field(name, pa.float64()) for name in ("mean", *QUANTILE_COLUMNS)),
        *EVENT_FIELDS,
    ]
)


def write_forecast(store: Store, run: ForecastRun, frame: pd.DataFrame, epoch: int) -> None:
    """Write a run with its points: `ts` (aware), `mean` and the columns of `QUANTILE_COLUMNS`, in the run's unit.

    A second write of the same version and series replaces the first. Raises ValueError that names a missing column.
    """
    constants = {
        "version": run.version,
        "made_at": run.made_at,
        "metric": run.metric,
        "selector": str(run.selector),
        "unit": run.unit,
        "model": run.model,
        "step": run.step,
        "trained_from": run.trained_from,
        "trained_to": run.trained_to,
        "error_mase": run.error_mase,
        "choice_version": run.choice_version,
        "note": run.note,
        "epoch": epoch,
        "seq": next_seq(),
    }
    store.insert("forecasts", frame_table(_SCHEMA, frame, **constants))


def latest_forecasts(store: Store) -> list[ForecastRun]:
    """The newest run of every series that was ever forecast, by metric and selector."""
    runs = [_run(row) for row in store.arrow(LATEST_RUNS).to_pylist()]
    return sorted(runs, key=lambda run: (run.metric, str(run.selector)))


def read_forecast(
    store: Store, metric: str, selector: Selector = ALL_CALLS, version: str | None = None
) -> tuple[ForecastRun, pd.DataFrame] | None:
    """A run of one series (the newest, or that version) and its points; None if there is none.

    The frame has `ts` (`datetime64[ms, UTC]`), `mean` and the columns of `QUANTILE_COLUMNS` (`float64`), sorted by `ts`.
    """
    series = {"metric": metric, "selector": str(selector)}
    rows = store.arrow(RUN, {**series, "version": version or ""}).to_pylist()
    if not rows:
        return None
    row = rows[0]
    points = {**series, "version": row["version"], "epoch": row.pop("epoch"), "seq": row.pop("seq")}
    return _run(row), store.frame(POINTS, points)


def _run(row: dict[str, Any]) -> ForecastRun:
    times = {name: moment(row[name]) for name in ("made_at", "trained_from", "trained_to")}
    return ForecastRun(**{**row, **times, "selector": Selector.parse(row["selector"])})
