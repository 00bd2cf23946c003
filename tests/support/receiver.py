"""A webhook receiver on 127.0.0.1 that keeps what it gets and answers as it is told."""

import json
import socket
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.wait import wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request as it came; header names are in lower case, `at_s` is the time of `time.monotonic()`."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How to answer a request: after `delay_s` seconds, with a status, or by hanging up without a word."""

    status: int = 200
    delay_s: float = 0.0
    drop: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Receiver:
    """An HTTP server for tests; a context manager. Every request is kept, whatever the answer is."""

    def __init__(self) -> None:
        self._requests: list[ReceivedRequest] = []
        self._answers: deque[Answer] = deque()
        self._otherwise = Answer()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """The receiver's address without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[ReceivedRequest]:
        """What came so far, in the order of arrival."""
        with self._lock:
            return list(self._requests)

    def answer(self, *answers: Answer | int, otherwise: Answer | int = 200) -> None:
        """Answer the next requests so, one each, and those after them with `otherwise`; an int is a status."""
        with self._lock:
            self._answers = deque(_answer(one) for one in answers)
            self._otherwise = _answer(otherwise)

    def wait_for(self, count: int, timeout_s: float) -> list[ReceivedRequest]:
        """The requests as soon as there are `count` of them; AssertionError after `timeout_s` seconds."""
        wait_until(lambda: len(self.requests) >= count, timeout_s, f"{count} requests ({len(self.requests)} came)")
        return self.requests

    def clear(self) -> None:
        """Forget what came."""
        with self._lock:
            self._requests.clear()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; delayed answers are given at once."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)

    def take(self, request: ReceivedRequest) -> Answer:
        """Keep a request; how to answer it."""
        with self._lock:
            self._requests.append(request)
            answer = self._answers.popleft() if self._answers else self._otherwise
        if answer.delay_s:
            self._stopping.wait(answer.delay_s)
        return answer

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _answer(answer: Answer | int) -> Answer:
    return Answer(status=answer) if isinstance(answer, int) else answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.receiver = receiver

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that gave up waiting is what some tests are about; anything else is a fault of ours and is shown.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30.0
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.server.receiver.take(
            ReceivedRequest(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
                at_s=time.monotonic(),
            )
        )
        self.close_connection = answer.drop
        if answer.drop:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def do_GET(self) -> None:
        self.do_POST()

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what came is in `Receiver.requests`."""
