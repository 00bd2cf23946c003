"""`tpscope export`: what the store holds as files, with units and provenance."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from core.config import Settings
from core.errors import ConfigError
from core.series import ALL_CALLS, METRICS, Selector
from core.types import SeriesRequest
from render.export import write_table, write_whole
from render.forecast_export import ForecastItem, encode_forecasts
from render.result_tables import (
    ANOMALY_META,
    INCIDENT_META,
    Meta,
    anomaly_table,
    call_frame,
    call_meta,
    incident_table,
    series_table,
)
from storage.anomalies import read_anomalies
from storage.backtests import latest_backtests
from storage.calls import read_calls
from storage.contract import Store
from storage.forecasts import latest_forecasts, read_forecast
from storage.incidents import read_incidents
from storage.series import read_series
from tpscope.reading import reading

_MAX_CALLS = 1_000_000
_ALL = "all"
"""What `--selector` calls the selection of all calls; left out it is every forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What to export; the span is half open and ignored for forecasts."""

    kind: str
    metric: str | None
    selector: str
    start: datetime
    end: datetime
    step: timedelta


def run_export(settings: Settings, request: ExportRequest, to: Path) -> int:
    """Write the file; returns its number of rows. Raises ConfigError when there is nothing to export, and says why."""
    selector = _selector(request)
    with reading(settings) as store:
        if request.kind == "forecasts":
            items = forecast_items(store, request.metric, selector if request.selector else None)
        else:
            frame, meta = _EXPORTS[request.kind](store, request, selector)
    if request.kind == "forecasts":
        write_whole(encode_forecasts(items, to.suffix.removeprefix("."), where=str(to)), to)
        return sum(len(one.frame) for one in items)
    write_table(frame, to, meta)
    return len(frame)


def forecast_items(store: Store, metric: str | None, selector: Selector | None) -> list[ForecastItem]:
    """The latest forecasts with their back-tests; None: every metric, every selection. Raises ConfigError without any."""
    runs = [
        run
        for run in latest_forecasts(store)
        if metric in (None, run.metric) and (selector is None or run.selector == selector)
    ]
    tests = latest_backtests(store)
    items = []
    for run in runs:
        found = read_forecast(store, run.metric, run.selector, run.version)
        if found is not None:
            own = [one for one in tests if (one.metric, one.selector) == (run.metric, run.selector)]
            items.append(ForecastItem(run=run, frame=found[1], backtests=own))
    if not items:
        raise ConfigError(
            "export forecasts", "there is no forecast for that yet; the job makes one a day, of a day of history or more"
        )
    return items


def _series(store: Store, request: ExportRequest, selector: Selector) -> tuple[pd.DataFrame, Meta]:
    if request.metric not in METRICS:
        raise ConfigError("--metric", f"{request.metric!r} is no metric; choose from {', '.join(METRICS)}")
    metric = METRICS[request.metric]
    wanted = SeriesRequest(
        metric=metric.name,
        start=request.start,
        end=request.end,
        step_s=int(request.step.total_seconds()),
        selector=selector,
    )
    return series_table(read_series(store, wanted), metric.name, selector, wanted.step_s)


def _calls(store: Store, request: ExportRequest, selector: Selector) -> tuple[pd.DataFrame, Meta]:
    calls = read_calls(store, request.start, request.end, selector, limit=_MAX_CALLS)
    return call_frame(calls), call_meta(selector, _MAX_CALLS)


def _anomalies(store: Store, request: ExportRequest, selector: Selector) -> tuple[pd.DataFrame, Meta]:
    found = read_anomalies(store, request.start, request.end, selector if selector.pairs else None)
    return anomaly_table(entry for entry in found if request.metric in (None, entry.metric)), dict(ANOMALY_META)


def _incidents(store: Store, request: ExportRequest, selector: Selector) -> tuple[pd.DataFrame, Meta]:
    return incident_table(read_incidents(store, request.start, request.end)), dict(INCIDENT_META)


_EXPORTS: dict[str, Callable[[Store, ExportRequest, Selector], tuple[pd.DataFrame, Meta]]] = {
    "series": _series,
    "calls": _calls,
    "anomalies": _anomalies,
    "incidents": _incidents,
}


def _selector(request: ExportRequest) -> Selector:
    try:
        return ALL_CALLS if request.selector == _ALL else Selector.parse(request.selector)
    except ValueError as error:
        raise ConfigError("--selector", str(error)) from error
