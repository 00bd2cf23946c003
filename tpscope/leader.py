"""Which jobs process is the active one, and the fencing epoch that it writes under.

Jobs may run on any number of processes, but only one is active: the one that Kafka's group protocol gives the single partition
of the control topic. Whatever it writes carries its epoch; readers take the row with the highest epoch, so that what an ousted
process still writes loses (Kleppmann, "How to do distributed locking", 2016: fencing tokens). With the embedded engine the
directory's lock already makes one process the only one.

The epoch is the larger of the group's generation and one more than the highest epoch in the store: a group that Kafka forgot
starts its generations at 1 again, and must not start below what was written before. A claimed epoch is written at once, so
that the next process claims a higher one even if this one never wrote a result.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError, TransientError
from ingest.kafka_client import finish_join

logger = logging.getLogger(__name__)

_POLL_MS = 250
_RETRY_S = 5.0
_SESSION_MS = 10_000
_HEARTBEAT_MS = 2_000
_CREATE_MS = 10_000

EpochClaim = Callable[[int], int]
"""Takes the group's generation; returns an epoch above every one in the store, and has written it there."""

OpenClient = Callable[..., Any]
"""Makes a client of kafka-python of its class, the settings and its own options; says in one line why it cannot."""


class Leader(Protocol):
    """Says whether this process is the active one."""

    def epoch(self) -> int | None:
        """The fencing epoch while this process is active, else None. Never blocks."""

    def run(self, stop: threading.Event) -> None:
        """Take part until `stop` is set."""


class SoleLeader:
    """Always active: the embedded engine's lock has already kept every other process out."""

    def __init__(self, claim: EpochClaim) -> None:
        self._epoch = claim(0)

    def epoch(self) -> int | None:
        return self._epoch

    def run(self, stop: threading.Event) -> None:
        stop.wait()


class KafkaLeader:
    """Active while the group protocol assigns the control topic's partition to this process.

    `run` blocks; a broker that is away makes it try again every few seconds. While the broker is away an active process stays
    active until its session would have ended, then it steps down by itself: another one may have been chosen.
    """

    def __init__(self, settings: KafkaSettings, claim: EpochClaim, open_client: OpenClient) -> None:
        self._settings, self._claim, self._open = settings, claim, open_client
        self._lock = threading.Lock()
        self._epoch: int | None = None

    def epoch(self) -> int | None:
        with self._lock:
            return self._epoch

    def run(self, stop: threading.Event) -> None:
        told = ""
        while not stop.is_set():
            try:
                self._take_part(stop)
            except (KafkaError, TransientError, ConfigError) as error:
                self._become(None)
                if str(error) != told:
                    told = str(error)
                    logger.warning("the jobs role waits for the broker: %s", error)
                stop.wait(_RETRY_S)

    def _take_part(self, stop: threading.Event) -> None:
        create_topic(self._settings, self._settings.control_topic, 1, self._open)
        consumer = self._open(
            KafkaConsumer,
            self._settings,
            group_id=f"{self._settings.group}-jobs",
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
        )
        try:
            consumer.subscribe([self._settings.control_topic], listener=_StepDown(self))
            while not stop.is_set():
                finish_join(consumer)
                consumer.poll(timeout_ms=_POLL_MS)
                if not consumer.assignment():
                    self._become(None)
                elif self.epoch() is None:
                    self._become(self._claim(_generation(consumer)))
        finally:
            self._become(None)
            consumer.close()

    def _become(self, epoch: int | None) -> None:
        with self._lock:
            if epoch != self._epoch:
                logger.info("jobs role is now %s", "standing by" if epoch is None else f"active, epoch {epoch}")
            self._epoch = epoch


class _StepDown(ConsumerRebalanceListener):  # type: ignore[misc]
    """Ends the activity as soon as the partition is taken away; the loop begins it anew with a new epoch."""

    def __init__(self, leader: KafkaLeader) -> None:
        self._leader = leader

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._leader._become(None)

    def on_partitions_lost(self, lost: Any) -> None:
        self._leader._become(None)

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Nothing: the loop reads the generation when the join is complete."""


def create_topic(settings: KafkaSettings, name: str, partitions: int, open_client: OpenClient) -> None:
    """Create a topic unless it is there; raises BrokerUnavailable or ConfigError when no broker answers or it refuses us."""
    admin = open_client(KafkaAdminClient, settings)
    try:
        if name not in admin.list_topics():
            admin.create_topics({name: {"num_partitions": partitions}}, timeout_ms=_CREATE_MS, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        logger.debug("another process created the topic %s first", name)
    except KafkaError as error:
        raise BrokerUnavailable(f"kafka: the topic {name!r} cannot be created ({error})") from error
    finally:
        admin.close()


def _generation(consumer: Any) -> int:
    metadata = consumer.group_metadata()
    return int(metadata.generation_id)
