"""`GET /api/v1/objectives`: the targets of the configuration, and what has been beside them."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from core.access import Principal
from core.burning import BURN_WINDOWS, PERIOD
from core.config import ObjectiveSettings
from core.objective_words import measure_words, window_words
from core.series import METRICS
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
from render.units import format_span
from storage.standing import Standing, read_standing

_KEEP_S = 60.0


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/objectives", summary="Targets, and whether they were kept", **described(ObjectivesAnswer))
    async def list_objectives(_query: Annotated[NoQuery, Query()], who: Who) -> Response:
        """`kept` is null where it cannot be told: nothing is known, or a rate that should be reached was never asked for."""
        return answer(await workers.run(list_of, web, who))

    return routes


def list_of(web: Web, who: Principal) -> dict[str, Any]:
    """Every objective that the caller may see, each over its own window; `from` and `to` are of the usual one."""
    end = queries.freshness(web).complete_until or web.now()
    mine = [one for one in web.settings.objectives if sees(who, one.selector)]
    return {"from": iso(end - PERIOD), "to": iso(end), "objectives": [_standing(web, one, end) for one in mine]}


def _standing(web: Web, one: ObjectiveSettings, end: datetime) -> dict[str, Any]:
    def ask() -> Standing:
        return read_standing(web.store, web.settings, one, end)

    found: Standing = web.cache.get(("objective", one.name, end), _KEEP_S, ask)
    budget = found.budget
    return {
        "name": one.name,
        "transaction": one.transaction or None,
        "transaction_version": found.version or None,
        "metric": one.metric_name,
        "unit": "1" if one.target is not None else METRICS[one.metric].unit,
        "selector": one.selector,
        "target": one.target,
        "under_ms": one.under_ms,
        "at_most": one.at_most if one.target is None else one.allowed,
        "at_least": one.at_least,
        "measure": measure_words(one),
        "window": window_words(one),
        "from": iso(found.window.start),
        "to": iso(found.window.until),
        "ends": iso(found.window.end),
        "counted_from": iso(found.counted_from) if found.counted_from else None,
        "description": one.description,
        "value": found.value,
        "calls": int(found.calls),
        "bad": found.bad,
        "low_traffic": found.low_traffic,
        "kept": found.kept,
        "budget_left": budget.left if budget else None,
        "burn_rates": {format_span(span): rate for span, rate in _rates(found)},
        "exhausted_in_s": budget.exhausted.total_seconds() if budget and budget.exhausted else None,
    }


def _rates(found: Standing) -> list[tuple[timedelta, float]]:
    return list(zip(BURN_WINDOWS, found.budget.burns, strict=True)) if found.budget else []
