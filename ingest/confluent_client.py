"""Clients of confluent-kafka: how they are told where and as whom to connect, and why they could not."""

import logging
import re
import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException

from core.config import KafkaSettings
from core.errors import ConfigError, TpscopeError
from ingest.kafka_refusals import check_files, no_answer, refused_login, tls_refusal, unknown_mechanism
from ingest.oauth import Tokens

logger = logging.getLogger(__name__)
_quiet = logging.getLogger("tpscope.librdkafka")
_quiet.setLevel(logging.CRITICAL)  # it logs each attempt to connect; what matters is said by the source
_SOCKET_MS = 6_000
_MAX_POLL_INTERVAL_MS = 600_000
_QUEUED_KIB = 65_536
_FULL_QUEUE_MS = 10  # how long it waits where its queue is full; by default a second, in which everything is idle
_REFUSED = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM}
_OFFERED = re.compile(r"supported mechanisms: ([A-Z0-9_,-]+)")
_METADATA_AGE_MS = 30_000  # how soon partitions that were added are found
_FIRST_LISTEN_S = 0.35  # doubled each time: soon enough for a refusal, long enough for a distant broker
_TOKEN_RETRY_S = 10.0


def confluent_options(settings: KafkaSettings, tokens: Tokens) -> dict[str, Any]:
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
            options["oauth_cb"] = _TokenCallback(tokens)
        else:
            options["sasl.username"] = settings.username
            options["sasl.password"] = settings.password.reveal() if settings.password else ""
    return options


class Refusals:
    """Callback for errors: keeps why the brokers will not have us, or that none answers, in the operator's words.

    Attributes
    ----------
    last : ConfigError or None
        The last refusal.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._news = ""
        self.last: ConfigError | None = None

    def __call__(self, error: KafkaError) -> None:
        refusal = self._explained(error)
        if refusal is not None:
            self.last, self._news = refusal, str(refusal)
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and not self._news:
            self._news = f"kafka.brokers {', '.join(self._settings.brokers)}: no broker answers"

    def take_news(self) -> str:
        """What was said since the last time; empty: nothing."""
        news, self._news = self._news, ""
        return news

    def _explained(self, error: KafkaError) -> ConfigError | None:
        said = error.str()
        if error.code() not in _REFUSED:
            return tls_refusal(self._settings, said)
        if "nsupported SASL mechanism" in said:
            offered = _OFFERED.search(said)
            return unknown_mechanism(self._settings, offered[1] if offered else "")
        return refused_login(self._settings, said)


class _TokenCallback:
    """Gives librdkafka a token and when it ends, in seconds since 1970; asked again at 80 % of that. It must not raise."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._value = "none"

    def __call__(self, _: object) -> tuple[str, float]:
        try:
            token = self._tokens.token()
        except TpscopeError as error:
            logger.warning("no new token for Kafka, it is tried again: %s", error)
            return self._value, time.time() + _TOKEN_RETRY_S
        self._value = token.value
        return token.value, token.expires_at


def connect(settings: KafkaSettings, refusals: Refusals, tokens: Tokens) -> Consumer:
    """A consumer of the configured group that has seen a broker; raises ConfigError or BrokerUnavailable, in one line."""
    check_files(settings)
    if settings.security.startswith("SASL_") and settings.sasl_mechanism == "OAUTHBEARER":
        tokens.token()
    session_ms = int(settings.session_timeout.total_seconds() * 1000)
    consumer = Consumer(
        confluent_options(settings, tokens)
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
            "fetch.queue.backoff.ms": _FULL_QUEUE_MS,
            "topic.metadata.refresh.interval.ms": _METADATA_AGE_MS,
            "allow.auto.create.topics": False,
            "error_cb": refusals,
        }
    )
    deadline = time.monotonic() + settings.connect_timeout.total_seconds()
    listen_s = _FIRST_LISTEN_S
    while True:
        try:
            consumer.list_topics(timeout=max(0.1, min(listen_s, deadline - time.monotonic())))
        except KafkaException as error:
            consumer.poll(0)  # lets it say what went wrong
            if refusals.last is None and time.monotonic() < deadline:
                listen_s *= 2
                continue
            consumer.close()
            raise refusals.last or no_answer(settings) from error
        return consumer
