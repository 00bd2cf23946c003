"""Both Kafka clients against a broker with TLS and SASL: each way in is read from, each refusal is one clear line."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError, TpscopeError
from ingest.batch import Partition
from ingest.kafka_client import open_client
from ingest.plan import Progress
from tests.integration.kafka_reading import CLIENTS, call, reading
from tests.support.certificates import Authority
from tests.support.kafka_operator import Operator
from tests.support.secure_kafka import PASSWORD, USER, SecureKafkaBroker, unsecured_token
from tests.support.wait import wait_until
from tpscope.leader import KafkaLeader
from tpscope.simulate.sinks import KafkaSink

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <s(ocket|sl)[.]:pytest.PytestUnraisableExceptionWarning")

TOPIC = "secured"
SECRETS = {"RIGHT": PASSWORD, "WRONG": "not the password", "KEY": "key words", "CLIENT": "client's secret"}


@pytest.fixture(autouse=True)
def _sockets_are_collected_here() -> Iterator[None]:
    """kafka-python leaves the sockets of failed connections to the garbage collector, which warns of them."""
    yield
    gc.collect()


@dataclass(frozen=True, kw_only=True)
class Secured:
    broker: SecureKafkaBroker
    stranger: Authority
    tokens: "TokenServer"

    def settings(self, client: str, way: str, **changes: Any) -> KafkaSettings:
        """A way in, by name."""
        given = {"topic": TOPIC, "group": f"{client}-{time.monotonic_ns()}", "client": client, "connect_timeout": "4s"}
        return KafkaSettings.model_validate({**given, **self._ways()[way], **changes})

    def _ways(self) -> dict[str, dict[str, Any]]:
        broker = self.broker
        tls = {"brokers": broker.tls, "security": "SSL", "tls_ca": str(broker.authority.certificate)}
        folder = broker.folder
        mine = {"tls_cert": str(folder / "client.crt"), "tls_key": str(folder / "client.key")}
        sasl = tls | {"brokers": broker.sasl, "security": "SASL_SSL"}
        user = {"username": USER, "password": "env:RIGHT"}
        grant = {"oauth_token_url": self.tokens.url, "oauth_client_id": "tps", "oauth_client_secret": "env:CLIENT"}
        return {
            "tls": tls,
            "mutual": tls | {"brokers": broker.mutual, "tls_key_password": "env:KEY"} | mine,
            "plain": {"brokers": broker.plain, "security": "SASL_PLAINTEXT"} | user,
            "PLAIN": sasl | user,
            "SCRAM-SHA-256": sasl | user | {"sasl_mechanism": "SCRAM-SHA-256"},
            "SCRAM-SHA-512": sasl | user | {"sasl_mechanism": "SCRAM-SHA-512"},
            "token": sasl | {"sasl_mechanism": "OAUTHBEARER", "oauth_token": f"file:{folder / 'token'}"},
            "grant": sasl | {"sasl_mechanism": "OAUTHBEARER", "oauth_scope": "calls"} | grant,
        }


class TokenServer:
    """An authorization server that knows one client (RFC 6749, 4.4)."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.life_s = 3600.0
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                served.asked.append(form)
                # base64 of tps:client's secret
                known = self.headers["Authorization"] == "Basic dHBzOmNsaWVudCdzIHNlY3JldA=="
                now = time.time()
                token = unsecured_token(now + served.life_s, issued_at=now)
                answer = {"access_token": token, "expires_in": served.life_s} if known else {"error": "invalid_client"}
                body = orjson.dumps(answer)
                self.send_response(200 if known else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def _secured(secure_kafka_broker: SecureKafkaBroker, kafka_operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Any:
    broker = secure_kafka_broker
    broker.authority.sign("client", password=SECRETS["KEY"])
    tokens = TokenServer()
    kafka_operator.create(TOPIC)
    kafka_operator.write(TOPIC, [call(number) for number in range(3)])
    yield Secured(broker=broker, stranger=Authority(tmp_path_factory.mktemp("stranger"), "stranger"), tokens=tokens)
    tokens.close()


@pytest.fixture
def secured(_secured: Secured, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Secured:
    caplog.set_level(logging.CRITICAL, "kafka")  # as `prepare_process` does, whatever our own level is
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    now = time.time()
    token = unsecured_token(now + 600, issued_at=now)
    (_secured.broker.folder / "token").write_text(token + "\n", "utf-8")
    return _secured


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("way", ["tls", "mutual", "plain", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "token"])
def test_each_way_in_is_read_from(secured: Secured, client: str, way: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), reading(secured.settings(client, way)) as reader:
        assert [offset for _, _, offset, _ in reader.poll_until(3)] == [0, 1, 2]
    assert not any(secret in caplog.text for secret in SECRETS.values())


REFUSALS: dict[str, tuple[str, Callable[[Secured], dict[str, Any]], str]] = {
    "unknown CA": (
        "tls",
        lambda secured: {"tls_ca": str(secured.stranger.certificate)},
        r"kafka\.tls_ca: the certificate of \S+ is not signed by the authority in '\S+'.*; name the file of the right one",
    ),
    "no CA": (
        "tls",
        lambda _: {"tls_ca": None},
        r"kafka\.tls_ca: the certificate of \S+ is signed by no known authority.*; name the file of the right one",
    ),
    "another name": (
        "tls",
        lambda secured: {"brokers": secured.broker.tls.replace("127.0.0.1", "localhost")},
        r"kafka\.\w+: the certificate of localhost:\d+ .*is for another name; .*",
    ),
    "no certificate": (
        "mutual",
        lambda _: {"tls_cert": None, "tls_key": None},
        r"kafka\.tls_cert: \S+ asks for a certificate of ours; name its file here and its key in kafka\.tls_key",
    ),
    "unknown certificate": (
        "mutual",
        lambda secured: dict(zip(("tls_cert", "tls_key"), map(str, secured.stranger.sign("unknown")), strict=True)),
        r"kafka\.tls_cert: \S+ refuses it; name a certificate of an authority that the brokers trust",
    ),
    "key's password": (
        "mutual",
        lambda _: {"tls_key_password": "env:WRONG"},
        r"kafka\.tls_cert: '\S+' and '\S+' hold no certificate in PEM form with its key; check them and "
        r"kafka\.tls_key_password",
    ),
    **{
        f"password by {mechanism}": (
            mechanism,
            lambda _: {"password": "env:WRONG"},
            rf"kafka\.username: \S+ refuses the login of 'reader' by {mechanism}; check kafka\.username and kafka\.password",
        )
        for mechanism in ("PLAIN", "SCRAM-SHA-512")
    },
    "mechanism": (
        "plain",
        lambda _: {"sasl_mechanism": "SCRAM-SHA-512"},
        r"kafka\.sasl_mechanism: \S+ does not offer SCRAM-SHA-512; (choose one that it offers|it offers PLAIN; choose one of "
        r"those)",
    ),
    "client's secret": (
        "grant",
        lambda _: {"oauth_client_secret": "env:WRONG"},
        r"kafka\.oauth_token_url: http://\S+ refuses the client 'tps' \(HTTP 401, invalid_client\); check "
        r"kafka\.oauth_client_id, kafka\.oauth_client_secret and kafka\.oauth_scope",
    ),
    "not with TLS": (
        "tls",
        lambda secured: {"brokers": secured.broker.bootstrap, "connect_timeout": "1s"},
        r"kafka\.brokers: \S+ accepts connections, but not as Kafka with kafka\.security SSL within 1 s; check "
        r"kafka\.security, the certificates and the port",
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_each_refusal_is_one_clear_line(secured: Secured, client: str, why: str, caplog: pytest.LogCaptureFixture) -> None:
    way, changes, line = REFUSALS[why]
    began = time.monotonic()
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(BrokerUnavailable if why == "not with TLS" else ConfigError, match=f"^{line}$") as raised,
        reading(secured.settings(client, way, **changes(secured))),
    ):
        pass
    assert time.monotonic() - began < 4, "a refusal is told at once"
    assert not any(secret in caplog.text + str(raised.value) for secret in SECRETS.values())


def test_a_token_that_the_broker_refuses_is_one_clear_line(secured: Secured, client: str) -> None:
    now = time.time()
    token = secured.broker.folder / "token"
    token.write_text(unsecured_token(now + 600, issued_at=now, scope="other"), "utf-8")
    line = r"^kafka\.oauth_token: \S+ refuses the token \(insufficient_scope\); check its validity, audience and scope$"
    with pytest.raises(ConfigError, match=line), reading(secured.settings(client, "token")):
        pass
    token.write_text(unsecured_token(now - 5, issued_at=now - 600), "utf-8")
    with (
        pytest.raises(ConfigError, match=r"^kafka\.oauth_token: expired \d+ s ago; renew it$"),
        reading(secured.settings(client, "token")),
    ):
        pass


def test_a_session_that_the_broker_ends_with_its_token_goes_on_with_a_new_one(
    secured: Secured, kafka_operator: Operator, client: str
) -> None:
    topic = f"{TOPIC}-{client}"
    kafka_operator.create(topic)
    secured.tokens.life_s = 2.0
    try:
        with reading(secured.settings(client, "grant", topic=topic)) as reader:
            reader.poll_assigned()
            secured.tokens.asked.clear()
            began = time.monotonic()
            while time.monotonic() - began < 2.5:  # past the token's end, however quickly the loop is run
                reader.poll()
            assert secured.tokens.asked
            assert all(form == "grant_type=client_credentials&scope=calls" for form in secured.tokens.asked)
            kafka_operator.write(topic, [call(1)])
            reader.poll_until(1)
            assert reader.source.commit({Partition(topic, 0): Progress(offset=1)})
    finally:
        secured.tokens.life_s = 3600.0


def test_the_leader_and_the_simulators_producer_come_in_the_same_ways(secured: Secured) -> None:
    settings = secured.settings("kafka-python", "SCRAM-SHA-512", control_topic="secured-control")
    leader, stop = KafkaLeader(settings, lambda generation: generation, open_client), threading.Event()
    thread = threading.Thread(target=leader.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: leader.epoch() is not None, 60, "the leader")
    finally:
        stop.set()
        thread.join(20)
    secured.broker.create_topic("secured-written")
    sink = KafkaSink(secured.settings("kafka-python", "token", topic="secured-written"), open_client)
    sink.send([call(1)])
    sink.close()
    with reading(secured.settings("kafka-python", "grant", topic="secured-written")) as reader:
        reader.poll_until(1)


@pytest.mark.parametrize("kind", [KafkaProducer, KafkaAdminClient])
def test_every_client_says_in_one_line_why_it_is_refused(secured: Secured, kind: type) -> None:
    with pytest.raises(TpscopeError, match=r"^kafka\.username: \S+ refuses the login of 'reader' by PLAIN"):
        open_client(kind, secured.settings("kafka-python", "plain", password="env:WRONG"))
