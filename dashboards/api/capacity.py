"""`GET /api/v1/capacity`: measured ceilings, how far each limit is away, and what has no price."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from core.capacity import Fit, LimitOutlook, ServingCost
from dashboards import queries
from dashboards.api.answers import answer, utc
from dashboards.api.documented import api_router, described
from dashboards.api.questions import NoQuery
from dashboards.api.schemas import OpenAnswer
from dashboards.context import Web
from dashboards.threads import Workers
from storage import capacity


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/capacity", summary="Ceilings, limits and the time until they are reached", **described(OpenAnswer))
    async def of_capacity(_query: Annotated[NoQuery, Query()]) -> Response:
        """Of each interval `lower` and `upper` hold 90 %; null is infinite or unknown. Times are UTC."""
        return answer(await workers.run(read_capacity, web))

    return routes


def read_capacity(web: Web) -> dict[str, Any]:
    """All of it as JSON-ready values."""
    until = queries.freshness(web).complete_until
    unpriced = {} if until is None else queries.unpriced_models(web, until)
    return {
        "limits": [_limit(one) for one in queries.limits_outlook(web)],
        "ceilings": [_fit(one) for one in queries.ceilings(web)],
        "serving": [_cost(one) for one in capacity.read_costs(web.store)],
        "unpriced_last_day": [
            {"provider": provider, "model": model, "calls": calls} for (provider, model), calls in sorted(unpriced.items())
        ],
    }


def _limit(one: LimitOutlook) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "selector": one.selector.labels,
        "unit": one.unit,
        "limit": asdict(one.limit),
        "now": one.now,
        "headroom": one.headroom,
        "probability": one.probability,
        "until": utc(one.until),
        "early_at": utc(one.early_at),
        "likely_at": utc(one.likely_at),
        "late_at": utc(one.late_at),
        "minutes_to_quota": one.minutes and asdict(one.minutes),
        "made_at": utc(one.made_at),
        "words": one.words,
    }


def _cost(one: ServingCost) -> dict[str, Any]:
    return {
        "selector": one.selector.labels,
        "from": utc(one.first),
        "to": utc(one.until),
        "calls_usd": asdict(one.calls_usd),
        "instances_usd": one.instances_usd,
        "usd_per_call": one.usd_per_call,
        "usd_per_h_per_extra_100_tps": one.per_extra_100_tps,
        "instances_now": one.instances_now,
        "instances_most": one.instances_most,
        "more_instances_at": utc(one.more_instances_at),
        "curve": [{"tps": tps, "usd_per_h": usd} for tps, usd in one.curve],
        "passes": [{"objective": name, "tps": tps, "at": utc(at)} for name, tps, at in one.passes],
    }


def _fit(one: Fit) -> dict[str, Any]:
    found = one.ceiling
    return {
        "selector": one.selector.labels,
        "transaction": one.transaction or None,
        "against": one.against,
        "state": found.state,
        "peak_tps": asdict(found.peak_tps),
        "peak_concurrency": asdict(found.peak_concurrency),
        "gamma": asdict(found.gamma),
        "sigma": asdict(found.sigma),
        "kappa": asdict(found.kappa),
        "load": asdict(found.load),
        "objective_tps": one.objective_tps,
        "objective_failed": one.objective_failed,
        "reason": found.reason or None,
        "advice": found.advice or None,
        "made_at": utc(one.made_at),
    }
