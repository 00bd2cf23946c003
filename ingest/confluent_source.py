"""Records from Kafka topics through confluent-kafka (librdkafka), as a member of the same consumer groups.

What its documentation and behaviour say (2.16), on which this relies:

- Heartbeats go on in librdkafka's own thread; a member is expelled after `max.poll.interval.ms` without a `consume`.
- The callbacks of a rebalance run inside `consume`, before the records that it returns. With the default (eager) assignors
  every partition is revoked and the new assignment is complete; where reading starts is given with it.
- A seek, pause or resume soon after an assignment overtakes it, and the partition is never read (librdkafka 2190, 5591);
  paused partitions stay so through a rebalance. An assignment never overtakes another one, and can be given at any time:
  all that is ever said of where to read is said by `assign`.
- `consume` waits until it has as many records as it was asked for, or for its whole timeout.
- A synchronous commit has no timeout of its own; the socket's bounds it.
"""

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from numpy.typing import NDArray

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError
from core.telemetry import INGEST_LOST
from ingest.batch import Partition, Slice
from ingest.beginnings import Beginnings, tell_made_again, wanted_topics
from ingest.confluent_client import Refusals, confluent_options, connect
from ingest.oauth import Tokens
from ingest.plan import Progress, is_of_another_topic, read_progress
from ingest.source import Assigned, Polled
from ingest.trouble import Trouble

logger = logging.getLogger(__name__)

_ANSWER_S = 5.0
_AT_ONCE = 5_000
"""Records of one `consume`: it would wait for more, up to its timeout, while others could be written."""
_ASK_AGAIN_S = 30.0
"""How soon it is noticed that a topic was made again of which nothing comes; else it is when something is committed."""
_BEFORE_HOLD_S = 1.0
"""How long reading may wait for room without a word to librdkafka, which waits with a rebalance until then."""
_MOVED_ON = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
}


class ConfluentSource:
    """A member of `settings.group`, as `KafkaSource` is; it raises the same."""

    def __init__(self, settings: KafkaSettings) -> None:
        if not settings.brokers:
            raise ConfigError("kafka.brokers", "is empty; name at least one broker as host:port")
        self._settings = settings
        self._brokers = ", ".join(settings.brokers)
        self._refusals, tokens = Refusals(settings), Tokens(settings)
        self._consumer: Consumer = connect(settings, self._refusals, tokens)
        self._admin = AdminClient(confluent_options(settings, tokens))
        with self._translated():
            self._beginnings = self._known_now()
        self._topic_ids: dict[str, str] = {}
        self._next: dict[Partition, int] = {}
        self._held: set[Partition] = set()
        self._gone: set[Partition] = set()
        self._new: set[Partition] = set()
        self._holding = self._closed = self._in_doubt = False
        self._full_since: float | None = None
        self._ids_asked_at = time.monotonic()
        self._trouble = Trouble(logger)
        topics = [settings.read_pattern] if settings.read_pattern else list(settings.read_topics)
        self._consumer.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def poll(self, timeout_s: float, max_records: int) -> Polled:
        if self._full_for_a_moment(max_records <= 0):
            time.sleep(timeout_s)
            return Polled()
        self._admin.poll(0)  # lets it renew its token
        with self._translated():
            self._hold(max_records <= 0)
            read = self._consumer.consume(min(max(max_records, 1), _AT_ONCE), timeout_s)
        if news := self._refusals.take_news():
            self._trouble.tell("%s; it is tried again", news)
        pieces = tuple(self._pieces(read))
        gone, self._gone = frozenset(self._gone), set()
        try:
            with self._translated():
                assigned = self._begin()
        except BrokerUnavailable:
            # What went away has to be told at once, or it would be committed under the new generation.
            if not gone and not pieces:
                raise
            return Polled(revoked=gone, pieces=pieces)
        if not read and time.monotonic() - self._ids_asked_at > _ASK_AGAIN_S:
            with contextlib.suppress(BrokerUnavailable):
                self._begin_anew(self._held)
        return Polled(revoked=gone, assigned=assigned, pieces=pieces)

    def commit(self, progress: Mapping[Partition, Progress]) -> bool:
        if self._in_doubt:
            return False
        if self._begin_anew(progress):
            return False
        places = [
            TopicPartition(at.topic, at.number, one.offset, metadata=one.text.rstrip("\0")) for at, one in progress.items()
        ]
        try:
            answers = self._consumer.commit(offsets=places, asynchronous=False)
            refused = [one.error for one in answers or () if one.error is not None]
        except KafkaException as error:
            refused = [error.args[0]]
        for refusal in refused:
            if refusal.code() not in _MOVED_ON:
                raise BrokerUnavailable(f"kafka.brokers {self._brokers}: {refusal.str()}")
            logger.debug("the group is being rebalanced, nothing is committed now: %s", refusal.str())
        return not refused

    def _begin_anew(self, partitions: Iterable[Partition]) -> bool:
        """Whether a topic of these was made again; then nothing that was read of it is worth anything."""
        again = self._made_again(partitions)
        tell_made_again(again)
        self._gone |= again
        self._new |= again
        self._next = {at: offset for at, offset in self._next.items() if at not in again}
        self._ids_asked_at = time.monotonic()
        return bool(again)

    def lag(self) -> Mapping[Partition, int]:
        lags = {}
        for at, position in self._next.items():
            with contextlib.suppress(KafkaException):
                _, end = self._consumer.get_watermark_offsets(TopicPartition(*at), cached=True)
                if end >= 0:
                    lags[at] = max(0, end - position)
        return lags

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()

    # --- rebalances, inside `consume` -------------------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Another generation: all waits until it is known where it stands, also what stays.

        A join that is interrupted and begun again passes over generations, in which another member may have had it.
        """
        now = {Partition(at.topic, at.partition) for at in places}
        self._gone |= self._held
        self._new, self._held, self._next = set(now), now, {}
        self._in_doubt = False
        self._read_on()
        logger.info("reading partitions %s", sorted(at.number for at in now))

    def _on_revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Until the new assignment nothing is committed: the broker may count this member to the new generation already, and
        would take its commits for partitions that another one has by now."""
        self._in_doubt = True

    def _on_lost(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Expelled from the group: even what comes back is read from the last commit."""
        self._gone |= self._held
        self._held, self._new, self._next = set(), set(), {}
        self._in_doubt = False

    # --- positions --------------------------------------------------------------------------------------------------------

    def _begin(self) -> dict[Partition, Assigned]:
        """Read what is new, too, from where it stands."""
        if not self._new:
            return {}
        found = self._positions_of(frozenset(self._new))
        self._new = set()
        self._read_on()
        return found

    def _read_on(self) -> None:
        """Read everything of which the next offset is known, from there; nothing while there is no room.

        Between a revocation and the assignment after it nothing is ours to read: the assignment says what is.
        """
        if self._in_doubt:
            return
        places = [] if self._holding else [TopicPartition(at.topic, at.number, offset) for at, offset in self._next.items()]
        self._consumer.assign(places)

    def _hold(self, hold: bool) -> None:
        """Stop or go on fetching; the membership goes on either way."""
        if hold != self._holding:
            self._holding = hold
            self._read_on()

    def _positions_of(self, new: frozenset[Partition]) -> dict[Partition, Assigned]:
        """Where these partitions stand; those that nobody has committed start where the settings say."""
        found: dict[Partition, Assigned] = {}
        starts: dict[Partition, int] = {}
        ids = self._ids_of({at.topic for at in new})
        committed = {
            at: one
            for at, one in self._committed({at.topic for at in new}).items()
            if not is_of_another_topic(one.offset, one.metadata, ids[at.topic])
        }
        for at in sorted(new):
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(*at), _ANSWER_S)
            progress, start = None, low
            as_configured = self._beginnings.as_configured(at, ids[at.topic])
            if at in committed:
                progress = read_progress(committed[at].offset, committed[at].metadata)
                start = max(committed[at].offset, low)
                if low > committed[at].offset:
                    self._lost(at, committed[at].offset, low)
            elif as_configured:
                start = self._chosen(at, low)
            starts[at] = start
            found[at] = Assigned(progress=progress, start=start, topic_id=ids[at.topic])
        self._topic_ids |= ids
        self._next |= starts  # all at once: nothing is read of any before it is told
        return found

    def _known_now(self) -> Beginnings:
        if self._settings.start == "earliest":
            return Beginnings((), ())
        listed = self._consumer.list_topics(timeout=_ANSWER_S).topics
        topics = wanted_topics(self._settings, listed)
        begun = {at.topic for at in self._committed(set(topics))} if topics else set()
        return Beginnings([Partition(topic, number) for topic in topics for number in listed[topic].partitions], begun)

    def _made_again(self, partitions: Iterable[Partition]) -> set[Partition]:
        """Those whose topic is not the one any more that it was: librdkafka reads on at the old offset, without a word."""
        with self._translated():
            ids = self._ids_of({at.topic for at in partitions})
        return {at for at in partitions if ids[at.topic] != self._topic_ids.get(at.topic, ids[at.topic])}

    def _committed(self, topics: set[str]) -> dict[Partition, TopicPartition]:
        places = [
            TopicPartition(topic, number)
            for topic in topics
            for number in self._consumer.list_topics(topic, _ANSWER_S).topics[topic].partitions
        ]
        answers = self._consumer.committed(places, _ANSWER_S)
        for one in answers:
            if one.error is not None:
                raise KafkaException(one.error)
        return {Partition(one.topic, one.partition): one for one in answers if one.offset >= 0}

    def _chosen(self, at: Partition, low: int) -> int:
        start = self._settings.start
        if start == "earliest":
            return low
        _, end = self._consumer.get_watermark_offsets(TopicPartition(*at), _ANSWER_S)
        if isinstance(start, datetime):
            place = TopicPartition(at.topic, at.number, int(start.timestamp() * 1000))
            (found,) = self._consumer.offsets_for_times([place], _ANSWER_S)
            return int(found.offset) if found.offset >= 0 else int(end)
        return int(end)

    def _ids_of(self, topics: set[str]) -> dict[str, str]:
        """As hexadecimal digits; empty where the broker is too old to say."""
        if not topics:
            return {}
        answers = self._admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=_ANSWER_S)
        return {topic: _hexadecimal(answer.result(_ANSWER_S).topic_id) for topic, answer in answers.items()}

    @staticmethod
    def _lost(at: Partition, expected: int, first: int) -> None:
        INGEST_LOST.labels(at.topic).inc(first - expected)
        logger.warning(
            "topic %s, partition %d: %d records (offsets %d to %d) are lost, Kafka's retention removed them before they were "
            "read; raise the topic's retention or add consumers",
            at.topic, at.number, first - expected, expected, first - 1,
        )  # fmt: skip

    # --- records ----------------------------------------------------------------------------------------------------------

    def _pieces(self, messages: list[Any]) -> Iterator[Slice]:
        by_partition: dict[tuple[str, int], list[Any]] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                self._trouble.tell("reading from Kafka fails and is tried again: %s", error.str())
                continue
            by_partition.setdefault((message.topic(), message.partition()), []).append(message)
        for place, found in by_partition.items():
            at = Partition(*place)
            expected = self._next.get(at)
            if expected is None:
                continue
            found, offsets = _unread(found, expected)
            if not offsets.size:
                continue
            self._trouble.over("Kafka answers again")
            if offsets[0] > expected:
                self._report_loss(at, expected)
            self._next[at] = int(offsets[-1]) + 1
            values = [one.value() or b"" for one in found]
            times = np.asarray([one.timestamp()[1] for one in found], np.int64)
            yield Slice(partition=at, offsets=offsets, values=values, size_bytes=sum(map(len, values)), times_ms=times)

    def _report_loss(self, at: Partition, expected: int) -> None:
        """A gap is normal (compaction, transactions), unless the log begins after it."""
        with contextlib.suppress(KafkaException):
            low, _ = self._consumer.get_watermark_offsets(TopicPartition(*at), _ANSWER_S)
            if low > expected:
                self._lost(at, expected, low)

    def _full_for_a_moment(self, full: bool) -> bool:
        """To stop fetching throws away what was fetched, and to consume would hand it over: soon there is room."""
        if not full:
            self._full_since = None
            return False
        self._full_since = self._full_since or time.monotonic()
        return time.monotonic() - self._full_since < _BEFORE_HOLD_S

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise BrokerUnavailable(f"kafka.brokers {self._brokers}: {error.args[0].str()}") from error
        except TimeoutError as error:
            raise BrokerUnavailable(f"kafka.brokers {self._brokers}: no answer within {_ANSWER_S:g} s") from error


def _unread(found: list[Any], expected: int) -> tuple[list[Any], NDArray[np.int64]]:
    """Those from the expected offset on, each once: what was handed over before a new assignment may come again after it."""
    offsets = np.asarray([one.offset() for one in found], np.int64)
    wanted = offsets > np.maximum.accumulate(np.concatenate([[expected - 1], offsets[:-1]]))
    if wanted.all():
        return found, offsets
    return [one for one, keep in zip(found, wanted, strict=True) if keep], offsets[wanted]


def _hexadecimal(identity: Any) -> str:
    high, low = identity.get_most_significant_bits(), identity.get_least_significant_bits()
    whole = (high % 2**64) << 64 | low % 2**64
    return f"{whole:032x}" if whole else ""
