"""`/api/v1/silences`: what people mute for a while. Windows of maintenance that recur stand in the configuration."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.access import Principal
from core.alert_settings import checked_match
from core.types import Silence
from dashboards.access.caller import Who, deed
from dashboards.api.answers import answer, utc
from dashboards.api.bodies import json_body
from dashboards.api.cursors import newest_page
from dashboards.api.documented import api_router, described, described_body
from dashboards.api.lists import PageQuery
from dashboards.api.schemas import SilencesAnswer, SilenceShape
from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from dashboards.window import read_span, read_time
from storage.silences import read_silences, write_silence

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=366)
_MOST_LABELS = 20
_LONGEST_VALUE = 200


class NewSilence(BaseModel):
    """What is to be muted."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    match: dict[str, str] = Field(
        min_length=1, max_length=_MOST_LABELS, description="Label → value, or `~REGEX`: all of them must hold."
    )
    from_: str | None = Field(None, alias="from", max_length=64, description="RFC 3339; default: now.")
    for_: str = Field("2h", alias="for", max_length=32, description="How long: `30m`, `2h`, `7d`.")
    comment: str = Field("", max_length=2000, description="Why.")


def router(web: Web, workers: Workers) -> APIRouter:
    routes = api_router("silences")

    @routes.get("/silences", summary="Silences that have not ended, the latest begin first", **described(SilencesAnswer))
    async def list_silences(query: Annotated[PageQuery, Query()]) -> Response:
        found = await workers.run(read_silences, web.store, web.now())
        page, cursor = newest_page(found, lambda one: one.starts_at, lambda one: one.id, query.cursor, query.limit)
        return answer({"silences": [shape(one) for one in page], "next_cursor": cursor})

    @routes.post(
        "/silences",
        summary="Mute incidents for a while",
        openapi_extra=described_body(NewSilence),
        **described(SilenceShape, 201, "The silence."),
    )
    async def add(request: Request, who: Who) -> Response:
        asked = await json_body(request, NewSilence)
        silence = await workers.run(added, web, asked, who)
        deed(request, silence=silence.id)
        return answer(shape(silence), 201)

    @routes.post("/silences/{silence_id}/end", summary="End a silence now", **described(SilenceShape))
    async def end(silence_id: Annotated[str, Path(max_length=64)]) -> Response:
        return answer(shape(await workers.run(ended, web, silence_id)))

    return routes


def added(web: Web, asked: NewSilence, who: Principal) -> Silence:
    """Write the silence. Raises Problem and BadWindow."""
    now = web.now()
    start = read_time("from", asked.from_) if asked.from_ else now
    end = start + read_span("for", asked.for_, _SHORTEST, _LONGEST)
    if end <= now:
        raise Problem(422, "for: the silence would be over before now; give a longer one or a later from.", parameter="for")
    if any(len(text) > _LONGEST_VALUE for pair in asked.match.items() for text in pair):
        raise Problem(400, f"match: names and values have {_LONGEST_VALUE} characters at most.", parameter="match")
    try:
        match = checked_match(asked.match)
    except ValueError as error:
        raise Problem(400, f"match: {error}.", parameter="match") from None
    silence = Silence(
        id=secrets.token_hex(4),
        match=match,
        starts_at=start,
        ends_at=end,
        created_at=now,
        created_by=who.name,
        comment=asked.comment,
    )
    write_silence(web.store, silence)
    return silence


def ended(web: Web, silence_id: str) -> Silence:
    """Let a silence end now. Raises Problem for one that is over or not there."""
    now = web.now()
    before = next((one for one in read_silences(web.store, now) if one.id == silence_id), None)
    if before is None:
        raise Problem(404, f"There is no silence {silence_id!r} to end.")
    after = replace(before, starts_at=min(before.starts_at, now), ends_at=now)
    write_silence(web.store, after)
    return after


def shape(one: Silence) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "id": one.id,
        "match": dict(one.match),
        "from": utc(one.starts_at),
        "until": utc(one.ends_at),
        "created_by": one.created_by,
        "comment": one.comment,
    }
