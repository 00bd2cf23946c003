"""`GET /api/v1/calls`: single calls, newest first, a page at a time."""

from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from core.access import Principal
from dashboards.access.caller import Who
from dashboards.access.rows import narrowed
from dashboards.api.answers import answer, utc
from dashboards.api.cursors import cursor_of, int_of, moment_of, parts_of
from dashboards.api.documented import api_router, described
from dashboards.api.lists import ListQuery
from dashboards.api.schemas import CallsAnswer
from dashboards.api.series import with_dimensions
from dashboards.context import Web
from dashboards.selection import LONGEST, read_selector
from dashboards.threads import Workers
from dashboards.window import Window, iso, read_window
from storage.call_pages import CallKey, CallQuestion, key_of_last, read_call_page


class _CallsBase(ListQuery):
    request_id: str | None = Field(None, max_length=LONGEST, description="Only calls with this request id.")
    trace_id: str | None = Field(None, max_length=LONGEST, description="Only calls with this trace id.")
    errors: bool = Field(False, description="Only calls with a status of 500 or more, or an error type.")


CallsQuery: Any = with_dimensions(_CallsBase, "CallsQuery")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("calls")

    @routes.get("/calls", summary="Single calls, newest first", **described(CallsAnswer))
    async def list_calls(query: Annotated[CallsQuery, Query()], who: Who) -> Response:
        """Of the last hour, or of a span. A page goes on behind the last call of the one before, whatever has come in since."""
        return answer(await workers.run(page_of, web, query, who))

    return routes


def page_of(web: Web, query: Any, who: Principal) -> dict[str, Any]:
    """One page. Raises Problem and BadWindow."""
    window = read_window(query.span(), web.now(), "1h", 60)
    after = _key(query.cursor) if query.cursor is not None else None
    page = read_call_page(web.store, question_of(query, window, who), query.limit, after)
    cursor = _cursor(key_of_last(page)) if page.num_rows == query.limit else None
    return {"from": iso(window.start), "to": iso(window.end), "calls": _rows(page), "next_cursor": cursor}


def question_of(query: Any, window: Window, who: Principal) -> CallQuestion:
    """What is asked, within what the caller sees: without a tenant in the question, the calls of all of theirs."""
    selector = read_selector(query.parameters())
    if "tenant" in selector.labels:
        selector = narrowed(who, selector)
    return CallQuestion(
        start=window.start,
        end=window.end,
        selector=selector,
        tenants=who.tenants,
        request_id=query.request_id or "",
        trace_id=query.trace_id or "",
        errors=query.errors,
    )


def _rows(page: pa.Table) -> list[dict[str, Any]]:
    times = ("ts", "ingested_at")
    return [
        {**row, **{name: utc(row[name]) for name in times}, "attributes": dict(row["attributes"])} for row in page.to_pylist()
    ]


def _cursor(key: CallKey) -> str:
    return cursor_of(key.ts.isoformat(), key.topic, key.partition, key.offset, key.request_id)


def _key(cursor: str) -> CallKey:
    at, topic, partition, offset, request_id = parts_of(cursor, (str, str, int, int, str))
    partition, offset = int_of(partition, 32), int_of(offset, 64)
    return CallKey(ts=moment_of(at), topic=topic, partition=partition, offset=offset, request_id=request_id)
