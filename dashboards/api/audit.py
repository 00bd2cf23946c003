"""`GET /api/v1/audit`: who did what, newest first."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from dashboards.api.answers import answer, utc
from dashboards.api.cursors import cursor_of, int_of, moment_of, parts_of
from dashboards.api.documented import api_router, described
from dashboards.api.lists import PageQuery
from dashboards.api.schemas import AuditAnswer
from dashboards.context import Web
from dashboards.threads import Workers
from storage.audit import AuditEvent, read_audit


class AuditQuery(PageQuery):
    action: str | None = Field(None, max_length=200, description="Only this action.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("access")

    @routes.get("/audit", summary="Who did what, newest first", **described(AuditAnswer))
    async def list_events(query: Annotated[AuditQuery, Query()]) -> Response:
        return answer(await workers.run(list_of, web, query))

    return routes


def list_of(web: Web, query: AuditQuery) -> dict[str, Any]:
    events = read_audit(web.store, query.limit + 1, query.action, before=_place(query.cursor))
    page = events[: query.limit]
    cursor = cursor_of(page[-1].at.isoformat(), page[-1].seq) if len(events) > query.limit else None
    return {"events": [_event(one) for one in page], "next_cursor": cursor}


def _place(cursor: str | None) -> tuple[datetime, int] | None:
    """The time and the number of the last event of the page before. Raises Problem."""
    if cursor is None:
        return None
    at, seq = parts_of(cursor, (str, int))
    return moment_of(at), int_of(seq, 64)


def _event(one: AuditEvent) -> dict[str, Any]:
    return {
        "at": utc(one.at),
        "actor": one.actor,
        "action": one.action,
        "subject": one.subject,
        "detail": orjson.loads(one.detail),
    }
