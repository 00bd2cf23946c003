"""`GET /api/v1/forecasts` and `/forecasts/points`: the latest forecast of each series, and one with its quantiles."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.access import Principal
from core.series import METRICS, Selector
from core.types import QUANTILE_COLUMNS, ForecastBacktest, ForecastRun
from dashboards import queries
from dashboards.access.caller import Who
from dashboards.access.rows import narrowed, sees
from dashboards.api.answers import answer, utc
from dashboards.api.cursors import page_of
from dashboards.api.documented import api_router, described
from dashboards.api.lists import PageQuery
from dashboards.api.schemas import ForecastPointsAnswer, ForecastsAnswer
from dashboards.context import Web
from dashboards.forecast import read_choice
from dashboards.problems import Problem
from dashboards.threads import Workers


class OneSeries(BaseModel):
    """A series by its metric and its selection."""

    model_config = ConfigDict(extra="forbid")

    metric: str = Field(max_length=64, description="A metric, for example `tps`.")
    selector: str = Field("", max_length=2000, description='Which calls: `service="chat"`; empty: all calls.')

    def chosen(self, who: Principal) -> Selector:
        """The selection, within what the caller sees. Raises Problem for what cannot be read."""
        if self.metric not in METRICS:
            raise Problem(400, f"metric: {self.metric!r} is no metric; choose from {', '.join(METRICS)}.", parameter="metric")
        try:
            selector = read_choice(self.selector)
        except ValueError as error:
            raise Problem(400, f"selector: {error}.", parameter="selector") from None
        return narrowed(who, selector)


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/forecasts", summary="The latest forecast of each series, without its points", **described(ForecastsAnswer))
    async def list_forecasts(query: Annotated[PageQuery, Query()], who: Who) -> Response:
        return answer(await workers.run(list_of, web, query, who))

    @routes.get("/forecasts/points", summary="The latest forecast of one series", **described(ForecastPointsAnswer))
    async def points(query: Annotated[OneSeries, Query()], who: Who) -> Response:
        """Points are rows of `columns`: the start of the step, the mean and quantiles 5 to 95 %."""
        return answer(await workers.run(points_of, web, query, who))

    return routes


def list_of(web: Web, query: PageQuery, who: Principal) -> dict[str, Any]:
    """By metric and selection, an order that a newer forecast of a series leaves as it is."""
    tests = queries.forecast_backtests(web)
    runs = [run for run in queries.forecast_runs(web) if sees(who, run.selector.labels)]
    page, cursor = page_of(runs, lambda run: (run.metric, str(run.selector)), (str, str), query.cursor, query.limit)
    return {"forecasts": [shape(run, tests) for run in page], "next_cursor": cursor}


def points_of(web: Web, query: OneSeries, who: Principal) -> dict[str, Any]:
    """Raises Problem for a series without a forecast."""
    selector = query.chosen(who)
    found = queries.forecast_of(web, query.metric, selector)
    if found is None:
        words = f"There is no forecast of {query.metric} for {selector.words}; GET /api/v1/forecasts lists them."
        raise Problem(404, words)
    run, frame = found
    numbers = frame[["mean", *QUANTILE_COLUMNS]].to_numpy().tolist()
    times = frame["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    return {
        "forecast": shape(run, queries.forecast_backtests(web)),
        "columns": ["ts", "mean", *QUANTILE_COLUMNS],
        "points": [[at, *row] for at, row in zip(times, numbers, strict=True)],
    }


def shape(run: ForecastRun, tests: list[ForecastBacktest]) -> dict[str, Any]:
    """The back-tests of the same series beside it, by horizon; none where it was never back-tested."""
    own = [one for one in tests if (one.metric, one.selector) == (run.metric, run.selector)]
    return {
        "version": run.version,
        "metric": run.metric,
        "selector": run.selector.labels,
        "unit": run.unit,
        "model": run.model,
        "step": run.step,
        "made_at": utc(run.made_at),
        "trained_from": utc(run.trained_from),
        "trained_to": utc(run.trained_to),
        "error_mase": run.error_mase,
        "choice_version": run.choice_version,
        "note": run.note,
        "backtests": [
            {
                "horizon_h": one.horizon_h,
                "origins": one.origins,
                "made_at": utc(one.made_at),
                "mase": one.mase,
                "mean4_mase": one.mean4_mase,
                "wql": one.wql,
                "wql95": one.wql95,
                "coverage90": one.coverage90,
            }
            for one in own
        ],
    }
