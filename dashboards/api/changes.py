"""`GET` and `POST /api/v1/changes`, `GET /api/v1/changes/{id}`: what was changed, and what became better or worse after it.

The list is what charts draw as markers: instants with a few words, and the verdict where there is one.
"""

import json
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.access import Principal
from core.changes import Change, ChangeKind, ChangeVerdict
from core.series import Selector
from dashboards.access.caller import Who, deed
from dashboards.access.rows import sees
from dashboards.api.answers import answer, utc
from dashboards.api.bodies import json_body
from dashboards.api.cursors import newest_page
from dashboards.api.documented import api_router, described, described_body
from dashboards.api.lists import MOST_LISTED, PageQuery
from dashboards.api.schemas import ChangesAnswer, ChangeShape, OneChangeAnswer
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.window import read_time
from storage import changes

_LAST = timedelta(days=30)
_AHEAD = timedelta(minutes=5)


class ChangesQuery(PageQuery):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: str | None = Field(None, alias="from", max_length=64, description="RFC 3339; default: 30 days ago.")
    until: str | None = Field(None, max_length=64, description="RFC 3339; default: now.")


class NewChange(BaseModel):
    """What was changed, and who says so."""

    model_config = ConfigDict(extra="forbid")

    what: str = Field(min_length=1, max_length=500, description="For people: `checkout 4.2.0`.")
    who: str = Field(min_length=1, max_length=200, description="Who says so.")
    kind: ChangeKind = Field(ChangeKind.DEPLOY, description="What sort of change it is.")
    at: str | None = Field(None, max_length=64, description="RFC 3339; default: now.")
    selector: dict[str, str] = Field(default_factory=dict, description="Calls it may touch: dimension → value; empty: all.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("results")

    @routes.get("/changes", summary="Changes, noted and found, with their verdicts, newest first", **described(ChangesAnswer))
    async def list_changes(query: Annotated[ChangesQuery, Query()], who: Who) -> Response:
        return answer(await workers.run(list_of, web, query, who))

    @routes.get("/changes/{change_id}", summary="One change with the gate's reports", **described(OneChangeAnswer))
    async def one_change(change_id: Annotated[str, Path(max_length=64)], who: Who) -> Response:
        return answer(await workers.run(one_of, web, change_id, who))

    @routes.post(
        "/changes",
        summary="Note a change; before and after it are judged by themselves",
        openapi_extra=described_body(NewChange),
        **described(ChangeShape, 201, "The change."),
    )
    async def add(request: Request) -> Response:
        asked = await json_body(request, NewChange)
        made = await workers.run(add_change, web, asked)
        deed(request, change=made["id"], said_by=asked.who)
        return answer(made, 201)

    return routes


def list_of(web: Web, query: ChangesQuery, who: Principal) -> dict[str, Any]:
    start = read_time("from", query.from_) if query.from_ else web.now() - _LAST
    end = read_time("until", query.until) if query.until else web.now() + _AHEAD
    found = changes.read_changes(web.store, start, end, most=MOST_LISTED)
    seen = [one for one in found if sees(who, one.selector.labels)]
    page, cursor = newest_page(seen, lambda one: one.at, lambda one: one.id, query.cursor, query.limit)
    verdicts = changes.read_verdicts(web.store, [one.id for one in page])
    told = [one for one in verdicts if sees(who, one.selector.labels)]
    shown = [_json(one, [verdict for verdict in told if verdict.change_id == one.id]) for one in page]
    return {"changes": shown, "next_cursor": cursor}


def one_of(web: Web, change_id: str, who: Principal) -> dict[str, Any]:
    """Raises Problem where there is none that the caller may see."""
    found = [one for one in changes.read_changes(web.store, change_id=change_id) if sees(who, one.selector.labels)]
    if not found or not change_id:
        raise Problem(404, f"There is no change {change_id[:40]!r}.")
    verdicts = [one for one in changes.read_verdicts(web.store, [change_id]) if sees(who, one.selector.labels)]
    return {**_json(found[0], verdicts), "reports": [json.loads(one.report) for one in verdicts]}


def add_change(web: Web, asked: NewChange) -> dict[str, Any]:
    """Note the change; returns it. Raises Problem and BadWindow."""
    now = web.now()
    at = read_time("at", asked.at) if asked.at else now
    if at > now + _AHEAD:
        raise Problem(422, "at: lies ahead; note a change when it is made.", parameter="at")
    try:
        selector = Selector.of(asked.selector)
    except ValueError as error:
        raise Problem(400, f"selector: {error}.", parameter="selector") from None
    change = Change(
        id=changes.new_change_id(),
        at=at,
        kind=asked.kind,
        what=asked.what,
        selector=selector,
        who=asked.who,
        found=False,
        made_at=now,
    )
    changes.write_changes(web.store, [change])
    return _json(change, [])


def _json(one: Change, verdicts: list[ChangeVerdict]) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": utc(one.at),
        "kind": one.kind,
        "what": one.what,
        "selector": one.selector.labels,
        "who": one.who or None,
        "found": one.found,
        "verdicts": [
            {
                "transaction": verdict.transaction or None,
                "selector": verdict.selector.labels,
                "judged_at": utc(verdict.judged_at),
                "from": utc(verdict.before_from),
                "to": utc(verdict.after_to),
                "outcome": verdict.outcome,
                "reasons": list(verdict.reasons),
            }
            for verdict in verdicts
        ],
    }
