"""Records from a Kafka topic, as a member of a consumer group, through kafka-python 3.

What its source code says (3.0.12), on which this relies:

- A client has an I/O thread of its own; heartbeats go on while this thread writes to the store, and a member is expelled only
  after `max_poll_interval_ms` without a poll.
- Rebalance listeners run on that I/O thread and must not block, so ours only notes what happened. A rebalance makes progress
  only inside `poll`, before that poll's records are read: what was noted concerns older records.
- A partition that this member has before and after a rebalance keeps its position (`SubscriptionState._apply_assignment`).
  It is read from its last commit all the same, as every partition of a new generation is: a join that is interrupted and begun
  again passes over generations, in which another member may have had it.
- A poll that ends between a rebalance's assignment and its SyncGroup response leaves the join unfinished for good, without
  heartbeats: `finish_join` prevents that.
- `poll` returns nothing while the broker is away and reconnects by itself; the constructor is what fails.
- A position that the log does not have any more is reset without a word, to where `auto_offset_reset` says. That is always
  `earliest` here, since otherwise records would be skipped; where a new group starts is decided in this module.
- Sockets of failed connections stay open until the garbage collector finds them (`KafkaNetSocket.connect` raises past them), so
  in a long outage it is made to look for them.
"""

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError
from ingest.batch import Partition, Piece, Slice
from ingest.beginnings import tell_made_again
from ingest.kafka_client import connect, finish_join
from ingest.plan import Progress
from ingest.positions import Positions
from ingest.record_batches import PackedPiece, PackedRecords, WholeBatches
from ingest.source import Assigned, Polled
from ingest.trouble import Trouble

logger = logging.getLogger(__name__)

_COMMIT_MS = 3_000
_CLOSE_MS = 2_000
_JOIN_POLL_S = 1.0
_SILENCE_S = 3.0
_COLLECT_EVERY_S = 60.0


class KafkaSource:
    """A member of `settings.group` that reads the topics of `settings.topic`. It may be that they are made later.

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
        self._settings = settings
        self._brokers = ", ".join(settings.brokers)
        self._consumer = connect(settings)
        self._consumer._fetcher.PartitionRecords = WholeBatches
        self._changes = _Changes()
        if settings.read_pattern:
            self._consumer.subscribe(pattern=settings.read_pattern, listener=self._changes)
        else:
            self._consumer.subscribe(list(settings.read_topics), listener=self._changes)
        with self._translated():
            self._positions = Positions(self._consumer, settings)
        self._silence, self._unknown = Trouble(logger), Trouble(logger)
        self._heard_at = self._collected_at = time.monotonic()
        self._closed = False

    def poll(self, timeout_s: float, max_records: int) -> Polled:
        self._hold(max_records <= 0)
        try:
            with self._translated():
                if finish_join(self._consumer):
                    timeout_s = max(timeout_s, _JOIN_POLL_S)
                found = self._consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max(max_records, 1))
        except BrokerUnavailable:
            return self._only_losses()
        if not found:
            self._tell_of_silence()
            self._begin_anew(self._positions.known_again(_partitions(self._consumer.assignment() or ())))
        records = {Partition(at.topic, at.partition): one for at, one in found.items()}
        revoked, new = self._changes.take()
        assigned = self._stand(new, records)
        # Of new ones reading has been set to where it should begin, whatever has come of them.
        read = {at: one for at, one in records.items() if at not in new}
        return Polled(revoked=revoked, assigned=assigned, pieces=tuple(self._wanted(read)))

    def commit(self, progress: Mapping[Partition, Progress]) -> bool:
        if self._changes.in_doubt:
            return False
        with self._translated():
            again = self._positions.made_again(progress)
        if again:
            self._begin_anew(again)
            return False
        offsets = {TopicPartition(*at): OffsetAndMetadata(one.offset, one.text, -1) for at, one in progress.items()}
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

    def _begin_anew(self, made_again: set[Partition]) -> None:
        tell_made_again(made_again)
        self._changes.begin_anew(made_again)

    def _only_losses(self) -> Polled:
        """In an `except`: what went away has to be told at once, or it would be committed under the new generation."""
        revoked, new = self._changes.take()
        self._changes.put_back(new)
        if not revoked:
            raise
        return Polled(revoked=revoked)

    def _stand(self, new: frozenset[Partition], records: Mapping[Partition, list[Any]]) -> dict[Partition, Assigned]:
        """Where new partitions stand; until the broker says it nothing is read of them."""
        try:
            with self._translated():
                assigned = self._positions.of(new)
        except BrokerUnavailable as error:
            self._changes.put_back(new)
            self._positions.rewind({at: one[0] for at, one in records.items() if at in new})
            self._unknown.tell("where new partitions stand is not known yet, it is asked again: %s", error)
            return {}
        if assigned:
            self._unknown.over("it is known where the partitions stand")
        return assigned

    def _wanted(self, found: Mapping[Partition, list[Any]]) -> Iterator[Piece]:
        for at, records in found.items():
            self._positions.advance(at, records)
            since = self._positions.start_of(at)
            for record in records:
                if isinstance(record.value, PackedRecords):
                    if record.offset >= since:
                        yield PackedPiece(partition=at, batch=record.value.batch, since=since)
                elif record.offset >= since:
                    yield _single(at, record)

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
            refusal = self._consumer._client.refusal
            if refusal is None:
                self._silence.tell("kafka.brokers %s: no broker answers; waiting for one", self._brokers)
            else:
                self._silence.tell("%s; it is tried again", refusal)
            self._collect_sockets(now)
        elif not self._consumer.subscription():
            self._silence.tell("kafka.topic %r fits no topic on %s; waiting for one", self._settings.topic, self._brokers)
        else:
            for topic in self._settings.read_topics:
                if not self._consumer._cluster.partitions_for_topic(topic):
                    self._silence.tell("kafka.topic %r does not exist on %s; waiting for it", topic, self._brokers)

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


class _Changes(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what went away and what came, on Kafka's thread, for the next poll."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_doubt: set[Partition] = set()
        self._gone: set[Partition] = set()
        self._new: set[Partition] = set()

    def take(self) -> tuple[frozenset[Partition], frozenset[Partition]]:
        """Partitions that went away, and then those that are new, since the last time."""
        with self._lock:
            taken = frozenset(self._gone), frozenset(self._new)
            self._gone, self._new = set(), set()
        return taken

    @property
    def in_doubt(self) -> bool:
        """Whether a rebalance has begun whose outcome is not known: the broker may count this member to the new generation
        already, and would take its commits for partitions that another one has by now."""
        with self._lock:
            return bool(self._in_doubt)

    def put_back(self, new: frozenset[Partition]) -> None:
        """What was taken as new could not be used yet; what has left since is not new any more."""
        with self._lock:
            self._new |= new - self._gone

    def begin_anew(self, partitions: set[Partition]) -> None:
        """What was read of them is worth nothing."""
        with self._lock:
            self._gone |= partitions
            self._new |= partitions

    def on_partitions_revoked(self, revoked: Any) -> None:
        """A rebalance begins: until the new assignment nothing is committed of them."""
        with self._lock:
            self._in_doubt |= _partitions(revoked)

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Another generation: who had what in between is not known, and what was read before is worth nothing."""
        with self._lock:
            self._gone |= self._in_doubt
            self._new = _partitions(assigned)
            self._in_doubt = set()
        logger.info("reading partitions %s", sorted(at.partition for at in assigned))

    def on_partitions_lost(self, lost: Any) -> None:
        """Expelled from the group: even what comes back is read from the last commit."""
        with self._lock:
            self._gone |= self._in_doubt | _partitions(lost)
            self._in_doubt = set()


def _partitions(places: Any) -> set[Partition]:
    return {Partition(at.topic, at.partition) for at in places}


def _single(at: Partition, record: Any) -> Slice:
    """A record of an old message format, which comes singly."""
    value = record.value or b""
    times = np.asarray([record.timestamp if record.timestamp is not None else -1], np.int64)
    return Slice(partition=at, offsets=(record.offset,), values=(value,), size_bytes=len(value), times_ms=times)
