"""`GET /api/v1/exports/…`: results as files to take away, with their units and where they come from."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.series import METRICS
from dashboards import queries
from dashboards.context import Web
from dashboards.forecast import read_choice
from dashboards.problems import Problem
from dashboards.threads import Workers
from render.forecast_export import FORECAST_CONTENT_TYPES, ForecastItem, encode_forecasts


class ForecastQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    metric: str = Field(max_length=64, description="The metric that was forecast, for example `tps`.")
    selector: str = Field("", max_length=2000, description='Which calls: `service="chat"`; empty: all calls.')
    format: Literal["csv", "json", "parquet", "xlsx", "html", "png"] = Field("csv", description="Format of the file.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = APIRouter(prefix="/api/v1/exports", tags=["exports"])

    @routes.get("/forecasts", summary="The latest forecast of one series as a file", response_class=Response)
    async def forecasts(query: Annotated[ForecastQuery, Query()]) -> Response:
        """Hourly, with mean and quantiles 5 to 95 %; times are UTC."""
        content, name = await workers.run(forecast_file, web, query)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, headers=headers, media_type=FORECAST_CONTENT_TYPES[query.format])

    return routes


def forecast_file(web: Web, query: ForecastQuery) -> tuple[bytes, str]:
    """The file's bytes and its name. Raises Problem for a series without a forecast."""
    if query.metric not in METRICS:
        raise Problem(400, f"metric: {query.metric!r} is no metric; choose from {', '.join(METRICS)}.", parameter="metric")
    try:
        selector = read_choice(query.selector)
    except ValueError as error:
        raise Problem(400, f"selector: {error}.", parameter="selector") from None
    found = queries.forecast_of(web, query.metric, selector)
    if found is None:
        raise Problem(404, f"There is no forecast of {query.metric} for {selector.words}; GET /api/v1/forecasts lists them.")
    run, frame = found
    item = ForecastItem(run=run, frame=frame, backtests=queries.backtests_of(web, run))
    content = encode_forecasts([item], query.format)
    scope = re.sub(r"[^A-Za-z0-9]+", "-", selector.words).strip("-").lower()
    return content, f"tpscope-forecast-{query.metric}-{scope}-{run.made_at:%Y%m%d}.{query.format}"
