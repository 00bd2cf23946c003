"""`POST /internal/v1/{frame,arrow,command,insert}`: the embedded store for other commands of the same user.

Only there when the owner has a token; without the token nobody gets past the door. The bytes are the business of
`storage.remote`.
"""

from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from dashboards.context import Web
from dashboards.problems import Problem
from dashboards.threads import Workers
from storage import remote

Action = Literal["frame", "arrow", "command", "insert"]


def router(web: Web, workers: Workers, token: str) -> APIRouter:
    routes = APIRouter(prefix=remote.PATH.rstrip("/"), include_in_schema=False)

    @routes.post("/{action}", response_class=Response)
    async def internal(action: Action, request: Request) -> Response:
        if not remote.authorised(request.headers.get("authorization"), token):
            raise Problem(401, "The token is missing or wrong.", headers={"WWW-Authenticate": "Bearer"})
        body = await request.body()
        reply = await workers.run(remote.answer, web.store, action, body, dict(request.query_params))
        return Response(reply.body, reply.status, media_type=reply.media_type)

    return routes
