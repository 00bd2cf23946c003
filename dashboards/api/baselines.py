"""`GET /api/v1/baselines` and `/baselines/points`: what is expected when, and what that was learned from."""

import math
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from core.access import Principal
from core.series import METRICS, Selector
from dashboards import queries
from dashboards.access.caller import Who
from dashboards.access.rows import sees
from dashboards.api.answers import answer, utc
from dashboards.api.documented import api_router, described
from dashboards.api.forecasts import OneSeries
from dashboards.api.questions import NoQuery
from dashboards.api.schemas import BaselinePointsAnswer, BaselinesAnswer
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from storage.baselines import read_baseline
from storage.frames import moment
from storage.frozen import list_frozen

_COLUMNS = ("slot", "expected", "lower", "upper", "samples")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/baselines", summary="The baseline in force, and those kept under a name", **described(BaselinesAnswer))
    async def list_baselines(_query: Annotated[NoQuery, Query()], who: Who) -> Response:
        return answer(await workers.run(list_of, web, who))

    @routes.get("/baselines/points", summary="What is expected of one series", **described(BaselinePointsAnswer))
    async def points(query: Annotated[OneSeries, Query()], who: Who) -> Response:
        """Slots are rows of `columns`; slot 0 is the hour from Monday 00:00 in the tenant's time zone, from 168 on days off."""
        return answer(await workers.run(points_of, web, query, who))

    return routes


def list_of(web: Web, who: Principal) -> dict[str, Any]:
    latest = queries.latest_baseline(web)
    in_force = latest and {
        "version": latest.version,
        "built_at": utc(latest.built_at),
        "trained_from": utc(latest.trained_from),
        "trained_to": utc(latest.trained_to),
        "series": latest.series,
    }
    frozen = [_frozen(row) for row in list_frozen(web.store).to_dict("records")]
    return {"in_force": in_force, "frozen": [one for one in frozen if sees(who, one["selector"])]}


def points_of(web: Web, query: OneSeries, who: Principal) -> dict[str, Any]:
    """Raises Problem for a series that has no baseline."""
    selector, latest = query.chosen(who), queries.latest_baseline(web)
    frame = read_baseline(web.store, latest.version, (query.metric,), (selector,)) if latest else None
    if latest is None or frame is None or frame.empty:
        raise Problem(404, f"There is no baseline of {query.metric} for {selector.words} yet.")
    rows = frame[list(_COLUMNS)].itertuples(index=False)
    return {
        "version": latest.version,
        "metric": query.metric,
        "unit": METRICS[query.metric].unit,
        "selector": selector.labels,
        "columns": list(_COLUMNS),
        "slots": [[None if math.isnan(value) else value for value in row] for row in rows],
    }


def _frozen(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "made_at": utc(moment(row["at"])),
        "who": row["whose"],
        "from": utc(moment(row["first"])),
        "to": utc(moment(row["last"])),
        "selector": Selector.parse(row["of"]).labels,
        "transaction": row["counting"] or None,
        "transaction_version": row["counted_by"] or None,
    }
