"""`GET /api/v1/anomalies` and `/anomalies/{id}`: what left its expected range, and why."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from core.access import Principal
from core.series import METRICS
from core.types import Anomaly
from dashboards.access.caller import Who
from dashboards.access.rows import sees, sees_all
from dashboards.api.answers import answer, utc
from dashboards.api.cursors import newest_page
from dashboards.api.documented import api_router, described
from dashboards.api.lists import ListQuery
from dashboards.api.schemas import AnomaliesAnswer, AnomalyShape
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.window import iso, read_window
from storage.anomalies import read_anomalies
from storage.masks import anomaly_by_id


class AnomaliesQuery(ListQuery):
    open: bool = Field(False, description="Only anomalies that still last.")
    metric: str | None = Field(None, max_length=200, description="Only anomalies that this metric leads.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/anomalies", summary="Anomalies, newest first", **described(AnomaliesAnswer))
    async def list_anomalies(query: Annotated[AnomaliesQuery, Query()], who: Who) -> Response:
        return answer(await workers.run(list_of, web, query, who))

    @routes.get("/anomalies/{anomaly_id}", summary="One anomaly", **described(AnomalyShape))
    async def one_anomaly(anomaly_id: Annotated[str, Path(max_length=64)], who: Who) -> Response:
        return answer(await workers.run(one_of, web, anomaly_id, who))

    return routes


def list_of(web: Web, query: AnomaliesQuery, who: Principal) -> dict[str, Any]:
    """Anomalies of a span (default: the last day)."""
    window = read_window(query.span(), web.now(), "24h", 60)
    found = [
        one
        for one in read_anomalies(web.store, window.start, window.end, open_only=query.open)
        if sees(who, one.selector.labels) and query.metric in (None, one.metric)
    ]
    page, cursor = newest_page(found, lambda one: one.started_at, lambda one: one.id, query.cursor, query.limit)
    shown = [shape(within(who, one)) for one in page]
    return {"from": iso(window.start), "to": iso(window.end), "anomalies": shown, "next_cursor": cursor}


def one_of(web: Web, anomaly_id: str, who: Principal) -> dict[str, Any]:
    """Raises Problem for an id that is not there, or that this caller does not see: nobody learns which."""
    found = anomaly_by_id(web.store, anomaly_id)
    if found is None or not sees(who, found.selector.labels):
        raise Problem(404, f"There is no anomaly {anomaly_id!r}.")
    return shape(within(who, found))


def within(who: Principal, one: Anomaly) -> Anomaly:
    """The anomaly without what it says of other tenants; words that may name them go where anything of it does."""
    told = [*(part.selector for part in one.contributions), *(cause.selector for cause in one.causes)]
    if sees_all(who, [*told, *(related.selector for related in one.related)]):
        return one
    return replace(
        one,
        contributions=tuple(part for part in one.contributions if sees(who, part.selector.labels)),
        causes=tuple(cause for cause in one.causes if sees(who, cause.selector.labels)),
        explanation="",
        hint="",
        evidence="",
        related=(),
    )


def shape(one: Anomaly) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "id": one.id,
        "started_at": utc(one.started_at),
        "last_at": utc(one.last_at),
        "ended_at": utc(one.ended_at),
        "opened_at": utc(one.opened_at),
        "metric": one.metric,
        "unit": METRICS[one.metric].unit if one.metric in METRICS else "",
        "selector": one.selector.labels,
        "direction": one.direction.value,
        "score": one.score,
        "severity": one.severity,
        "observed": one.observed,
        "expected": one.expected,
        "lower": one.lower,
        "upper": one.upper,
        "explanation": one.explanation or None,
        "hint": one.hint or None,
        "evidence": one.evidence or None,
        "verdict": one.verdict.value,
        "contributions": [
            {
                "metric": part.metric,
                "selector": part.selector.labels,
                "observed": part.observed,
                "expected": part.expected,
                "lower": part.lower,
                "upper": part.upper,
                "share": part.share,
            }
            for part in one.contributions
        ],
        "causes": [
            {
                "selector": cause.selector.labels,
                "observed": cause.observed,
                "expected": cause.expected,
                "share": cause.share,
            }
            for cause in one.causes
        ],
        "model_version": one.model_version,
        "baseline_version": one.baseline_version,
        "mask_id": one.mask_id or None,
        "muted": one.muted,
    }
