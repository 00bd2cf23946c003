"""Clients of kafka-python: how they are told where and as whom to connect, and why they could not.

Known limits of kafka-python 3.0.12: a constructor that fails leaves its I/O thread behind, and reports a refused login as a
timeout.
"""

import contextlib
import socket
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError

_FETCH_WAIT_MS = 100
_FETCH_MIN_BYTES = 64 * 1024  # a fetch waits up to 100 ms for so much: fewer, larger fetches at no cost that a page shows
_PARTITION_FETCH_BYTES = 4 * 1024 * 1024
_FETCH_BYTES = 16 * 1024 * 1024
_PROBE_S = 1.0
_METADATA_AGE_MS = 30_000  # how soon partitions that were added are found
_MAX_POLL_INTERVAL_MS = 600_000
_LOGIN_ERRORS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError)


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Connection options of every kafka-python client of this process: consumer, producer and admin."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.brokers),
        "bootstrap_timeout_ms": int(settings.connect_timeout.total_seconds() * 1000),
        "client_id": "tpscope",
        "security_protocol": settings.security,
    }
    if settings.tls_ca:
        options["ssl_cafile"] = settings.tls_ca
    if settings.security.startswith("SASL_"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.username
        options["sasl_plain_password"] = settings.password.reveal() if settings.password else ""
    return options


def connect(settings: KafkaSettings, *, in_group: bool = True) -> Any:
    """A connected consumer, of the configured group or of none.

    Raises ConfigError or BrokerUnavailable, which say why not in one line.
    """
    brokers = ", ".join(settings.brokers)
    clients: list[Any] = []

    def remembered(**configs: Any) -> Any:
        clients.append(KafkaNetClient(**configs))
        return clients[-1]

    if settings.tls_ca and not Path(settings.tls_ca).is_file():
        raise ConfigError("kafka.tls_ca", f"there is no file {settings.tls_ca!r}")
    session_ms = int(settings.session_timeout.total_seconds() * 1000)
    try:
        return KafkaConsumer(
            **client_options(settings),
            kafka_client=remembered,
            group_id=settings.group if in_group else None,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            enable_auto_commit=False,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(session_ms // 10, 100),
            max_poll_interval_ms=max(_MAX_POLL_INTERVAL_MS, session_ms),
            max_poll_records=settings.batch_records,
            fetch_min_bytes=_FETCH_MIN_BYTES,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            metadata_max_age_ms=_METADATA_AGE_MS,
            allow_auto_create_topics=False,
            reconnect_backoff_max_ms=2_000,
            metrics_enabled=False,
        )
    except (KafkaError, OSError) as error:
        refusal = _refusal(clients) or error
        _abandon(clients)
        if isinstance(refusal, _LOGIN_ERRORS):
            raise ConfigError(
                "kafka.username", f"{brokers} refuses the login ({refusal}); check it and the password"
            ) from error
        if isinstance(refusal, AuthorizationError):
            raise ConfigError("kafka.username", f"may not read from {brokers} ({refusal})") from error
        raise BrokerUnavailable(_no_answer(settings, brokers)) from error


def _refusal(clients: list[Any]) -> Exception | None:
    """What a broker said against the login: kafka-python keeps it and reports a timeout."""
    refusals = [failure for client in clients for failure in client._manager._auth_failures.values()]
    return refusals[-1] if refusals else None


def _no_answer(settings: KafkaSettings, brokers: str) -> str:
    waited = f"within {settings.connect_timeout.total_seconds():g} s"
    for host, _, port in (broker.rpartition(":") for broker in settings.brokers):
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_S):
            return (
                f"kafka.brokers: {host}:{port} accepts connections, but not as Kafka with kafka.security "
                f"{settings.security} {waited}; check kafka.security, the certificates and the port"
            )
    return f"kafka.brokers: no broker answers at {brokers} {waited}; start Kafka or correct kafka.brokers"


def _abandon(clients: list[Any]) -> None:
    """End the I/O threads that a constructor which failed leaves behind."""
    for client in clients:
        client.close()


def finish_join(consumer: Any) -> bool:
    """Call before each `consumer.poll`; whether a join is in progress, which a longer poll brings to its end sooner.

    kafka-python 3.0.12 goes on with a join only while `need_rejoin()` is true. Where the topic's metadata changed (or arrived
    late), that is no longer so once the leader has made the assignment: if the poll ends before the SyncGroup response, nobody
    takes the response up, and the member stays without partitions and heartbeats.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()
    return bool(coordinator.rejoining)
