"""The door: finds out who asks, and lets in whom the decision about the address lets in. Everything behind it may rely on that.

In order: who is it, do they ask too often, is it a page of ours that acts, may they. A refusal is a problem document; a browser
that opens a page is sent to the login instead.
"""

import hmac
import logging
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from core.access import LOCAL, NOBODY, Principal, Via
from dashboards.access.auditing import note
from dashboards.access.decisions import Decision, Need, decide
from dashboards.access.identify import Identifier, bearer_of
from dashboards.access.limits import RateLimit
from dashboards.access.origins import UNSAFE, own_origin, own_path
from dashboards.context import Web
from dashboards.plain_page import plain_page
from dashboards.problems import Problem, problem_of, response
from dashboards.threads import Workers

logger = logging.getLogger(__name__)

CSRF_HEADER = "x-csrf-token"
_LIMITED = "/api/"
_LONGEST_PATH = 200


class AccessGate:
    """ASGI middleware in front of every route; puts the `Principal` into the request's state."""

    def __init__(self, app: ASGIApp, *, web: Web, workers: Workers, identifier: Identifier) -> None:
        self._app, self._web, self._workers, self._identifier = app, web, workers, identifier
        self._limit = RateLimit(web.settings.web.rate_limit)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        decision = decide(scope["method"], scope["path"])
        try:
            who = await self._known(scope, decision)
            self._check_rate(scope, who)
            self._check_origin(scope, decision, who)
            refusal = self._refusal(scope, decision, who)
        except Exception as error:  # noqa: BLE001  whatever fails here, nobody comes in
            await response(problem_of(error))(scope, receive, send)
            return
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = who
        if decision.audited:
            await self._noting(scope, decision, who, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _known(self, scope: AsgiScope, decision: Decision) -> Principal:
        """Who it is; wrong proofs count for the address that they come from, so that nobody may try them without end."""
        try:
            return await self._principal(scope, decision)
        except Problem:
            self._count(f"address:{_address(scope)}")
            raise

    async def _principal(self, scope: AsgiScope, decision: Decision) -> Principal:
        if decision.need is Need.OWNER:
            return NOBODY
        if not bearer_of(Headers(scope=scope)) and not self._web.settings.web.login_needed:
            return LOCAL
        if decision.need is not Need.PUBLIC:
            return await self._workers.run(self._identifier.principal, scope)
        if decision.path.startswith(("/assets", "/_", "/healthz")):  # the same for everybody, and also while the store is away
            return NOBODY
        try:
            return await self._workers.run(self._identifier.principal, scope)
        except Problem:  # a wrong token opens what is open to everybody all the same
            return NOBODY

    def _check_rate(self, scope: AsgiScope, who: Principal) -> None:
        if not scope["path"].startswith(_LIMITED):
            return
        known = who.via in (Via.TOKEN, Via.SESSION, Via.PROXY)
        self._count(f"{who.via}:{who.token_id or who.name}" if known else f"address:{_address(scope)}")

    def _count(self, key: str) -> None:
        if (wait_s := self._limit.wait_s(key)) > 0:
            words = f"More than {self._web.settings.web.rate_limit:,} requests a minute (web.rate_limit); try again later."
            raise Problem(429, words, headers={"Retry-After": str(int(wait_s) + 1)})

    def _check_origin(self, scope: AsgiScope, decision: Decision, who: Principal) -> None:
        if scope["method"] not in UNSAFE or who.via is Via.TOKEN or decision.need is Need.OWNER:
            return
        headers = Headers(scope=scope)
        if not own_origin(headers, self._web.settings.web.public_url):
            raise Problem(403, "A page of another site may not ask for this.")
        acts = decision.need in (Need.OPERATE, Need.ADMIN)
        if who.via is Via.SESSION and acts and not _same(headers.get(CSRF_HEADER, ""), who.csrf):
            words = "X-CSRF-Token: is missing or wrong; GET /api/v1/session tells the one of this login."
            raise Problem(403, words, parameter="X-CSRF-Token")

    def _refusal(self, scope: AsgiScope, decision: Decision, who: Principal) -> Response | None:
        """What refuses the request; None: it may go on."""
        if decision.need in (Need.PUBLIC, Need.OWNER):
            return None
        needed = decision.need.scope
        if who is NOBODY:
            return _unknown(scope)
        if needed is None:
            raise Problem(405, "This address does not take that method.")
        if not who.may(needed):
            logger.info("refused: %s %s by %s", scope["method"], scope["path"][:_LONGEST_PATH], who.name)
            raise Problem(403, f"This needs the scope {needed}; what {who.name!r} has is {who.scope}.")
        if who.tenants and not decision.tenants:
            words = f"This cannot be divided by tenant; the token sees {', '.join(who.tenants)} only."
            raise Problem(403, words)
        return None

    async def _noting(self, scope: AsgiScope, decision: Decision, who: Principal, receive: Receive, send: Send) -> None:
        """Let the request go on, and note the deed before its answer goes out: who is told that it is done finds it noted.

        One that ends without an answer (its time is up, its client has left) may be done all the same, and is noted too.
        """
        told = False

        def noting(**detail: object) -> tuple[Any, ...]:
            state = scope["state"]
            action, subject = f"{scope['method']} {decision.path}", scope["path"][:_LONGEST_PATH]
            return note, self._web, state.get("actor", who), action, subject, {**detail, **state.get("deed", {})}

        async def noted(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start":
                told = True
                await self._workers.run(*noting(status=message["status"]))
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            if not told:
                self._web.pool.submit(*noting(answered=False))


def _address(scope: AsgiScope) -> str:
    return str((scope.get("client") or ("", 0))[0])


def _unknown(scope: AsgiScope) -> Response:
    """Nobody has logged in: a page leads to the login, and all else says how to."""
    headers = Headers(scope=scope)
    is_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if not is_page or scope["path"].startswith("/api/v1"):
        raise Problem(
            401, "Log in at /login, or send a token as `Authorization: Bearer …`.", headers={"WWW-Authenticate": "Bearer"}
        )
    query = scope["query_string"].decode("latin-1")
    target = own_path(quote(scope["path"], safe="/") + (f"?{query}" if query else ""))
    if headers.get("sec-fetch-site") == "cross-site":
        # From a link in a chat browsers keep back a SameSite=Strict cookie; from this page of ours they send it.
        return plain_page("Opening …", "", 200, refresh=target)
    return RedirectResponse(f"/login?next={quote(target, safe='')}", 303)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
