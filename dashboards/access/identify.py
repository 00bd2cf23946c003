"""Who makes a request: by a bearer token, the cookie of a login, a trusted proxy's header, or by being on this machine.

A bearer token decides alone: a wrong one is refused even where another proof would do.
"""

import ipaddress
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import Scope as AsgiScope

from core.access import LOCAL, NOBODY, ApiToken, Principal, Via, csrf_of
from core.config import WebSettings
from dashboards.access.directory import Directory
from dashboards.problems import Problem

COOKIE = "tpscope-session"
SECURE_COOKIE = "__Host-tpscope-session"
"""The prefix makes browsers take it over TLS only, for this host alone (RFC 6265bis)."""

_LONGEST_USER = 200


class Identifier:
    """Finds the principal of a request; may block as a read of the store does."""

    def __init__(self, settings: WebSettings, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory
        self._proxies = [ipaddress.ip_network(text) for text in settings.trusted_proxies]

    def principal(self, scope: AsgiScope) -> Principal:
        """Who asks. Raises Problem (401) for a bearer token that is none of ours, and what reading the store raises."""
        headers = Headers(scope=scope)
        if secret := bearer_of(headers):
            return self._of_bearer(secret)
        if not self._settings.login_needed:
            return LOCAL
        session = self._of_cookie(headers)
        return session or self._of_proxy(scope, headers) or NOBODY

    def is_secure(self, scope: AsgiScope) -> bool:
        """Whether the browser speaks TLS, to us or to a proxy that we trust."""
        if scope.get("scheme") == "https" or self._settings.public_url.startswith("https://"):
            return True
        return self.from_proxy(scope) and Headers(scope=scope).get("x-forwarded-proto", "") == "https"

    def from_proxy(self, scope: AsgiScope) -> bool:
        """Whether the connection itself comes from a trusted proxy; what headers say of addresses is never believed."""
        try:
            address = ipaddress.ip_address((scope.get("client") or ("", 0))[0])
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def _of_bearer(self, secret: str) -> Principal:
        token = self._directory.token_of(secret)
        if token is None:
            raise Problem(
                401,
                "The token is wrong, has expired or was revoked.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        return _principal(token, Via.TOKEN)

    def _of_cookie(self, headers: Headers) -> Principal | None:
        for secret in session_cookies(headers):
            found = self._directory.session_of(secret)
            if found is not None:
                return _principal(found[1], Via.SESSION, csrf_of(secret))
        return None

    def _of_proxy(self, scope: AsgiScope, headers: Headers) -> Principal | None:
        name = self._settings.proxy_user_header
        given = headers.getlist(name) if name else []
        if len(given) != 1 or not given[0].strip() or not self.from_proxy(scope):
            return None  # two of them: somebody tried to put a name beside the proxy's
        user = given[0].strip()[:_LONGEST_USER]
        return Principal(name=user, scope=self._settings.proxy_users.get(user, self._settings.proxy_scope), via=Via.PROXY)


def bearer_of(headers: Headers) -> str:
    """The bearer token that a request brings; empty for none. What else proxies put there (Basic) is theirs."""
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def session_cookies(headers: Headers) -> Sequence[str]:
    """The session cookies that a request brings, the one that is only sent over TLS first."""
    found: list[str] = []
    for header in headers.getlist("cookie"):
        try:
            jar = SimpleCookie(header)
        except CookieError:
            continue
        found += [jar[name].value for name in (SECURE_COOKIE, COOKIE) if name in jar]
    return found


def _principal(token: ApiToken, via: Via, csrf: str = "") -> Principal:
    return Principal(name=token.name, scope=token.scope, via=via, tenants=token.tenants, token_id=token.id, csrf=csrf)
