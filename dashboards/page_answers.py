"""Answers to what pages ask, shared between everybody who has the same page open, and ended when nobody waits for them.

What follows a page's clock is asked again every few seconds by each browser. One asks, the others of the same rows wait for
that answer; for `FRESH_S` it is given to whoever asks next, as the bytes that went out. Until `STALE_S` it still is, and a
newer one is made meanwhile: the page's own words of when it was updated tell how old it is. Whatever changes something through
the API makes all of them forgotten. An answer of which a part is missing is not kept.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.access import NOBODY, Principal
from dashboards.access.origins import UNSAFE
from dashboards.asked_of_pages import UPDATE, key_of
from dashboards.flights import Answer, Flight

FRESH_S, STALE_S = 5.0, 30.0
MOST_BYTES = 64 * 2**20
"""Of all answers that are kept; one of a page with many charts has some hundred kilobytes before it is compressed."""

BUDGET_S = 20.0
"""How long one answer may be worked on; what was read until then is kept, so that the next try comes further."""


class PageAnswers:
    """ASGI middleware inside of the door, around all that makes and compresses an answer."""

    def __init__(self, app: ASGIApp, *, budget_s: float = BUDGET_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._budget_s, self._clock = app, budget_s, clock
        self._kept: OrderedDict[bytes, Answer] = OrderedDict()
        self._bytes = 0
        self._flights: dict[bytes, Flight] = {}
        self._changes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != UPDATE:
            await self._pass(scope, receive, send)
            return
        body = await whole_body(receive)
        if body is None:
            return
        key = key_of(body, *_whose(scope))
        answer = self._known(key) if key is not None else None
        if answer is None:
            answer = await self._flight(scope, body, key).landed(receive)
        elif self._clock() - answer.at > FRESH_S and key is not None and key not in self._flights:
            self._flight(scope, body, key, stays=True)
        if answer is not None:
            await answer.send(send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "http" and scope["method"] in UNSAFE and scope["path"].startswith("/api/"):
                self._changes += 1
                self._kept.clear()
                self._bytes = 0

    def _known(self, key: bytes) -> Answer | None:
        found = self._kept.get(key)
        return found if found is not None and self._clock() - found.at <= STALE_S else None

    def _flight(self, scope: Scope, body: bytes, key: bytes | None, *, stays: bool = False) -> Flight:
        """The answer that is being made, a new one where there is none to wait for."""
        found = self._flights.get(key) if key is not None else None
        if found is not None and not found.abandoned and found.changes == self._changes:
            return found
        flight = Flight(changes=self._changes, stays=stays)
        if key is not None:
            self._flights[key] = flight
        flight.start(self._app, scope, body, self._budget_s, lambda answer: self._landed(key, flight, answer))
        return flight

    def _landed(self, key: bytes | None, flight: Flight, answer: Answer | None) -> None:
        if key is None:
            return
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.abandoned or flight.changes != self._changes:
            return
        if answer is None or answer.status != 200 or flight.asker.failed:
            self._drop(key)  # what went wrong is news: an older answer would hide it
            return
        answer.at = self._clock()
        self._drop(key)
        self._kept[key] = answer
        self._bytes += answer.size
        while self._bytes > MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._bytes -= old.size


async def whole_body(receive: Receive) -> bytes | None:
    """A request's body; None where its client left in the middle."""
    parts: list[bytes] = []
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _whose(scope: Scope) -> tuple[str, ...]:
    """What tells answers to one question apart: the rows that somebody sees, what they may do, how they take their bytes."""
    who: Principal = scope.get("state", {}).get("principal", NOBODY)
    compressed = "gzip" in Headers(scope=scope).get("accept-encoding", "")
    return (str(who.scope), str(compressed), *who.tenants)
