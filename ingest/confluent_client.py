"""Clients of confluent-kafka: how they are told where and as whom to connect, and why they could not."""

import logging
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError
from ingest.oauth import Tokens

_quiet = logging.getLogger("tpscope.librdkafka")
_quiet.setLevel(logging.CRITICAL)  # it logs each attempt to connect; what matters is said by the source
_SOCKET_MS = 6_000
_MAX_POLL_INTERVAL_MS = 600_000
_QUEUED_KIB = 65_536
_LOGIN_ERRORS = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}


def confluent_options(settings: KafkaSettings, tokens: Tokens | None = None) -> dict[str, Any]:
    """Connection options of every confluent-kafka client of this process."""
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.brokers),
        "client.id": "tpscope",
        "security.protocol": settings.security,
        "socket.timeout.ms": _SOCKET_MS,
        "reconnect.backoff.max.ms": 2_000,
        "logger": _quiet,
    }
    if settings.tls_ca:
        options["ssl.ca.location"] = settings.tls_ca
    if settings.tls_cert:
        options |= {"ssl.certificate.location": settings.tls_cert, "ssl.key.location": settings.tls_key or settings.tls_cert}
        if settings.tls_key_password:
            options["ssl.key.password"] = settings.tls_key_password.reveal()
    if settings.security.startswith("SASL_"):
        options["sasl.mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            tokens = tokens or Tokens(settings)
            options["oauth_cb"] = lambda _: _given(tokens)
        else:
            options["sasl.username"] = settings.username
            options["sasl.password"] = settings.password.reveal() if settings.password else ""
    return options


def _given(tokens: Tokens) -> tuple[str, float]:
    """The token and when it ends, in seconds since 1970."""
    token = tokens.token()
    return token.value, token.expires_at


def connect(settings: KafkaSettings) -> Consumer:
    """A consumer of the configured group that has seen a broker; raises ConfigError or BrokerUnavailable, in one line."""
    if settings.tls_ca and not Path(settings.tls_ca).is_file():
        raise ConfigError("kafka.tls_ca", f"there is no file {settings.tls_ca!r}")
    errors: list[KafkaError] = []
    session_ms = int(settings.session_timeout.total_seconds() * 1000)
    consumer = Consumer(
        confluent_options(settings)
        | {
            "group.id": settings.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "session.timeout.ms": session_ms,
            "heartbeat.interval.ms": max(session_ms // 10, 100),
            "max.poll.interval.ms": max(_MAX_POLL_INTERVAL_MS, session_ms),
            "fetch.wait.max.ms": 100,
            "fetch.min.bytes": 64 * 1024,
            "fetch.message.max.bytes": 4 * 1024 * 1024,
            "queued.min.messages": 200_000,
            "queued.max.messages.kbytes": _QUEUED_KIB,
            "topic.metadata.refresh.interval.ms": 30_000,
            "allow.auto.create.topics": False,
            "error_cb": errors.append,
        }
    )
    brokers = ", ".join(settings.brokers)
    waited_s = settings.connect_timeout.total_seconds()
    deadline = time.monotonic() + waited_s
    while True:
        try:
            consumer.list_topics(timeout=max(0.1, min(1.0, deadline - time.monotonic())))
        except KafkaException as error:
            consumer.poll(0)  # lets it say what went wrong
            refusal = next((one for one in errors if one.code() in _LOGIN_ERRORS), None)
            if refusal is None and time.monotonic() < deadline:
                continue
            consumer.close()
            if refusal is not None:
                raise ConfigError("kafka.username", f"{brokers} refuses the login; check it and the password") from error
            raise BrokerUnavailable(
                f"kafka.brokers: no broker answers at {brokers} within {waited_s:g} s; start Kafka or correct kafka.brokers"
            ) from error
        return consumer
