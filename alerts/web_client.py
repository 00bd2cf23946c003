"""One request to a receiver over HTTP. What goes wrong is said in words that never hold the receiver's address."""

import errno
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpcore
import httpx
import orjson

from alerts.addresses import DeniedAddress, checked
from alerts.retry import TRANSIENT_STATUS, parse_retry_after
from core.durations import format_duration
from core.errors import DeliveryRefused, TransientError

_USER_AGENT = "tpscope"
MOST_ANSWER_BYTES = 65_536
_WORD_BYTES = 200
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent. `files` makes it multipart: name → (file name, content, media type)."""

    url: str
    json: Any = None
    body: bytes | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, bytes, str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: a 2xx, with the first bytes of its body."""

    status: int
    body: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}


class WebClient:
    """Sends requests through pools of connections, to checked addresses only, without proxies and redirects; thread-safe."""

    def __init__(self) -> None:
        _quiet_httpx()
        self._clients: dict[tuple[str, ...], httpx.Client] = {}
        self._lock = threading.Lock()

    def send(self, request: Request, *, timeout: timedelta, now: datetime, allowed: tuple[str, ...] = ()) -> Answer:
        """Raises ReceiverUnavailable or DeliveryRefused without the address in them."""
        try:
            with self._client(allowed).stream(
                request.method, request.url, timeout=timeout.total_seconds(), **_content(request)
            ) as response:
                _check(response, now)
                return Answer(status=response.status_code, body=_read(response, MOST_ANSWER_BYTES, timeout))
        except DeniedAddress as error:
            raise ReceiverUnavailable(str(error)) from None
        except httpx.TimeoutException as error:
            what = "no connection" if isinstance(error, httpx.ConnectTimeout) else "no answer"
            raise ReceiverUnavailable(f"{what} within {format_duration(timeout)}") from None
        except (httpx.RequestError, OSError) as error:
            raise ReceiverUnavailable(words(error)) from None
        except (httpx.InvalidURL, UnicodeError):
            raise DeliveryRefused("the receiver's url is no valid address; correct it in the configuration") from None

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client(self, allowed: tuple[str, ...]) -> httpx.Client:
        with self._lock:
            if allowed not in self._clients:
                self._clients[allowed] = httpx.Client(
                    transport=_CheckedTransport(allowed),
                    follow_redirects=False,  # a message goes to the configured address and nowhere else
                    trust_env=False,  # a proxy would resolve the name itself, unchecked
                    headers={"user-agent": _USER_AGENT},
                )
            return self._clients[allowed]


def words(error: BaseException) -> str:
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


class _CheckedTransport(httpx.HTTPTransport):
    """httpx's transport over a pool whose connections go to checked addresses; the certificate is still the name's."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=64,
            max_keepalive_connections=16,
            keepalive_expiry=5.0,
            network_backend=_CheckedBackend(allowed),
        )


class _CheckedBackend(httpcore.NetworkBackend):
    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        numbers = checked(host, port, self._allowed)
        failure: Exception | None = None
        for number in numbers:
            try:
                return self._sockets.connect_tcp(number, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")


def _content(request: Request) -> dict[str, Any]:
    if request.files:
        files = {name: (file_name, content, media) for name, (file_name, content, media) in request.files.items()}
        return {"data": dict(request.form), "files": files, "headers": dict(request.headers)}
    if request.form:
        return {"data": dict(request.form), "headers": dict(request.headers)}
    body = request.body if request.body is not None else orjson.dumps(request.json) if request.json is not None else b""
    return {"content": body, "headers": {"content-type": "application/json", **request.headers}}


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


def _read(response: httpx.Response, most: int, within: timedelta) -> bytes:
    """The first bytes of the body. One that drips in is cut off: the status has said that the message was taken."""
    body, began = b"", time.monotonic()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= most or time.monotonic() - began > within.total_seconds():
                break
    except (httpx.RequestError, httpx.StreamError):
        return body[:most]
    return body[:most]


def _error_word(response: httpx.Response) -> str:
    body = b""
    for chunk in response.iter_raw(_WORD_BYTES):
        body += chunk
        if len(body) >= _WORD_BYTES:
            return ""
    text = body.decode("ascii", errors="replace").strip()
    return text if _ERROR_WORD.fullmatch(text) else ""


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
