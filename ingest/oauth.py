"""Access tokens for SASL OAUTHBEARER: from the environment or a file, or by a client-credentials grant (RFC 6749, 4.4).

Both Kafka clients ask for a token at each login, and again before a broker ends the session (KIP-368).
"""

import base64
import binascii
import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError, TpscopeError

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_FIRST_DELAY_S = 0.2
_FRESH_SHARE = 0.8
"""A token is fetched anew after this share of its life: librdkafka's rule; kafka-python logs in again at 85 % or later."""
_ASSUMED_LIFE_S = 300.0
_REFUSALS = {400, 401, 403, 404, 405}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; `expires_at` and `renew_at` are seconds since 1970."""

    value: str = field(repr=False)
    expires_at: float
    renew_at: float


class Tokens:
    """Gives the token that is to be shown now. May be called by several threads.

    A fetch takes `oauth_timeout` at most three times; a token that is still valid is used on while the server is away.

    Raises
    ------
    ConfigError
        From `token`: the server refuses the client, or the secret's file is gone.
    BrokerUnavailable
        From `token`: the server cannot be reached; the same call may succeed later.
    """

    def __init__(
        self, settings: KafkaSettings, now: Callable[[], float] = time.time, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._now, self._pause = now, pause
        self._lock = threading.Lock()
        self._token: Token | None = None
        self.failure: TpscopeError | None = None

    def token(self) -> Token:
        """A valid token; `failure` keeps why there was none."""
        with self._lock:
            try:
                found = self._fetched() if self._settings.oauth_token_url else self._given()
            except TpscopeError as error:
                self.failure = error
                raise
            self.failure = None
            return found

    def _given(self) -> Token:
        secret = self._settings.oauth_token
        assert secret is not None, "the settings require one"
        try:
            value = secret.read_again().reveal()
        except ValueError as error:
            raise ConfigError("kafka.oauth_token", str(error)) from error
        expires_at = _expiry(value)
        if expires_at is not None and expires_at <= self._now():
            raise ConfigError("kafka.oauth_token", f"expired {self._now() - expires_at:.0f} s ago; renew it")
        return self._lasting(value, None if expires_at is None else expires_at - self._now())

    def _fetched(self) -> Token:
        if self._token is None or self._now() >= self._token.renew_at:
            try:
                self._token = self._fetch()
            except BrokerUnavailable as error:
                if self._token is None or self._now() >= self._token.expires_at:
                    raise
                logger.warning("the Kafka token is not renewed yet, the old one is used on: %s", error)
        return self._token

    def _fetch(self) -> Token:
        delay_s = _FIRST_DELAY_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ask()
            except BrokerUnavailable:
                if attempt == _ATTEMPTS:
                    raise
            self._pause(delay_s)
            delay_s *= 2
        raise AssertionError("unreachable")

    def _ask(self) -> Token:
        settings = self._settings
        url, secret = settings.oauth_token_url, settings.oauth_client_secret
        assert secret is not None, "the settings require one"
        form = {"grant_type": "client_credentials"} | ({"scope": settings.oauth_scope} if settings.oauth_scope else {})
        try:
            login = httpx.BasicAuth(settings.oauth_client_id, secret.read_again().reveal())
            trust: Any = ssl.create_default_context(cafile=settings.oauth_tls_ca) if settings.oauth_tls_ca else True
            timeout_s = settings.oauth_timeout.total_seconds()
            answer = httpx.post(url, data=form, auth=login, timeout=timeout_s, verify=trust)
        except httpx.HTTPError as error:
            raise BrokerUnavailable(
                f"kafka.oauth_token_url: {url} does not answer ({error or type(error).__name__})"
            ) from error
        except OSError as error:
            raise ConfigError("kafka.oauth_tls_ca", f"{settings.oauth_tls_ca!r} cannot be used ({error.strerror})") from error
        except ValueError as error:
            raise ConfigError("kafka.oauth_client_secret", str(error)) from error
        if answer.status_code in _REFUSALS:
            raise ConfigError(
                "kafka.oauth_token_url",
                f"{url} refuses the client {settings.oauth_client_id!r} (HTTP {answer.status_code}{_reason(answer)}); check "
                "kafka.oauth_client_id, kafka.oauth_client_secret and kafka.oauth_scope",
            )
        if answer.status_code != 200:
            raise BrokerUnavailable(f"kafka.oauth_token_url: {url} answers HTTP {answer.status_code}")
        return self._read(answer.content, url)

    def _read(self, body: bytes, url: str) -> Token:
        try:
            answer = orjson.loads(body)
            value, life_s = str(answer["access_token"]), answer.get("expires_in")
            return self._lasting(value, None if life_s is None else float(life_s))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise BrokerUnavailable(f"kafka.oauth_token_url: {url} answers without a token of RFC 6749") from error

    def _lasting(self, value: str, life_s: float | None) -> Token:
        now = self._now()
        if life_s is None:
            expires_at = _expiry(value)
            life_s = _ASSUMED_LIFE_S if expires_at is None else expires_at - now
        return Token(value=value, expires_at=now + life_s, renew_at=now + life_s * _FRESH_SHARE)


def _expiry(token: str) -> float | None:
    """When a JWT says that it ends, seconds since 1970; None where it says nothing or is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def _reason(answer: httpx.Response) -> str:
    """The error code of RFC 6749, 5.2, where there is one."""
    try:
        code = str(orjson.loads(answer.content)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return f", {code[:40]}" if code.isprintable() else ""
