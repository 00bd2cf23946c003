"""The owner's internal API without the web room: what a `RemoteStore` talks to in tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

from storage.contract import Store
from storage.remote import PATH, Reply, answer, authorised

Fault = Callable[[str, int], str]
"""Given the action and the request's number, from 1: `` (none), `before` or `after` (break off before or after doing it)."""


class StoreApi:
    """A running API over `store`; `requests` counts what arrived, `token` may be changed to what the server asks for."""

    def __init__(self, store: Store, token: str, fault: Fault | None = None) -> None:
        self.token = token
        self.requests: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10

            def do_POST(self) -> None:
                url = urlsplit(self.path)
                action = url.path.removeprefix(PATH)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.requests.append(action)
                breaks = fault(action, len(api.requests)) if fault else ""
                if breaks == "before":
                    self.close_connection = True
                    return
                if authorised(self.headers.get("Authorization"), api.token):
                    reply = answer(store, action, body, dict(parse_qsl(url.query, keep_blank_values=True)))
                else:
                    reply = Reply(status=401, media_type="text/plain", body=b"")
                if breaks == "after":
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.media_type)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the test's output is for the test."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def store_api(store: Store, token: str, fault: Fault | None = None) -> Iterator[StoreApi]:
    """The API, running until the block ends."""
    api = StoreApi(store, token, fault)
    api.start()
    try:
        yield api
    finally:
        api.stop()
