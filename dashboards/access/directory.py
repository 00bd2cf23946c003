"""The tokens and sessions that are good now, as the store has them, read again every few seconds.

A revocation or a logout in another process holds here after `KEEP_S` at the latest, in this one at once. All of them are read
together: who guesses at cookies causes no reading of the store beyond that.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from core.access import ApiToken, Scope, Session, hash_of, id_of, matches, new_session
from core.clock import Clock
from core.config import WebSettings
from storage.contract import Store
from storage.tokens import read_sessions, read_tokens, write_session

KEEP_S = 5.0
_AGAIN_S = 1.0
_CONFIGURED = "configured"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    at_s: float
    tokens: Mapping[str, ApiToken]
    sessions: Mapping[str, Session]


@dataclass(slots=True)
class Directory:
    """Answers whose a secret is. Safe from several threads; may block as long as a read of the store does, and raises as it."""

    store: Store
    settings: WebSettings
    clock: Clock
    timer: Callable[[], float] = time.monotonic
    _known: _Known | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def token_of(self, secret: str) -> ApiToken | None:
        """The token with this text, if it is good now."""
        configured = self._configured()
        if configured is not None and matches(secret, configured.hash):
            return configured
        id_ = id_of(secret)
        if not id_:
            return None
        found = self._read().tokens.get(id_) or self._read(_AGAIN_S).tokens.get(id_)
        known = matches(secret, found.hash) if found is not None else matches(secret, "")
        return found if found is not None and known and found.valid(self.clock.now()) else None

    def session_of(self, secret: str) -> tuple[Session, ApiToken] | None:
        """The session with this cookie and the token that it was begun with, if both are good now."""
        key, now = hash_of(secret), self.clock.now()
        known = self._read()
        if key not in known.sessions:  # begun in another process a moment ago?
            known = self._read(_AGAIN_S)
        session = known.sessions.get(key)
        token = self._by_id(known, session.token_id) if session else None
        if session is None or token is None or not session.valid(now) or not token.valid(now):
            return None
        return session, token

    def begin(self, token: ApiToken) -> tuple[str, Session]:
        """A new session: its cookie's value and what is kept of it."""
        secret, now = new_session(), self.clock.now()
        until = now + self.settings.session_life
        session = Session(
            hash=hash_of(secret), token_id=token.id, started_at=now, expires_at=min(until, token.expires_at or until)
        )
        write_session(self.store, session)
        self._forget()
        return secret, session

    def end(self, session: Session) -> None:
        """Log out, everywhere."""
        write_session(self.store, replace(session, ended_at=self.clock.now()))
        self._forget()

    def anybody(self) -> bool:
        """Whether there is a token that opens anything."""
        now = self.clock.now()
        return self._configured() is not None or any(one.valid(now) for one in self._read().tokens.values())

    def _configured(self) -> ApiToken | None:
        if self.settings.admin_token is None:
            return None
        return ApiToken(
            id=_CONFIGURED,
            name="admin of the configuration",
            hash=hash_of(self.settings.admin_token.reveal()),
            scope=Scope.ADMIN,
            tenants=(),
            created_at=_LONG_AGO,
            created_by="configuration",
        )

    def _by_id(self, known: _Known, id_: str) -> ApiToken | None:
        return self._configured() if id_ == _CONFIGURED else known.tokens.get(id_)

    def _read(self, keep_s: float = KEEP_S) -> _Known:
        with self._lock:
            if self._known is None or self.timer() >= self._known.at_s + keep_s:
                self._known = _Known(
                    at_s=self.timer(),
                    tokens={one.id: one for one in read_tokens(self.store)},
                    sessions={one.hash: one for one in read_sessions(self.store, self.clock.now())},
                )
            return self._known

    def _forget(self) -> None:
        with self._lock:
            self._known = None
