"""The outermost layer of the web server: whose request it is, how large and how long it may be, and what headers go out."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.telemetry import WEB_REQUESTS, WEB_SECONDS
from dashboards.hosts import AllowedHosts
from dashboards.problems import Problem, problem_of, response

logger = logging.getLogger(__name__)

MAX_BODY = 1 * 2**20
"""Bytes of a request to a page or to the API; Dash's callbacks send a few kilobytes."""

MAX_CALLS_BODY = 16 * 2**20
"""Bytes of a batch of calls that is posted: some ten thousand of them."""

MAX_INTERNAL_BODY = 256 * 2**20
"""Bytes of a batch that another command of this machine writes through the owner's API."""

INTERNAL = "/internal/"
CALLS = "/api/v1/calls"
EXPORTS = "/api/v1/exports/"
EXPORT_LIMIT_S = 600.0
"""How long a file may take to be sent: a slow client holds a thread and a read of the store for no longer."""

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked under whatever name the platform has for us; they hold no call's data."""

_LASTING = ("/assets/", "/_dash-component-suites/")

PLAIN_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def content_security_policy(script_hashes: list[str]) -> str:
    """Everything from our own host; scripts besides only those inline ones whose hashes are known.

    Plotly and Dash write style elements, so styles may be inline; images may be data, as Plotly's downloads are.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(script_hashes)}".strip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class Guard:
    """ASGI middleware: refuses foreign hosts, oversized bodies, slow answers and WebSockets, and sets the security headers.

    Every refusal is a problem document. An error that nothing else caught ends here: logged, and told without its trace.
    """

    def __init__(self, app: ASGIApp, *, hosts: AllowedHosts, limit: timedelta, policy: Callable[[], str]) -> None:
        self._app = app
        self._hosts = hosts
        self._limit_s = limit.total_seconds()
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # no page of ours opens one
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._answer(scope, receive, _Outgoing(scope, send, self._policy))

    async def _answer(self, scope: Scope, receive: Receive, out: "_Outgoing") -> None:
        began = time.perf_counter()
        limit_s = max(self._limit_s, EXPORT_LIMIT_S) if scope["path"].startswith(EXPORTS) else self._limit_s
        incoming = _Incoming(scope, receive)
        try:
            if scope["path"] not in _PROBES and not self._hosts.allows(Headers(scope=scope).get("host", "")):
                raise Problem(421, "Host: this name is not served here; set web.public_url to the address that people use.")
            async with asyncio.timeout(limit_s):
                incoming.check_announced()
                await self._app(scope, incoming.receive, out.send)
        except TimeoutError:
            logger.warning("request took too long", extra={"path": scope["path"], "limit_s": limit_s})
            await out.refuse(incoming.too_slow(limit_s), receive)
        except Exception as error:  # noqa: BLE001  the last resort: nothing may reach the client but a sentence
            await out.refuse(problem_of(error), receive)
        finally:
            kind = _kind(scope["path"])
            WEB_REQUESTS.labels(kind, f"{out.status // 100}xx").inc()
            WEB_SECONDS.labels(kind).observe(time.perf_counter() - began)


class _Outgoing:
    """The way back to the client: adds headers, remembers the status, and refuses only what has not begun."""

    def __init__(self, scope: Scope, send: Send, policy: Callable[[], str]) -> None:
        self._scope = scope
        self._send = send
        self._policy = policy
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in PLAIN_HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = self._policy()
            if not self._scope["path"].startswith(_LASTING):
                headers.setdefault("Cache-Control", "no-store")
        await self._send(message)

    async def refuse(self, problem: Problem, receive: Receive) -> None:
        if self.status == 0:
            await response(problem)(self._scope, receive, self.send)


class _Incoming:
    """The way of the request's body: raises when it is larger than it may be, whether or not that was announced."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope, self._receive = scope, receive
        self._most = _most_bytes(scope)
        self._seen = 0
        self._whole = False

    def check_announced(self) -> None:
        announced = Headers(scope=self._scope).get("content-length", "")
        if announced.isdigit() and int(announced) > self._most:
            raise _too_large(self._most)

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._seen > self._most:
            raise _too_large(self._most)
        return message

    def too_slow(self, limit_s: float) -> Problem:
        """Who was too slow: the client that sends, or we who answer."""
        if self._scope["method"] in ("POST", "PUT", "PATCH") and not self._whole:
            return Problem(408, f"The body did not arrive within {limit_s:g} s.", headers={"Connection": "close"})
        return Problem(503, f"The answer took more than {limit_s:g} s; ask for a shorter span.")


def _most_bytes(scope: Scope) -> int:
    if scope["path"].startswith(INTERNAL):
        return MAX_INTERNAL_BODY
    return MAX_CALLS_BODY if scope["path"] == CALLS else MAX_BODY


def _too_large(most: int) -> Problem:
    return Problem(413, f"The body is larger than {most // 2**20} MiB.", headers={"Connection": "close"})


def _kind(path: str) -> str:
    """A few kinds for the metrics' labels; never the path itself, which clients choose."""
    for prefix, kind in (
        ("/api/", "api"),
        (INTERNAL, "internal"),
        ("/_dash-update-component", "page_data"),
        ("/_dash", "page"),
        ("/assets/", "asset"),
    ):
        if path.startswith(prefix):
            return kind
    return "probe" if path in _PROBES else "page"
