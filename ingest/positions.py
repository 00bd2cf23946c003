"""Where reading a partition starts, and whether the log still has it all. Asks the broker, on the polling thread."""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from core.config import KafkaSettings
from core.telemetry import INGEST_LOST
from ingest.batch import Partition
from ingest.beginnings import Beginnings, wanted_topics
from ingest.plan import is_of_another_topic, read_progress
from ingest.source import Assigned

logger = logging.getLogger(__name__)

_ANSWER_MS = 5_000


class Positions:
    """Of the partitions of one kafka-python consumer.

    Every method, and building it, may raise KafkaError; then nothing has changed, and it may be called again.
    """

    def __init__(self, consumer: Any, settings: KafkaSettings) -> None:
        self._consumer = consumer
        self._start = settings.start
        self._beginnings = self._known_now(settings)
        self._ids: dict[str, str] = {}
        self._started: dict[Partition, int] = {}
        self._next: dict[Partition, int] = {}

    def of(self, new: Collection[Partition]) -> dict[Partition, Assigned]:
        """Where these partitions stand; reading is set to start there."""
        places = [TopicPartition(*at) for at in sorted(new)]
        if not places:
            return {}
        first = self._consumer.beginning_offsets(places, timeout_ms=_ANSWER_MS)
        ids = {at.topic: self._topic_id(at.topic) for at in places}
        committed = {
            at: one
            for at, one in self._committed(places).items()
            if not is_of_another_topic(one.offset, one.metadata, ids.get(at.topic, ""))
        }
        fresh = {*places} - committed.keys()
        as_configured = {at for at in places if self._beginnings.as_configured(Partition(*at), ids[at.topic])}
        chosen = {at: one.offset for at, one in committed.items()} | self._chosen(fresh, fresh & as_configured, first)
        self._ids |= ids
        found: dict[Partition, Assigned] = {}
        for at in places:
            here = Partition(at.topic, at.partition)
            progress = read_progress(committed[at].offset, committed[at].metadata) if at in committed else None
            offset = max(chosen[at], first[at])
            if offset > chosen[at]:
                self._lost(here, chosen[at], offset)
            self._consumer.seek(at, offset)
            self._started[here] = self._next[here] = offset
            found[here] = Assigned(progress=progress, start=offset, topic_id=ids[at.topic])
        return found

    def start_of(self, at: Partition) -> int:
        """The first offset that is wanted."""
        return self._started.get(at, 0)

    def made_again(self, partitions: Collection[Partition]) -> set[Partition]:
        """Those whose topic is not the one that it was. The brokers are asked; raises KafkaError while they do not have it."""
        if not any(self._ids.get(at.topic) for at in partitions):
            return set()
        self._consumer._net.run(self._consumer._manager.wait_for, self._consumer._cluster.request_update(), _ANSWER_MS)
        now = {at.topic: self._topic_id(at.topic) for at in partitions}
        if missing := sorted(topic for topic, known in now.items() if not known and self._ids.get(topic)):
            raise UnknownTopicOrPartitionError(f"topic {missing[0]} is not there")
        return {at for at in partitions if self._ids.get(at.topic, now[at.topic]) != now[at.topic]}

    def known_again(self, partitions: Collection[Partition]) -> set[Partition]:
        """The same, as far as is known without asking: else it would not be noticed before there is something to commit."""
        ids = {at: (self._ids.get(at.topic), self._topic_id(at.topic)) for at in partitions}
        return {at for at, (was, now) in ids.items() if was and now and was != now}

    def advance(self, at: Partition, records: list[Any]) -> None:
        """Records were read: the log may have lost some before them, or have been made again."""
        first, expected = self._first_of(records[0]), self._next.get(at)
        self._next[at] = records[-1].offset + 1
        if expected is None:
            return
        if records[-1].offset < expected:
            self._started[at] = first
            logger.warning(
                "topic %s, partition %d: offset %d is not there any more; the topic was made again or has lost its end, and is "
                "read from offset %d",
                at.topic, at.number, expected, first,
            )  # fmt: skip
        elif first > expected:
            self._report_loss(at, expected, first)

    def rewind(self, firsts: Mapping[Partition, Any]) -> None:
        """Read on from these records, again."""
        for at, record in firsts.items():
            self._consumer.seek(TopicPartition(*at), max(self._first_of(record), self.start_of(at)))

    def _committed(self, places: list[Any]) -> dict[Any, Any]:
        """Commits of all partitions of these topics."""
        topics = {at.topic for at in places}
        every = {
            TopicPartition(topic, number) for topic in topics for number in (self._consumer.partitions_for_topic(topic) or ())
        }
        found = self._consumer._coordinator.fetch_committed_offsets(sorted(every | {*places}), timeout_ms=_ANSWER_MS)
        return {at: one for at, one in found.items() if one is not None and one.offset >= 0}

    def _known_now(self, settings: KafkaSettings) -> Beginnings:
        if settings.start == "earliest":
            return Beginnings((), ())
        topics = wanted_topics(settings, self._consumer.topics())
        numbers = {topic: self._consumer.partitions_for_topic(topic) or () for topic in topics}
        there = [TopicPartition(topic, number) for topic in topics for number in numbers[topic]]
        begun = {at.topic for at in self._committed(there)} if there else set()
        return Beginnings([Partition(*at) for at in there], begun)

    def _chosen(self, fresh: Collection[Any], begun: Collection[Any], first: dict[Any, int]) -> dict[Any, int]:
        """Where partitions start that the group has never committed; of these `begun` as the settings say."""
        chosen = {at: first[at] for at in fresh}
        if not begun:
            return chosen
        end = self._consumer.end_offsets(begun, timeout_ms=_ANSWER_MS)
        if isinstance(self._start, datetime):
            times = {at: int(self._start.timestamp() * 1000) for at in begun}
            found = self._consumer.offsets_for_times(times, timeout_ms=_ANSWER_MS)
            return chosen | {at: end[at] if found.get(at) is None else found[at].offset for at in begun}
        return chosen | {at: end[at] for at in begun}

    def _report_loss(self, at: Partition, expected: int, read: int) -> None:
        """A gap is normal (compaction, transactions), unless the log begins after it."""
        try:
            place = TopicPartition(*at)
            begins = self._consumer.beginning_offsets([place], timeout_ms=_ANSWER_MS)[place]
        except KafkaError:
            logger.warning("topic %s, partition %d: a gap at offset %d, and no broker tells why", at.topic, at.number, expected)
            return
        if begins > expected:
            # A batch that the log's beginning lies in is read whole.
            self._lost(at, expected, min(begins, read))

    @staticmethod
    def _lost(at: Partition, expected: int, first: int) -> None:
        INGEST_LOST.labels(at.topic).inc(first - expected)
        logger.warning(
            "topic %s, partition %d: %d records (offsets %d to %d) are lost, Kafka's retention removed them before they were "
            "read; raise the topic's retention or add consumers",
            at.topic, at.number, first - expected, expected, first - 1,
        )  # fmt: skip

    def _topic_id(self, topic: str) -> str:
        found = self._consumer._cluster.topic_id(topic)
        return found.hex if found is not None and found.int else ""

    @staticmethod
    def _first_of(record: Any) -> int:
        """The first offset of a record batch, or the record's own."""
        batch = getattr(record.value, "batch", None)
        return int(record.offset if batch is None else batch.base_offset)
