"""The demo's webhook receiver: takes tpscope's own messages on 127.0.0.1 and hands them to the terminal."""

import json
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MAX_BODY = 1_000_000
_KEPT = 200


class LocalReceiver:
    """Listens on a free port of 127.0.0.1 and calls `on_message` with each JSON body, from its own threads.

    A message that comes again under the same idempotency key is answered but not handed on.
    """

    def __init__(self, on_message: Callable[[dict[str, Any]], None]) -> None:
        self._on_message = on_message
        self._lock = threading.Lock()
        self._seen: deque[str] = deque(maxlen=_KEPT)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo-receiver", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _is_new(self, key: str) -> bool:
        with self._lock:
            if key and key in self._seen:
                return False
            self._seen.append(key)
            return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if not 0 < length <= _MAX_BODY:
                    self.send_error(413 if length else 411)
                    return
                try:
                    message = json.loads(self.rfile.read(length))
                except ValueError:
                    self.send_error(400, "the body is no JSON")
                    return
                self.send_response(204)
                self.end_headers()
                if receiver._is_new(self.headers.get("Idempotency-Key", "")):
                    receiver._on_message(message)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet: the messages themselves are what the terminal shows."""

        return Handler
