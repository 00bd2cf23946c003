"""`GET` and `POST /api/v1/masks`, `POST /api/v1/masks/{id}/end`: what people say of spans of time."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.masks import Mask, MaskKind
from core.series import Selector
from dashboards.access.caller import Who, deed
from dashboards.access.rows import sees
from dashboards.api.answers import answer, utc
from dashboards.api.bodies import json_body
from dashboards.api.cursors import newest_page
from dashboards.api.documented import api_router, described, described_body
from dashboards.api.lists import PageQuery
from dashboards.api.schemas import MasksAnswer, MaskShape, NewMaskAnswer
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.window import read_time
from storage import masks

_MINUTE = timedelta(minutes=1)


class MasksQuery(PageQuery):
    all: bool = Field(False, description="Also masks that are over.")


class NewMask(BaseModel):
    """What is to be masked, and who says so."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    kind: MaskKind = Field(description="`maintenance` and `expected` mute; `incident` is only not learned.")
    why: str = Field(min_length=1, max_length=2000, description="For whoever asks later.")
    who: str = Field(min_length=1, max_length=200, description="Who says so.")
    from_: str | None = Field(None, alias="from", max_length=64, description="RFC 3339; default: now, or the anomaly's start.")
    until: str | None = Field(None, max_length=64, description="RFC 3339; default: until it is ended.")
    selector: dict[str, str] = Field(default_factory=dict, description="Which calls: dimension → value; empty: all.")
    anomaly: str = Field("", max_length=64, description="Id of an anomaly: its time and selection are taken.")


class EndOfMask(BaseModel):
    model_config = ConfigDict(extra="forbid")

    at: str | None = Field(None, max_length=64, description="RFC 3339; default: now.")
    withdraw: bool = Field(False, description="It never was: what it muted is news again.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("masks")

    @routes.get("/masks", summary="Masks that hold now or later, the latest begin first", **described(MasksAnswer))
    async def list_masks(query: Annotated[MasksQuery, Query()], who: Who) -> Response:
        found = await workers.run(masks.read_masks, web.store, None if query.all else web.now())
        seen = [one for one in found if sees(who, one.selector.labels)]
        page, cursor = newest_page(seen, lambda one: one.start, lambda one: one.id, query.cursor, query.limit)
        return answer({"masks": [_json(one) for one in page], "next_cursor": cursor})

    @routes.post(
        "/masks",
        summary="Leave a span out of training and mute it",
        openapi_extra=described_body(NewMask),
        **described(NewMaskAnswer, 201, "The mask, and the anomalies that it speaks of."),
    )
    async def add(request: Request) -> Response:
        asked = await json_body(request, NewMask)
        made = await workers.run(add_mask, web, asked)
        deed(request, mask=made["id"], said_by=asked.who)
        return answer(made, 201)

    @routes.post(
        "/masks/{mask_id}/end",
        summary="End a mask",
        openapi_extra=described_body(EndOfMask, required=False),
        **described(MaskShape),
    )
    async def end(mask_id: Annotated[str, Path(max_length=64)], request: Request) -> Response:
        asked = await json_body(request, EndOfMask)
        return answer(await workers.run(end_mask, web, mask_id, asked))

    return routes


def add_mask(web: Web, asked: NewMask) -> dict[str, Any]:
    """Write the mask; returns it with the anomalies it speaks of. Raises Problem and BadWindow."""
    start, end, selector = _span(web, asked)
    mask = Mask(
        id=masks.new_mask_id(),
        kind=asked.kind,
        start=start,
        end=end,
        selector=selector,
        who=asked.who,
        why=asked.why,
        made_at=web.now(),
        anomaly_id=asked.anomaly,
    )
    try:
        concerned = masks.add_mask(web.store, mask)
    except ValueError as error:
        raise Problem(422, f"until: {error}.", parameter="until") from None
    return {**_json(mask), "anomalies": [one.id for one in concerned]}


def end_mask(web: Web, mask_id: str, asked: EndOfMask) -> dict[str, Any]:
    """End the mask; returns its new form."""
    found = masks.read_masks(web.store, mask_id=mask_id)
    at = read_time("at", asked.at) if asked.at else web.now()
    ended = masks.end_mask(web.store, mask_id, found[0].start if asked.withdraw else at) if found else None
    if ended is None:
        raise Problem(404, f"There is no mask {mask_id[:40]!r}.")
    return _json(ended)


def _span(web: Web, asked: NewMask) -> tuple[datetime, datetime | None, Selector]:
    start = read_time("from", asked.from_) if asked.from_ else None
    end = read_time("until", asked.until) if asked.until else None
    if asked.anomaly:
        if asked.selector:
            raise Problem(422, "anomaly: names a selection itself; give it or selector.", parameter="anomaly")
        anomaly = masks.anomaly_by_id(web.store, asked.anomaly)
        if anomaly is None:
            raise Problem(404, f"anomaly: there is none with the id {asked.anomaly[:40]!r}.", parameter="anomaly")
        over = None if anomaly.ended_at is None else anomaly.last_at + _MINUTE
        return start or anomaly.started_at, end or over, anomaly.selector
    try:
        return start or web.now(), end, Selector.of(asked.selector)
    except ValueError as error:
        raise Problem(400, f"selector: {error}.", parameter="selector") from None


def _json(mask: Mask) -> dict[str, Any]:
    return {
        "id": mask.id,
        "kind": mask.kind,
        "from": utc(mask.start),
        "until": utc(mask.end),
        "selector": mask.selector.labels,
        "who": mask.who,
        "why": mask.why,
        "made_at": utc(mask.made_at),
        "anomaly": mask.anomaly_id or None,
    }
