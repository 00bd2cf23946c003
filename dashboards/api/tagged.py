"""ETags: who asks again for what has not changed gets 304 and no body (RFC 9110, 13.1.2).

The tag is a hash of the answer, so that it is right whatever the answer was made of; asking the store is spared by the cache.
"""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

_LEAST_BYTES = 256


class TaggedRoute(APIRoute):
    """A route whose successful answers to GET carry an ETag; streamed ones, whose bytes are not known yet, do not."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await handle(request)
            body = getattr(response, "body", b"")
            if request.method != "GET" or response.status_code != 200 or len(body) < _LEAST_BYTES:
                return response
            tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
            headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
            if _named(request.headers.get("if-none-match", ""), tag):
                return Response(status_code=304, headers=headers)
            response.headers.update(headers)
            return response

        return tagged


def _named(header: str, tag: str) -> bool:
    """Whether the header names the tag; compared weakly."""
    bare = tag.removeprefix("W/")
    return any(one.strip().removeprefix("W/") in (bare, "*") for one in header.split(","))
