"""Serves an application from a thread of its own, and says when and where it listens."""

import asyncio
import contextlib
import errno
import logging
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from core.errors import ConfigError

logger = logging.getLogger(__name__)

START_S = 30.0
STOP_S = 10.0
_BACKLOG = 256


HEADER_S = 20.0
"""How long a client may take to send a request's head; its body has the time of the whole request."""


class ImpatientProtocol(H11Protocol):
    """Closes connections whose next request does not come to the end of its head: slow ones would hold them for ever."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(HEADER_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class RunningServer:
    """A web server in a thread. `stop` ends it; it also ends when the process does."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket, host: str) -> None:
        self._server = server
        self._listener = listener
        self._host = host
        self._failure: BaseException | None = None
        self.port: int = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="tpscope-web", daemon=True)

    @property
    def address(self) -> str:
        """`http://127.0.0.1:8080`: where a browser on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._server.started and self._thread.is_alive()

    def start(self, timeout_s: float = START_S) -> None:
        """Start the thread; returns when it answers. Raises RuntimeError when it does not within `timeout_s`."""
        self._thread.start()
        deadline = time.monotonic() + timeout_s
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the web server did not start; the log says why") from self._failure
            self._thread.join(0.01)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Let requests in progress finish, for a while, and end. May be called twice."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(timeout_s)
        self._listener.close()
        if self._thread.is_alive():
            logger.error("web server did not stop", extra={"address": self.address})

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listener]))
        except BaseException as error:
            self._failure = error
            logger.exception("web server ended")


def serve(app: FastAPI, host: str, port: int) -> RunningServer:
    """Serve `app` at `host:port` (0: a free port); returns when it answers.

    Raises ConfigError when the address cannot be taken.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        http=ImpatientProtocol,
        proxy_headers=False,  # who is behind a proxy is decided by `dashboards/access`, from the connection's own address
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        limit_concurrency=1000,
        h11_max_incomplete_event_size=64 * 1024,
        ws="none",
    )
    server = RunningServer(uvicorn.Server(config), listener, host)
    server.start()
    return server


def _listen(host: str, port: int) -> socket.socket:
    where = f"web.port {port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise ConfigError(
            "web.host", f"{host!r} is no address of this machine ({error.strerror}); write for example 127.0.0.1"
        ) from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    with _closed_on_error(listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(where, f"is in use on {host}; stop what listens there or choose another port") from error
            if error.errno in (errno.EACCES, errno.EPERM):
                raise ConfigError(where, "may only be opened by root; choose one above 1023") from error
            raise ConfigError(
                "web.host", f"{host!r} cannot be listened on ({error.strerror}); write for example 127.0.0.1"
            ) from error
        listener.listen(_BACKLOG)
    return listener


@contextlib.contextmanager
def _closed_on_error(listener: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        listener.close()
        raise
