"""`POST /api/v1/calls`: calls without Kafka, as lines of JSON; read, checked and kept as a topic's records are."""

import re
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.access import Principal
from core.errors import ConfigError
from core.posting import CallSink, ForeignTenant, KeyUsed, Posted
from dashboards.access.caller import Who
from dashboards.api.answers import answer
from dashboards.api.documented import api_router, described
from dashboards.api.schemas import PostedAnswer
from dashboards.problems import Problem
from dashboards.threads import Workers

_KEY = re.compile(r"[!-~]{1,128}")
_KEY_WORDS = "Names this batch, in 1 to 128 visible ASCII characters: a repeat under it is not counted twice."
_MEDIA = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json", "text/plain")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/x-ndjson": {"schema": {"type": "string", "description": "One call record a line."}}},
    }
}


class PostQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: str | None = Field(
        None, max_length=64, description="Log format of the lines, as in `kafka.format`, which is the default."
    )


def router(sink: CallSink, workers: Workers) -> APIRouter:
    routes = api_router("calls")

    @routes.post("/calls", summary="Send calls", openapi_extra=_BODY, **described(PostedAnswer))
    async def take_calls(
        request: Request,
        query: Annotated[PostQuery, Query()],
        who: Who,
        idempotency_key: Annotated[str | None, Header(description=_KEY_WORDS)] = None,
    ) -> Response:
        """Answers when the calls are stored. Lines that cannot be read are told and kept as dead letters; the others count.

        Send a batch again under its key until it is answered: each call is stored once. A key is remembered for 30 days.
        """
        name = _name(idempotency_key, who)
        _check_media(request)
        body = await request.body()
        if not body.strip():
            raise Problem(400, "The body is empty; send one call record a line.")
        return answer(asdict(await workers.run(_take, sink, name, body, query.format or "", who)))

    return routes


def _take(sink: CallSink, name: str, body: bytes, format_: str, who: Principal) -> Posted:
    try:
        return sink.take(name, body, format=format_, tenants=who.tenants)
    except KeyUsed as error:
        raise Problem(422, f"Idempotency-Key: {error}.", parameter="Idempotency-Key") from None
    except ForeignTenant as error:
        raise Problem(403, f"tenant: {error}.", parameter="tenant") from None
    except ConfigError as error:
        raise Problem(400, f"format: {error}.", parameter="format") from None


def _name(key: str | None, who: Principal) -> str:
    """The batch's name: keys of different senders do not meet."""
    if key is None or not _KEY.fullmatch(key):
        words = "is missing" if key is None else "must be 1 to 128 visible ASCII characters"
        raise Problem(400, f"Idempotency-Key: {words}; give every batch one of its own.", parameter="Idempotency-Key")
    return f"{who.token_id or who.via.value}:{key}"


def _check_media(request: Request) -> None:
    media = request.headers.get("content-type", _MEDIA[0]).partition(";")[0].strip().lower()
    if media not in _MEDIA:
        raise Problem(415, f"The body must be lines of JSON, with the media type {_MEDIA[0]}.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "The body must not be compressed.")
