import socket
import threading

import httpx
import pytest
from fastapi import FastAPI

from core.errors import ConfigError
from dashboards.run import RunningServer, serve


def small() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def index() -> str:
        return "here"

    return app


def answers(server: RunningServer) -> bool:
    return server.running


def test_it_answers_when_serve_returns_and_not_after_stop() -> None:
    server = serve(small(), "127.0.0.1", 0)
    try:
        assert answers(server)
        assert server.address == f"http://127.0.0.1:{server.port}"
        assert httpx.get(server.address, timeout=5).json() == "here"
    finally:
        server.stop()
    assert not answers(server)
    assert "tpscope-web" not in [thread.name for thread in threading.enumerate()]
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.address, timeout=5)


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^web\.port {port}: is in use on 127\.0\.0\.1; stop what listens there"):
            serve(small(), "127.0.0.1", port)


@pytest.mark.parametrize("host", ["no such host", "203.0.113.9"])
def test_a_host_that_is_not_ours_is_one_line(host: str) -> None:
    with pytest.raises(ConfigError, match=r"^web\.host: "):
        serve(small(), host, 0)


def test_all_addresses_are_reached_by_loopback() -> None:
    server = serve(small(), "0.0.0.0", 0)
    try:
        assert server.address.startswith("http://127.0.0.1:")
    finally:
        server.stop()
