"""`GET /api/v1/objectives`: the targets of the configuration, and what the last 30 days were beside them."""

import math
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from core.access import Principal
from core.config import ObjectiveSettings
from core.series import METRICS, Selector
from dashboards import queries
from dashboards.access.caller import Who
from dashboards.access.rows import sees
from dashboards.api.answers import answer
from dashboards.api.documented import api_router, described
from dashboards.api.questions import NoQuery
from dashboards.api.schemas import ObjectivesAnswer
from dashboards.context import Web
from dashboards.threads import Workers
from dashboards.window import iso
from storage.spans import read_spans

PERIOD = timedelta(days=30)
_KEEP_S = 60.0


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/objectives", summary="Targets, and whether they were kept", **described(ObjectivesAnswer))
    async def list_objectives(_query: Annotated[NoQuery, Query()], who: Who) -> Response:
        """`kept` is null where it cannot be told: nothing is known, or a rate that should be reached was never asked for."""
        return answer(await workers.run(list_of, web, who))

    return routes


def list_of(web: Web, who: Principal) -> dict[str, Any]:
    end = queries.freshness(web).complete_until or web.now()
    mine = [one for one in web.settings.objectives if sees(who, one.selector)]
    return {"from": iso(end - PERIOD), "to": iso(end), "objectives": [_standing(web, one, end) for one in mine]}


def _standing(web: Web, one: ObjectiveSettings, end: datetime) -> dict[str, Any]:
    def ask() -> tuple[float, int]:
        frame = read_spans(web.store, one.metric, [(end - PERIOD, end)], Selector.of(one.selector))
        return (float(frame["value"].iloc[0]), int(frame["calls"].iloc[0])) if len(frame) else (math.nan, 0)

    value, calls = web.cache.get(("objective", one.name, end), _KEEP_S, ask)
    return {
        "name": one.name,
        "metric": one.metric,
        "unit": METRICS[one.metric].unit,
        "selector": one.selector,
        "at_most": one.at_most,
        "at_least": one.at_least,
        "description": one.description,
        "value": value,
        "calls": calls,
        "kept": None if math.isnan(value) or one.at_most is None else value <= one.at_most,
    }
