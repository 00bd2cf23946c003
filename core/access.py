"""Who may do what: scopes, tokens and sessions as they are kept, and the principal that a request is made by. Pure.

A token is `tps_ID_SECRET`. Only SHA-256 of the whole text is kept: the secret is 32 random bytes, so that no slow hash is
needed (OWASP, Password Storage: those are for what people choose). The id finds the row; the hash is compared in constant time.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PREFIX = "tps_"
_TOKEN = re.compile(r"tps_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class Scope(StrEnum):
    """What a principal may do; each includes those before it."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Whether who has this scope may do what asks for `other`."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


class Via(StrEnum):
    """How somebody proved who they are."""

    LOCAL = "local"
    TOKEN = "token"
    SESSION = "session"
    PROXY = "proxy"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token as it is kept.

    Attributes
    ----------
    hash : str
        SHA-256 of the token, in hexadecimal.
    tenants : tuple of str
        Whose rows it sees; empty: everybody's.
    expires_at, revoked_at : datetime or None
        None: never.
    """

    id: str
    name: str
    hash: str
    scope: Scope
    tenants: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it opens anything at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that logged in with a token; ends with it at the latest.

    Attributes
    ----------
    hash : str
        SHA-256 of the cookie's value, in hexadecimal.
    ended_at : datetime or None
        When somebody logged out.
    """

    hash: str
    token_id: str
    started_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request.

    Attributes
    ----------
    name : str
        For the audit: the token's name, the proxy's user, `local`.
    scope : Scope or None
        None: nobody, who may only see what is public.
    tenants : tuple of str
        Whose rows they see; empty: everybody's.
    csrf : str
        What a page must send with an action; empty where no cookie is involved.
    """

    name: str
    scope: Scope | None
    via: Via
    tenants: tuple[str, ...] = ()
    token_id: str = ""
    csrf: str = ""

    def may(self, needed: Scope) -> bool:
        return self.scope is not None and self.scope.includes(needed)


NOBODY = Principal(name="nobody", scope=None, via=Via.NOBODY)
LOCAL = Principal(name="local", scope=Scope.ADMIN, via=Via.LOCAL)
"""Whoever is on this machine, where the service listens on loopback only."""


def new_token() -> tuple[str, str]:
    """The id and the text of a new token."""
    id_ = secrets.token_hex(6)
    return id_, f"{PREFIX}{id_}_{secrets.token_urlsafe(32)}"


def new_session() -> str:
    """The value of a new session's cookie."""
    return secrets.token_urlsafe(32)


def id_of(token: str) -> str:
    """The id in a token's text; empty for what is no token."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else ""


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", errors="surrogatepass")).hexdigest()


def matches(secret: str, kept: str) -> bool:
    """Whether a secret is the one of which `kept` is the hash; takes as long whether or not."""
    return hmac.compare_digest(hash_of(secret).encode(), kept.encode())


def csrf_of(session: str) -> str:
    """What a page of the session sends with its actions; tells nothing of the session itself (HMAC-SHA256)."""
    return hmac.new(session.encode(), b"tpscope csrf", hashlib.sha256).hexdigest()
