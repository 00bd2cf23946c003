"""One attempt to deliver one message over HTTP. What goes wrong is said in words that never hold the receiver's address."""

import errno
import logging
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

import httpx

from alerts.retry import TRANSIENT_STATUS, parse_retry_after
from core.config import ReceiverSettings
from core.durations import format_duration
from core.errors import DeliveryRefused, TransientError

IDEMPOTENCY_HEADER = "Idempotency-Key"
_USER_AGENT = "tpscope"
_BODY_BYTES = 200
_ERROR_WORD = re.compile(r"[a-z][a-z_]{2,60}")
"""What Slack answers with, for example `channel_is_archived`. Any other body may repeat the address and is not kept."""


class ReceiverUnavailable(TransientError):
    """The receiver did not take the message now; a later attempt may succeed.

    Attributes
    ----------
    retry_after : timedelta or None
        The wait that it asked for.
    """

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Post(Protocol):
    """Sends a message once. Blocks up to a few times the receiver's timeout."""

    def __call__(self, receiver: ReceiverSettings, payload: str, key: str, now: datetime) -> int:
        """The receiver's status, a 2xx. Raises `ReceiverUnavailable` or `DeliveryRefused` without the address in them."""


class HttpPost:
    """Posts JSON through one pool of connections; safe to use from several threads. Close it at the end."""

    def __init__(self) -> None:
        _quiet_httpx()
        self._client = httpx.Client(
            follow_redirects=False,  # a message goes to the configured address and nowhere else
            headers={"user-agent": _USER_AGENT},
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        )

    def __call__(self, receiver: ReceiverSettings, payload: str, key: str, now: datetime) -> int:
        timeout_s = receiver.timeout.total_seconds()
        try:
            with self._client.stream(
                "POST",
                receiver.url.reveal(),
                content=payload.encode(),
                headers={"content-type": "application/json", IDEMPOTENCY_HEADER: key},
                timeout=timeout_s,
            ) as response:
                _check(response, now)
                return response.status_code
        except httpx.TimeoutException as error:
            what = "no connection" if isinstance(error, httpx.ConnectTimeout) else "no answer"
            raise ReceiverUnavailable(f"{what} within {format_duration(receiver.timeout)}") from None
        except httpx.RequestError as error:
            raise ReceiverUnavailable(_words(error)) from None
        except (httpx.InvalidURL, UnicodeError):
            raise DeliveryRefused("the receiver's url is no valid address; correct it in the configuration") from None

    def close(self) -> None:
        self._client.close()


def _check(response: httpx.Response, now: datetime) -> None:
    """Return for a 2xx, raise otherwise."""
    status = response.status_code
    if 200 <= status < 300:
        return
    said = f"HTTP {status}" + (f" ({word})" if (word := _error_word(response)) else "")
    if status >= 500 or status in TRANSIENT_STATUS:
        raise ReceiverUnavailable(said, parse_retry_after(response.headers.get("retry-after"), now))
    if 300 <= status < 400:
        raise DeliveryRefused(f"{said}: it redirects, which is not followed; configure the final address")
    raise DeliveryRefused(said)


def _error_word(response: httpx.Response) -> str:
    body = b""
    for chunk in response.iter_raw(_BODY_BYTES):
        body += chunk
        if len(body) >= _BODY_BYTES:
            return ""
    text = body.decode("ascii", errors="replace").strip()
    return text if _ERROR_WORD.fullmatch(text) else ""


def _words(error: httpx.RequestError) -> str:
    """What happened, from the operating system's own error: httpx's text may hold the address."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause.reason or 'handshake'})"
        if isinstance(cause, socket.gaierror):
            return "the host name is not known"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return f"the connection failed ({errno.errorcode[cause.errno]})"
    return f"the connection failed ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


class _NoRequests(logging.Filter):
    """Drops httpx's line per request: it holds the whole address, and a webhook's address is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("HTTP Request:")


def _quiet_httpx() -> None:
    logger = logging.getLogger("httpx")
    if not any(isinstance(known, _NoRequests) for known in logger.filters):
        logger.addFilter(_NoRequests())
