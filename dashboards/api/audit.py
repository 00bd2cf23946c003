"""`GET /api/v1/audit`: who did what, newest first."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from dashboards.api.answers import answer, utc
from dashboards.api.documented import api_router, described
from dashboards.api.schemas import AuditAnswer
from dashboards.context import Web
from dashboards.threads import Workers
from storage.audit import AuditEvent, read_audit


class AuditQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    action: str | None = Field(None, max_length=200, description="Only this action.")
    limit: int = Field(100, ge=1, le=1000, description="Most events to return.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("access")

    @routes.get("/audit", summary="Who did what, newest first", **described(AuditAnswer))
    async def list_events(query: Annotated[AuditQuery, Query()]) -> Response:
        events = await workers.run(read_audit, web.store, query.limit, query.action)
        return answer({"events": [_event(one) for one in events]})

    return routes


def _event(one: AuditEvent) -> dict[str, Any]:
    return {
        "at": utc(one.at),
        "actor": one.actor,
        "action": one.action,
        "subject": one.subject,
        "detail": orjson.loads(one.detail),
    }
