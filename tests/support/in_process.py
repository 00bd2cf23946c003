"""An ASGI application asked in this process, without a socket, by one event loop on a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.types import ASGIApp

_ANSWER_S = 60.0


class InProcess:
    """Asks like a browser that keeps cookies; redirects are not followed."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop, address: tuple[str, int]) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=address)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=_ANSWER_S)
        self._loop = loop

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        asked = asyncio.run_coroutine_threadsafe(self._client.request(method, url, **more), self._loop)
        return asked.result(_ANSWER_S)

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.request("GET", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.request("POST", url, **more)

    def delete(self, url: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", url, **more)


@contextmanager
def in_process(app: FastAPI | Starlette, address: tuple[str, int] = ("127.0.0.1", 50_000)) -> Iterator[InProcess]:
    """The application from its start to its end; requests come from `address`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="in-process-app", daemon=True)
    thread.start()
    lifespan = app.router.lifespan_context(app)

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(_ANSWER_S)

    try:
        run(lifespan.__aenter__())
        client = InProcess(app, loop, address)
        yield client
        run(client._client.aclose())
        run(lifespan.__aexit__(None, None, None))
    finally:
        run(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
