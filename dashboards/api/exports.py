"""`GET /api/v1/exports/…`: what was measured and found as files to take away, with units and where they come from.

Long tables are sent while they are read: what is asked is checked, and the first rows are there, before the answer begins.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal

import pandas as pd
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from core.access import Principal
from dashboards import queries
from dashboards.access.caller import Who
from dashboards.access.rows import sees
from dashboards.api import anomalies, incidents, series
from dashboards.api.calls import question_of
from dashboards.api.documented import api_router, described_file
from dashboards.api.forecasts import OneSeries
from dashboards.api.series import SpanQuery, with_dimensions
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.selection import LONGEST
from dashboards.threads import Workers
from dashboards.window import read_window
from render.export import CONTENT_TYPES
from render.forecast_export import FORECAST_CONTENT_TYPES, ForecastItem, encode_forecasts
from render.result_tables import (
    ANOMALY_META,
    INCIDENT_META,
    anomaly_table,
    call_frame,
    call_meta,
    incident_table,
    series_table,
)
from render.streaming import stream_table
from storage.anomalies import read_anomalies
from storage.call_pages import call_chunks
from storage.incidents import read_incidents

MAX_CALLS = 1_000_000
"""Rows of one file, as many as the command writes; a spreadsheet holds hardly more."""

_CHUNK_ROWS = 20_000
_MOST_INCIDENTS = 100_000

FileFormat = Literal["csv", "json", "parquet", "xlsx"]
_FILES = described_file(*CONTENT_TYPES.values())


class ForecastQuery(OneSeries):
    format: Literal["csv", "json", "parquet", "xlsx", "html", "png"] = Field("csv", description="Format of the file.")


class SpanFileQuery(SpanQuery):
    format: FileFormat = Field("csv", description="Format of the file.")

    def span(self) -> dict[str, str]:
        return {name: value for name, value in self.parameters().items() if name in ("from", "to", "last")}


class _CallsFileBase(SpanFileQuery):
    request_id: str | None = Field(None, max_length=LONGEST, description="Only calls with this request id.")
    trace_id: str | None = Field(None, max_length=LONGEST, description="Only calls with this trace id.")
    errors: bool = Field(False, description="Only calls with a status of 500 or more, or an error type.")


class _SeriesFileBase(SpanFileQuery):
    metric: str = Field(max_length=200, description="A metric, for example `tps`.")
    step: str | None = Field(None, max_length=32, description="Width of a row: `60`, `5m`, `1h`; default: by the span.")
    by: str | None = Field(None, max_length=200, description="Dimensions to split by, with commas.")


CallsFileQuery: Any = with_dimensions(_CallsFileBase, "CallsFileQuery")
SeriesFileQuery: Any = with_dimensions(_SeriesFileBase, "SeriesFileQuery")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("exports")

    @routes.get("/exports/calls", summary="Single calls as a file", **_FILES)
    async def export_calls(query: Annotated[CallsFileQuery, Query()], who: Who) -> Response:
        """In order of time, one million at most."""
        return await workers.run(calls_file, web, query, who)

    @routes.get("/exports/series", summary="One metric over time as a file", **_FILES)
    async def export_series(query: Annotated[SeriesFileQuery, Query()], who: Who) -> Response:
        return await workers.run(series_file, web, query, who)

    @routes.get("/exports/anomalies", summary="Anomalies as a file", **_FILES)
    async def export_anomalies(query: Annotated[SpanFileQuery, Query()], who: Who) -> Response:
        return await workers.run(anomalies_file, web, query, who)

    @routes.get("/exports/incidents", summary="Incidents as a file", **_FILES)
    async def export_incidents(query: Annotated[SpanFileQuery, Query()], who: Who) -> Response:
        return await workers.run(incidents_file, web, query, who)

    @routes.get(
        "/exports/forecasts",
        summary="The latest forecast of one series as a file",
        **described_file(*FORECAST_CONTENT_TYPES.values()),
    )
    async def export_forecast(query: Annotated[ForecastQuery, Query()], who: Who) -> Response:
        """Hourly, with mean and quantiles 5 to 95 %; times are UTC."""
        content, name = await workers.run(forecast_file, web, query, who)
        return Response(content, headers=_named(name), media_type=FORECAST_CONTENT_TYPES[query.format])

    return routes


def calls_file(web: Web, query: Any, who: Principal) -> Response:
    window = read_window(query.span(), web.now(), "1h", 60)
    question = question_of(query, window, who)
    frames = (call_frame(chunk) for chunk in call_chunks(web.store, question, MAX_CALLS, _CHUNK_ROWS))
    return _streamed(frames, query.format, call_meta(question.selector, MAX_CALLS), f"calls-{window.start:%Y%m%d-%H%M}")


def series_file(web: Web, query: Any, who: Principal) -> Response:
    asked = series.asked_series(web, query, who)
    frame, meta = series_table(series.steps_of(web, asked), asked.metric, asked.selector, asked.step_s)
    return _streamed(iter([frame]), query.format, meta, f"series-{asked.metric}-{asked.start:%Y%m%d-%H%M}")


def anomalies_file(web: Web, query: SpanFileQuery, who: Principal) -> Response:
    window = read_window(query.span(), web.now(), "7d", 60)
    found = [one for one in read_anomalies(web.store, window.start, window.end) if sees(who, one.selector.labels)]
    frame = anomaly_table(anomalies.within(who, one) for one in found)
    return _streamed(iter([frame]), query.format, dict(ANOMALY_META), f"anomalies-{window.start:%Y%m%d}")


def incidents_file(web: Web, query: SpanFileQuery, who: Principal) -> Response:
    window = read_window(query.span(), web.now(), "30d", 60)
    found = read_incidents(web.store, window.start, window.end, limit=_MOST_INCIDENTS)
    frame = incident_table(incidents.within(who, one) for one in found if sees(who, one.labels))
    return _streamed(iter([frame]), query.format, dict(INCIDENT_META), f"incidents-{window.start:%Y%m%d}")


def forecast_file(web: Web, query: ForecastQuery, who: Principal) -> tuple[bytes, str]:
    """The file's bytes and its name. Raises Problem for a series without a forecast."""
    selector = query.chosen(who)
    found = queries.forecast_of(web, query.metric, selector)
    if found is None:
        raise Problem(404, f"There is no forecast of {query.metric} for {selector.words}; GET /api/v1/forecasts lists them.")
    run, frame = found
    item = ForecastItem(run=run, frame=frame, backtests=queries.backtests_of(web, run))
    content = encode_forecasts([item], query.format)
    return content, f"tpscope-forecast-{query.metric}-{_plain(selector.words)}-{run.made_at:%Y%m%d}.{query.format}"


def _streamed(frames: Iterator[pd.DataFrame], fmt: FileFormat, meta: dict[str, str], name: str) -> Response:
    """The file as an answer; its first piece is made here, so that what fails is still told as a problem."""
    pieces = stream_table(frames, fmt, meta)
    first = next(pieces, b"")
    return StreamingResponse(
        chain([first], pieces), headers=_named(f"tpscope-{_plain(name)}.{fmt}"), media_type=CONTENT_TYPES[fmt]
    )


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _plain(words: str) -> str:
    """Words as a part of a file's name: letters, digits and hyphens alone, so that no path is in it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-").lower()
