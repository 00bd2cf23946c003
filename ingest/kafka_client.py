"""Clients of kafka-python: how they are told where and as whom to connect, and why they could not.

Known limits of kafka-python 3.0.12: a constructor that fails leaves its I/O thread behind, and reports whatever refused it as
a timeout; the last answer before a connection's end is mostly dropped (`hear_out`).
"""

from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.sasl.oauth import AbstractTokenProvider
from kafka.net.selector import NetworkSelector

from core.config import KafkaSettings
from core.errors import ConfigError, TpscopeError
from ingest.kafka_refusals import check_files, no_answer, refused_login, tls_refusal, unknown_mechanism
from ingest.oauth import Tokens

_FETCH_WAIT_MS = 100
_FETCH_MIN_BYTES = 64 * 1024  # a fetch waits up to 100 ms for so much: fewer, larger fetches at no cost that a page shows
_PARTITION_FETCH_BYTES = 4 * 1024 * 1024
_FETCH_BYTES = 16 * 1024 * 1024
_METADATA_AGE_MS = 30_000  # how soon partitions that were added are found
_MAX_POLL_INTERVAL_MS = 600_000


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
    if settings.tls_cert:
        options |= {"ssl_certfile": settings.tls_cert, "ssl_keyfile": settings.tls_key or settings.tls_cert}
        options["ssl_password"] = settings.tls_key_password.reveal() if settings.tls_key_password else ""
    if settings.security.startswith("SASL_"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            options["sasl_oauth_token_provider"] = _TokenProvider(Tokens(settings))
        else:
            options["sasl_plain_username"] = settings.username
            options["sasl_plain_password"] = settings.password.reveal() if settings.password else ""
    return options


def open_client(kind: Callable[..., Any], settings: KafkaSettings, **options: Any) -> Any:
    """A connected consumer, producer or admin client of kafka-python; `options` are its own, besides the connection's.

    Raises ConfigError or BrokerUnavailable, which say why not in one line.
    """
    check_files(settings)
    clients: list[_Client] = []

    def remembered(**configs: Any) -> Any:
        clients.append(_Client(settings, **configs))
        return clients[-1]

    try:
        return kind(**client_options(settings), kafka_client=remembered, **options)
    except (KafkaError, OSError) as error:
        refusals = [one.refusal for one in clients if one.refusal is not None]
        for client in clients:
            client.close()  # ends the I/O thread that a constructor which failed leaves behind
        raise (refusals or [no_answer(settings)])[-1] from error


def connect(settings: KafkaSettings, *, in_group: bool = True) -> Any:
    """A connected consumer, of the configured group or of none; raises as `open_client` does."""
    session_ms = int(settings.session_timeout.total_seconds() * 1000)
    return open_client(
        KafkaConsumer,
        settings,
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


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def token(self) -> str:
        return self._tokens.token().value


class _Client(KafkaNetClient):  # type: ignore[misc]
    """Knows why it is refused. kafka-python tries again until its timeout is over, and then reports nothing but that."""

    def __init__(self, settings: KafkaSettings, **configs: Any) -> None:
        net = NetworkSelector(**configs)
        super().__init__(net, _Manager(net, settings, **configs))

    @property
    def refusal(self) -> TpscopeError | None:
        """Why the last connection failed, where the broker said it; None once one succeeds."""
        refusal: TpscopeError | None = self._manager.refusal
        return refusal


class _Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Gives up connecting for the first time once a broker has refused us for good."""

    def __init__(self, net: Any, settings: KafkaSettings, **configs: Any) -> None:
        super().__init__(net, **configs)
        self._settings = settings
        self._succeeded = False
        self.refusal: TpscopeError | None = None

    def get_connection(self, node_id: Any, *args: Any, **options: Any) -> Any:
        known = self._conns.get(node_id)
        connection = super().get_connection(node_id, *args, **options)
        if connection is not known:
            connection.init_future.add_callback(self._opened)
            connection.init_future.add_errback(self._failed)
            connection.close_future.add_errback(self._failed)
        return connection

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        return hear_out(await super()._build_transport(node, timeout_at=timeout_at))

    def _opened(self, _: Any) -> None:
        self.refusal, self._succeeded = None, True

    def _failed(self, error: Any) -> None:
        refusal = _explained(error, self._settings)
        if refusal is not None:
            self.refusal = refusal
            if isinstance(refusal, ConfigError) and not self._succeeded:
                self.closed = True  # ends the loop of attempts
                self._bootstrap_wakeup.notify()


def hear_out(transport: Any) -> Any:
    """Make a transport hand over what came before the connection's end.

    kafka-python 3.0.12 drops what it reads together with the end; that is how brokers say why they refuse a login.
    """
    receive = transport._sock_recv

    def receive_all() -> tuple[bytes, Exception | None]:
        found, error = receive()
        return found, None if found else error  # the end is met again by the next read

    transport._sock_recv = receive_all
    return transport


def _explained(error: object, settings: KafkaSettings) -> TpscopeError | None:
    """A refusal in the operator's words; None where it is a plain failure to connect."""
    if isinstance(error, TpscopeError):  # from fetching a token
        return error
    if isinstance(error, UnsupportedSaslMechanismError | IllegalSaslStateError):
        return unknown_mechanism(settings)
    if isinstance(error, SaslAuthenticationFailedError):
        return refused_login(settings, str(error))
    return tls_refusal(settings, str(error))


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
