"""Access tokens: when they are fetched, kept, renewed, and what is said when there is none."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError
from core.secrets import Secret
from ingest.oauth import Tokens

NOW = 1_700_000_000.0


class Server:
    """Answers each request with the next of `answers`: a status and a body."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.forms: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.forms.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                status, body = outer.answers.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(orjson.dumps(body))

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


class Time:
    def __init__(self) -> None:
        self.now, self.pauses = NOW, list[float]()

    def tokens(self, settings: KafkaSettings) -> Tokens:
        return Tokens(settings, now=lambda: self.now, pause=self.pauses.append)


def sasl(**changes: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"security": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", **changes})


def grant(url: str, **changes: Any) -> KafkaSettings:
    return sasl(oauth_token_url=url, oauth_client_id="tps", oauth_client_secret=Secret("hidden"), **changes)


def jwt(**claims: float) -> str:
    return "h." + base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=") + ".s"


def test_a_token_is_kept_until_four_fifths_of_its_life_are_over(server: Server) -> None:
    time = Time()
    tokens = time.tokens(grant(server.url, oauth_scope="calls"))
    server.answers = [(200, {"access_token": "one", "expires_in": 100}), (200, {"access_token": "two", "expires_in": 100})]
    assert (tokens.token().value, tokens.token().expires_at) == ("one", NOW + 100)
    time.now = NOW + 79
    assert tokens.token().value == "one"
    time.now = NOW + 80
    assert tokens.token().value == "two"
    assert server.forms == ["grant_type=client_credentials&scope=calls"] * 2
    assert "two" not in repr(tokens.token())


def test_a_server_in_trouble_is_asked_three_times_and_the_old_token_used_on_while_it_is_valid(server: Server) -> None:
    time = Time()
    tokens = time.tokens(grant(server.url))
    server.answers = [(503, {}), (200, "no token"), (200, {"access_token": "one", "expires_in": 100})]
    assert tokens.token().value == "one"
    assert time.pauses == [0.2, 0.4]
    time.now = NOW + 90
    server.answers = [(503, {})] * 3
    assert tokens.token().value == "one"
    time.now = NOW + 100
    server.answers = [(503, {})] * 3
    with pytest.raises(BrokerUnavailable, match=r"^kafka\.oauth_token_url: http://\S+ answers HTTP 503$"):
        tokens.token()
    assert server.answers == []


def test_a_refusal_is_not_repeated_and_names_the_client_but_no_secret(server: Server) -> None:
    server.answers = [(401, {"error": "invalid_client"})]
    with pytest.raises(ConfigError, match=r"refuses the client 'tps' \(HTTP 401, invalid_client\)") as raised:
        Time().tokens(grant(server.url)).token()
    assert "hidden" not in str(raised.value)


def test_a_token_that_does_not_say_when_it_ends_is_renewed_after_minutes(server: Server) -> None:
    time = Time()
    server.answers = [(200, {"access_token": "opaque"}), (200, {"access_token": jwt(exp=NOW + 1000)})]
    tokens = time.tokens(grant(server.url))
    assert tokens.token().expires_at == NOW + 300
    time.now += 240
    assert tokens.token().expires_at == NOW + 1000


def test_a_given_token_is_read_again_each_time(tmp_path: Path) -> None:
    path, time = tmp_path / "token", Time()
    path.write_text(jwt(exp=NOW + 60) + "\n", "utf-8")
    tokens = time.tokens(sasl(oauth_token=f"file:{path}"))
    assert tokens.token().expires_at == NOW + 60
    path.write_text("opaque", "utf-8")
    assert tokens.token().value == "opaque"
    path.write_text(jwt(exp=NOW - 10), "utf-8")
    with pytest.raises(ConfigError, match=r"^kafka\.oauth_token: expired 10 s ago; renew it$"):
        tokens.token()
    path.unlink()
    with pytest.raises(ConfigError, match=r"^kafka\.oauth_token: file \S+ cannot be read"):
        tokens.token()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"security": "SASL_SSL", "username": "me"}, "kafka.sasl_mechanism PLAIN needs kafka.username and kafka.password"),
        ({"security": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, "needs one of kafka.oauth_token or kafka.oauth_token_url"),
        (
            {"security": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "oauth_token_url": "https://a/b"},
            "kafka.oauth_token_url needs kafka.oauth_client_id and kafka.oauth_client_secret",
        ),
        ({"oauth_token_url": "ftp://a"}, "is no http(s) URL"),
        ({"oauth_token_url": "https://me:word@a/b"}, "must not hold a password"),
        ({"oauth_client_secret": "word"}, "a secret must not stand here"),
        ({"tls_key": "key.pem"}, "kafka.tls_key needs kafka.tls_cert beside it"),
    ],
)
def test_what_is_missing_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        KafkaSettings.model_validate(given)
    assert said in str(raised.value)
