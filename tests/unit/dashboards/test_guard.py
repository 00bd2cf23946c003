"""The outermost layer, over a small application of its own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI, Request
from prometheus_client import REGISTRY
from starlette.types import Message

from core.config import WebSettings
from core.errors import StoreUnavailable
from dashboards import problems
from dashboards.guard import MAX_BODY, Guard, content_security_policy
from dashboards.hosts import AllowedHosts


def guarded(limit: timedelta = timedelta(seconds=5)) -> FastAPI:
    app = FastAPI()
    problems.install(app)

    @app.get("/fine")
    async def fine() -> dict[str, str]:
        return {"a": "b"}

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {}

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    @app.get("/away")
    async def away() -> None:
        raise StoreUnavailable("store: 10.0.0.7:9000 does not answer")

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    app.add_middleware(Guard, hosts=AllowedHosts(WebSettings()), limit=limit, policy=lambda: content_security_policy([]))
    return app


def ask(path: str, *, method: str = "GET", app: FastAPI | None = None, **request: Any) -> httpx.Response:
    """One request to the guarded application, in an event loop of its own."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app or guarded(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


def test_every_answer_has_the_security_headers() -> None:
    for path in ("/fine", "/broken", "/nowhere"):
        headers = ask(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_a_foreign_name_is_refused_but_probes_are_not() -> None:
    answer = ask("/fine", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert ask("/healthz", headers={"Host": "evil.example"}).status_code == 200


def test_an_unexpected_error_is_told_without_its_trace() -> None:
    answer = ask("/broken")
    assert answer.status_code == 500
    assert answer.json()["title"] == "Internal error"
    assert "secret" not in answer.text


def test_a_store_that_is_away_is_503_without_its_address() -> None:
    answer = ask("/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "10.0.0.7" not in answer.text


def test_a_slow_answer_is_ended() -> None:
    answer = ask("/slow", app=guarded(timedelta(seconds=0.05)))
    assert answer.status_code == 503
    assert "0.05 s" in answer.json()["detail"]


def test_a_large_body_is_refused_announced_or_not() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 65_536 + 1):
            yield b"x" * 65_536

    assert ask("/echo", method="POST", content=b"x" * MAX_BODY).json() == MAX_BODY
    assert ask("/echo", method="POST", content=b"x" * (MAX_BODY + 1)).status_code == 413
    answer = ask("/echo", method="POST", content=chunks())
    assert (answer.status_code, answer.json()["detail"]) == (413, "The body is larger than 1 MiB.")


def test_websockets_are_refused() -> None:
    sent: list[Message] = []

    async def connect() -> None:
        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/_dash-ws-callback", "headers": [(b"host", b"localhost")]}
        await guarded()(scope, receive, send)

    asyncio.run(connect())
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_requests_are_counted_by_kind_and_not_by_path() -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("tpscope_web_requests_total", {"kind": "page", "status": "4xx"}) or 0.0

    before = counted()
    ask("/some/path/of/the/client")
    assert counted() == before + 1


def test_unknown_addresses_and_methods_are_problems() -> None:
    assert ask("/nowhere").json()["detail"] == "There is nothing at this address."
    assert ask("/fine", method="POST").json()["status"] == 405
