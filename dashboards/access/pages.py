"""`/login`, `/logout`, `/account` and `GET /api/v1/session`: a token becomes a cookie, and the cookie ends."""

import hmac
import html
import logging
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from core.access import Principal, Via
from dashboards.access.auditing import note
from dashboards.access.caller import Who, principal_of
from dashboards.access.directory import Directory
from dashboards.access.identify import COOKIE, SECURE_COOKIE, Identifier, session_cookies
from dashboards.access.limits import RateLimit
from dashboards.access.origins import own_path
from dashboards.api.answers import answer
from dashboards.api.documented import described
from dashboards.api.schemas import SessionAnswer
from dashboards.context import Web
from dashboards.plain_page import plain_page
from dashboards.problems import Problem
from dashboards.threads import Workers

logger = logging.getLogger(__name__)

ATTEMPTS_PER_MINUTE = 10
_FORM = """{wrong}<form method="post" action="/login"><input type="hidden" name="next" value="{target}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button></form><p>Whoever runs this service makes tokens with <code>tpscope token create</code>.</p>"""

_LOG_OUT = """<form method="post" action="/logout"><input type="hidden" name="csrf" value="{csrf}">
<button>Log out</button></form>"""


def router(web: Web, workers: Workers, directory: Directory, identifier: Identifier) -> APIRouter:
    routes = APIRouter()
    attempts = RateLimit(ATTEMPTS_PER_MINUTE)

    @routes.get("/login", include_in_schema=False)
    async def ask(next: str = "/") -> Response:
        return _form(own_path(next))

    @routes.post("/login", include_in_schema=False)
    async def log_in(request: Request) -> Response:
        address = request.client.host if request.client else ""
        if (wait_s := attempts.wait_s(address)) > 0:
            words = f"More than {ATTEMPTS_PER_MINUTE} attempts to log in a minute; try again later."
            raise Problem(429, words, headers={"Retry-After": str(int(wait_s) + 1)})
        form = await _fields(request)
        secure = identifier.is_secure(request.scope)
        return await workers.run(_logged_in, web, directory, form, secure, address)

    @routes.post("/logout", include_in_schema=False)
    async def log_out(request: Request) -> Response:
        form, who = await _fields(request), principal_of(request)
        if who.via is Via.SESSION and not hmac.compare_digest(form.get("csrf", "").encode(), who.csrf.encode()):
            raise Problem(403, "The form is of another login; open the page again.")
        await workers.run(_end_sessions, web, directory, request, who)
        gone = RedirectResponse("/login", 303)
        for name in (COOKIE, SECURE_COOKIE):
            gone.headers.append("Set-Cookie", _cookie(name, "", 0, secure=name == SECURE_COOKIE))
        return gone

    @routes.get("/account", include_in_schema=False)
    async def account(who: Who) -> Response:
        return _account(who)

    @routes.get("/api/v1/session", tags=["access"], summary="Who you are to this service", **described(SessionAnswer))
    async def session(who: Who) -> Response:
        """With the value of `X-CSRF-Token` that a page sends with its actions; null where no cookie is involved."""
        return answer(
            {
                "name": who.name,
                "scope": who.scope,
                "via": who.via,
                "tenants": list(who.tenants),
                "csrf_token": who.csrf or None,
            }
        )

    return routes


def _logged_in(web: Web, directory: Directory, form: dict[str, str], secure: bool, address: str) -> Response:
    target = own_path(form.get("next", "/"))
    token = directory.token_of(form.get("token", "").strip())
    if token is None:
        logger.warning("a login failed", extra={"address": address})
        return _form(target, "This token is wrong, has expired or was revoked.", 401)
    if token.tenants:
        return _form(target, "This token is for single tenants, and the pages are not divided by tenant: use the API.", 403)
    secret, session = directory.begin(token)
    who = Principal(name=token.name, scope=token.scope, via=Via.SESSION, token_id=token.id)
    note(web, who, "POST /login", token.name, {"until": session.expires_at.isoformat()})
    seconds = int((session.expires_at - session.started_at).total_seconds())
    welcome = RedirectResponse(target, 303)
    welcome.headers.append("Set-Cookie", _cookie(SECURE_COOKIE if secure else COOKIE, secret, seconds, secure=secure))
    return welcome


def _end_sessions(web: Web, directory: Directory, request: Request, who: Principal) -> None:
    for secret in session_cookies(request.headers):
        found = directory.session_of(secret)
        if found is not None:
            directory.end(found[0])
            note(web, who, "POST /logout", who.name, {})


def _cookie(name: str, value: str, seconds: int, *, secure: bool) -> str:
    parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def _form(target: str, wrong: str = "", status: int = 200) -> Response:
    words = f'<p class="wrong" role="alert">{html.escape(wrong)}</p>' if wrong else ""
    return plain_page("Log in to tpscope", _FORM.format(wrong=words, target=html.escape(target)), status)


def _account(who: Principal) -> Response:
    said = {"Name": who.name, "Scope": str(who.scope), "Came in by": who.via.value}
    lines = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in said.items())
    form = _LOG_OUT.format(csrf=who.csrf) if who.via is Via.SESSION else ""
    return plain_page("Who you are to tpscope", f'<dl>{lines}</dl>{form}<p><a href="/">Back to the overview</a></p>', 200)


async def _fields(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("ascii", errors="replace")
    return {name: values[0] for name, values in parse_qs(body).items()}
