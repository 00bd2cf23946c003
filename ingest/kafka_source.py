"""Records from a Kafka topic, as a member of a consumer group, through kafka-python 3.

What its source code says (3.0.12), on which this relies:

- A client has an I/O thread of its own; heartbeats go on while this thread writes to the store, and a member is expelled only
  after `max_poll_interval_ms` without a poll.
- Rebalance listeners run on that I/O thread and must not block, so ours only notes what happened. A rebalance makes progress
  only inside `poll`, before that poll's records are read: what was noted concerns older records.
- A partition that this member keeps in a rebalance keeps its position (`SubscriptionState._apply_assignment`), although it is
  reported as revoked first: what was read of it has to be kept. One that went away, or was lost with the membership, is read
  again from its last commit by whoever has it next.
- A poll that ends between a rebalance's assignment and its SyncGroup response leaves the join unfinished for good, without
  heartbeats: `finish_join` prevents that.
- `poll` returns nothing while the broker is away and reconnects by itself; the constructor is what fails.
- Sockets of failed connections stay open until the garbage collector finds them (`KafkaNetSocket.connect` raises past them), so
  in a long outage it is made to look for them.
"""

import contextlib
import gc
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    CommitFailedError,
    IllegalSaslStateError,
    KafkaError,
    RebalanceInProgressError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.structs import OffsetAndMetadata

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError
from ingest.batch import Partition, Slice
from ingest.source import Polled
from ingest.trouble import Trouble

logger = logging.getLogger(__name__)

_COMMIT_MS = 3_000
_CLOSE_MS = 2_000
_FETCH_WAIT_MS = 100
_FETCH_MIN_BYTES = 64 * 1024  # a fetch waits up to 100 ms for so much: fewer, larger fetches at no cost that a page shows
_PARTITION_FETCH_BYTES = 4 * 1024 * 1024
_FETCH_BYTES = 32 * 1024 * 1024
_JOIN_POLL_S = 1.0
_PROBE_S = 1.0
_SILENCE_S = 3.0
_COLLECT_EVERY_S = 60.0
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


class KafkaSource:
    """A member of `settings.group` that reads `settings.topic`. It may be that the topic is made later.

    Building it connects, and may block for `settings.connect_timeout`.

    Raises
    ------
    ConfigError
        No brokers are configured, or they refuse the login.
    BrokerUnavailable
        No broker answers in that time.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        if not settings.brokers:
            raise ConfigError("kafka.brokers", "is empty; name at least one broker as host:port")
        self._brokers = ", ".join(settings.brokers)
        self._topic = settings.topic
        self._consumer = _connect(settings, self._brokers)
        self._listener = _Revocations()
        self._consumer.subscribe([settings.topic], listener=self._listener)
        self._silence = Trouble(logger)
        self._heard_at = self._collected_at = time.monotonic()
        self._closed = False

    def poll(self, timeout_s: float, max_records: int) -> Polled:
        self._hold(max_records <= 0)
        with self._translated():
            if finish_join(self._consumer):
                timeout_s = max(timeout_s, _JOIN_POLL_S)
            found = self._consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max(max_records, 1))
        if not found:
            self._tell_of_silence()
        return Polled(revoked=self._listener.take(), slices=tuple(_slice(at, records) for at, records in found.items()))

    def commit(self, next_offsets: Mapping[Partition, int]) -> bool:
        offsets = {TopicPartition(*at): OffsetAndMetadata(offset, "", -1) for at, offset in next_offsets.items()}
        try:
            with self._translated():
                self._consumer.commit(offsets, timeout_ms=_COMMIT_MS)
        except _MovedOn as moved:
            logger.debug("the group is being rebalanced, nothing is committed now: %s", moved)
            return False
        return True

    def lag(self) -> Mapping[Partition, int]:
        lags = {}
        for at in self._consumer.assignment() or ():
            end, state = self._consumer.highwater(at), self._consumer.position(at, timeout_ms=0)
            if end is not None and state is not None:
                lags[Partition(at.topic, at.partition)] = max(0, end - state)
        return lags

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)
        except KafkaError as error:
            logger.info("the Kafka consumer did not leave its group cleanly: %s", error)

    def _hold(self, hold: bool) -> None:
        """Stop or go on fetching; the membership goes on either way."""
        assigned = self._consumer.assignment() or set()
        if hold:
            self._consumer.pause(*assigned)
        elif paused := self._consumer.paused():
            self._consumer.resume(*paused)

    def _tell_of_silence(self) -> None:
        """Say once why nothing comes, where that is neither an error nor an empty topic."""
        now = time.monotonic()
        connected = bool(self._consumer._manager.least_used_connections())
        if connected and self._consumer.assignment():
            self._heard_at = now
            self._silence.over("Kafka answers, the topic is there")
        elif now - self._heard_at < _SILENCE_S:
            return
        elif not connected:
            self._silence.tell("kafka.brokers %s: no broker answers; waiting for one", self._brokers)
            self._collect_sockets(now)
        elif not self._consumer._cluster.partitions_for_topic(self._topic):
            self._silence.tell("kafka.topic %r does not exist on %s; waiting for it", self._topic, self._brokers)

    def _collect_sockets(self, now: float) -> None:
        if now - self._collected_at > _COLLECT_EVERY_S:
            self._collected_at = now
            gc.collect()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (CommitFailedError, RebalanceInProgressError) as error:
            raise _MovedOn(str(error)) from error
        except KafkaError as error:
            raise BrokerUnavailable(f"kafka.brokers {self._brokers}: {error}") from error


class _MovedOn(Exception):
    """The group has begun another generation before the commit."""


class _Revocations(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what went away, on Kafka's thread, for the next poll."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_doubt: set[Partition] = set()
        self._gone: set[Partition] = set()

    def take(self) -> frozenset[Partition]:
        with self._lock:
            taken, self._gone = frozenset(self._gone), set()
        return taken

    def on_partitions_revoked(self, revoked: Any) -> None:
        """A rebalance begins: only the new assignment tells which of them stay."""
        with self._lock:
            self._in_doubt |= _partitions(revoked)

    def on_partitions_assigned(self, assigned: Any) -> None:
        with self._lock:
            self._gone |= self._in_doubt - _partitions(assigned)
            self._in_doubt = set()
        logger.info("reading partitions %s", sorted(at.partition for at in assigned))

    def on_partitions_lost(self, lost: Any) -> None:
        """Expelled from the group: even what comes back is read from the last commit."""
        with self._lock:
            self._gone |= self._in_doubt | _partitions(lost)
            self._in_doubt = set()


def _partitions(places: Any) -> set[Partition]:
    return {Partition(at.topic, at.partition) for at in places}


def _connect(settings: KafkaSettings, brokers: str) -> Any:
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
            group_id=settings.group,
            auto_offset_reset=settings.start,
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


def _slice(at: Any, records: list[Any]) -> Slice:
    values = [record.value or b"" for record in records]
    return Slice(
        partition=Partition(at.topic, at.partition),
        offsets=[record.offset for record in records],
        values=values,
        size_bytes=sum(map(len, values)),
    )
