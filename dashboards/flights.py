"""One answer on its way: made once, waited for by any number of clients, ended when the last of them has left."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.asking import Asker, asking

LEFT = "nobody waits for this answer any longer"


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer as it went out; `at` is when it came, on the clock of whoever keeps it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    at: float = 0.0

    @property
    def size(self) -> int:
        return len(self.body) + 1024

    async def send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})


class Flight:
    """An answer that is being made.

    Parameters
    ----------
    changes : int
        How much had been changed when it began.
    stays : bool
        Whether it is made to its end though nobody waits.
    """

    def __init__(self, *, changes: int, stays: bool) -> None:
        self.changes, self._stays = changes, stays
        self.asker = Asker()
        self._waiting = 0
        self._left = False
        self._task: asyncio.Task[Answer]
        self._ending: asyncio.Future[None] | None = None

    @property
    def abandoned(self) -> bool:
        return self._left or bool(self.asker.why)

    def start(self, app: ASGIApp, scope: Scope, body: bytes, budget_s: float, landed: Callable[[Answer | None], None]) -> None:
        """Begin; `landed` is called with the answer, or with None where there was an error."""
        self._task = asyncio.create_task(self._made(app, scope, body))
        words = f"this takes longer than the {budget_s:g} s that a page may take; choose a shorter window or fewer series"
        watch = asyncio.get_running_loop().call_later(budget_s, self._end, words)

        def done(task: "asyncio.Task[Answer]") -> None:
            watch.cancel()
            failed = task.cancelled() or task.exception() is not None
            landed(None if failed else task.result())

        self._task.add_done_callback(done)

    async def landed(self, receive: Receive) -> Answer | None:
        """The answer; None where this client leaves before it. Raises what went wrong while it was made."""
        self._waiting += 1
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({self._task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return self._task.result() if self._task.done() else None
        finally:
            leaving.cancel()
            self._waiting -= 1
            if not self._waiting and not self._stays and not self._task.done():
                self._left = True
                self._end(LEFT)

    def _end(self, why: str) -> None:
        """End its questions on a thread: the engine may take a moment to hear of it. The answer then ends by itself."""
        self._ending = asyncio.get_running_loop().run_in_executor(None, self.asker.leave, why)

    async def _made(self, app: ASGIApp, scope: Scope, body: bytes) -> Answer:
        parts: list[bytes] = []
        start: dict[str, Any] = {}
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await asyncio.Event().wait()  # who leaves is seen by those who wait for the answer
            raise AssertionError("unreachable")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        with asking(self.asker):
            await app({**scope, "state": dict(scope.get("state", {}))}, receive, send)
        return Answer(status=start["status"], headers=list(start.get("headers", [])), body=b"".join(parts))


async def _left(receive: Receive) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
