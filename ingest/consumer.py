"""The main road: poll, gather, decode and write, commit. At least once: what is committed has been written.

Two threads: the caller's polls, so that the group keeps this member whatever the store does; one writes, so that the next batch
comes in meanwhile. At most one batch is being written and one gathered, which bounds the memory; when both are full, fetching
pauses. A write that fails is repeated, with the same token, until it succeeds or the process is stopped.
"""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter

from core.clock import Clock
from core.config import KafkaSettings
from core.errors import BrokerUnavailable, StoreError, TransientError
from core.telemetry import (
    INGEST_BATCH_RECORDS,
    INGEST_BATCHES,
    INGEST_DELAY,
    INGEST_LAG,
    INGEST_RECORDS,
    INGEST_REJECTED,
    INGEST_REVOKED_RECORDS,
    INGEST_WRITE_FAILURES,
    INGEST_WRITE_SECONDS,
)
from core.types import Watermark
from ingest.batch import Batch, Batcher, Partition
from ingest.formats import Format
from ingest.source import Source
from ingest.trouble import Trouble
from ingest.writer import BatchWriter, Prepared, prepare
from storage.contract import Store

logger = logging.getLogger(__name__)

_POLL_S = 0.2
_BRIEF_POLL_S = 0.02
_BROKER_DELAY_S = 1.0
_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 15.0
_LAG_EVERY = timedelta(seconds=1)


@dataclass(slots=True, kw_only=True)
class _Flight:
    """A batch that is being written. `revoked` is set by the polling thread and read by the writing one.

    `done` gives the batch that was written, or None when the process was stopped before it was.
    """

    batch: Batch
    done: Future[Batch | None] = field(default_factory=Future)
    revoked: frozenset[Partition] = frozenset()


class Consumer:
    """Reads one source into one store until it is stopped.

    Parameters
    ----------
    settings : KafkaSettings
        `batch_records`, `batch_age` and `dead_letter_bytes` are used.
    """

    def __init__(self, source: Source, format: Format, store: Store, settings: KafkaSettings, clock: Clock) -> None:
        self._source = source
        self._format = format
        self._clock = clock
        self._writer = BatchWriter(store=store, clock=clock, dead_letter_bytes=settings.dead_letter_bytes)
        self._gathered = Batcher(max_records=settings.batch_records, max_age=settings.batch_age)
        self._flight: _Flight | None = None
        self._uncommitted: dict[Partition, int] = {}
        self._gauges = _LagGauges()
        self._kafka_trouble, self._store_trouble = Trouble(logger), Trouble(logger)

    def run(self, stop: threading.Event) -> None:
        """Read, write and commit until `stop` is set, then write what was gathered, commit it and leave the group.

        Ends within about two seconds of `stop` while store and broker answer. A statement that hangs in the store is waited
        for (its own timeout bounds it) but not repeated: what is not written stays uncommitted, to be read again.
        """
        with ThreadPoolExecutor(1, "ingest-writer") as pool:
            try:
                while not stop.is_set():
                    self._receive(stop)
                    self._settle()
                    if self._flight is None and self._gathered.due(self._clock.now()):
                        self._launch(pool, stop)
                self._finish(pool, stop)
            finally:
                self._source.close()

    def _receive(self, stop: threading.Event) -> None:
        """Poll into the batch that is gathered; with no room only to stay in the group."""
        wait_s = max(0.0, min(_POLL_S, self._gathered.wait(self._clock.now()).total_seconds()))
        if self._flight is not None and not self._gathered.room:
            wait_for([self._flight.done], _POLL_S)
            wait_s = _BRIEF_POLL_S
        try:
            polled = self._source.poll(wait_s or _BRIEF_POLL_S, self._gathered.room)
        except BrokerUnavailable as error:
            self._kafka_trouble.tell("reading from Kafka fails and is tried again: %s", error)
            stop.wait(_BROKER_DELAY_S)
            return
        self._let_go(polled.revoked)
        self._gathered.add(polled.slices, self._clock.now())
        self._gauges.show(self._source, self._unwritten(), self._clock.now())

    def _unwritten(self) -> Counter[Partition]:
        """Records of each partition that are here."""
        here = Counter(self._gathered.held)
        for one in self._flight.batch.slices if self._flight is not None else ():
            here[one.partition] += len(one.offsets)
        return here

    def _let_go(self, revoked: frozenset[Partition]) -> None:
        """Drop what is held of partitions that went away: it is read again from the last commit, here or elsewhere."""
        if not revoked:
            return
        dropped = self._gathered.drop(revoked)
        self._uncommitted = {at: offset for at, offset in self._uncommitted.items() if at not in revoked}
        if self._flight is not None:
            self._flight.revoked |= revoked
        self._gauges.forget(revoked)
        INGEST_REVOKED_RECORDS.inc(dropped)
        logger.info("partitions %s were revoked, %d unwritten records dropped", sorted(at.number for at in revoked), dropped)

    def _settle(self) -> None:
        """Commit what is written."""
        if self._flight is not None and self._flight.done.done():
            flight, self._flight = self._flight, None
            written = flight.done.result()
            if written is not None:
                self._uncommitted.update(written.without(flight.revoked).next_offsets)
        if not self._uncommitted:
            return
        try:
            if self._source.commit(self._uncommitted):
                self._uncommitted = {}
                self._kafka_trouble.over("Kafka answers again")
        except BrokerUnavailable as error:
            self._kafka_trouble.tell("committing fails and is tried again, nothing is lost: %s", error)

    def _launch(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Give what was gathered to the writing thread."""
        self._flight = _Flight(batch=self._gathered.take())
        self._flight.done = pool.submit(self._write, self._flight, stop)

    def _finish(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Write what is left, once, and commit it."""
        self._await_flight()
        if self._gathered.records:
            self._launch(pool, stop)
            self._await_flight()

    def _await_flight(self) -> None:
        if self._flight is not None:
            wait_for([self._flight.done])
            self._settle()

    def _write(self, flight: _Flight, stop: threading.Event) -> Batch | None:
        """On the writing thread: write the batch, again and again until it is written or the process stops."""
        started = perf_counter()
        prepared = prepare(flight.batch, self._format)
        delays = _delays()
        while True:
            try:
                marks = self._writer.write(prepared)
            except (TransientError, StoreError) as error:
                refused = isinstance(error, StoreError)
                INGEST_WRITE_FAILURES.labels("refused" if refused else "unavailable").inc()
                self._store_trouble.tell("the batch cannot be written and is tried again, reading waits: %s", error)
            else:
                self._store_trouble.over("the store takes batches again")
                _count(prepared, marks, perf_counter() - started)
                return prepared.batch
            if stop.wait(next(delays)):
                return None
            started = perf_counter()
            if flight.revoked:
                prepared = prepare(flight.batch.without(flight.revoked), self._format)


class _LagGauges:
    """Shows once a second how many records of each partition are not written yet."""

    def __init__(self) -> None:
        self._shown_at: datetime | None = None

    def show(self, source: Source, unwritten: Mapping[Partition, int], now: datetime) -> None:
        if self._shown_at is not None and timedelta(0) <= now - self._shown_at < _LAG_EVERY:
            return
        self._shown_at = now
        for at, records in source.lag().items():
            INGEST_LAG.labels(at.topic, str(at.number)).set(records + unwritten.get(at, 0))

    def forget(self, partitions: frozenset[Partition]) -> None:
        for at in partitions:
            for metric in (INGEST_LAG, INGEST_DELAY):
                with contextlib.suppress(KeyError):
                    metric.remove(at.topic, str(at.number))


def _delays() -> Iterator[float]:
    """Seconds between attempts: doubling up to `_LONGEST_DELAY_S`."""
    delay_s = _FIRST_DELAY_S
    while True:
        yield delay_s
        delay_s = min(delay_s * 2, _LONGEST_DELAY_S)


def _count(prepared: Prepared, marks: tuple[Watermark, ...], seconds: float) -> None:
    INGEST_BATCHES.inc()
    INGEST_BATCH_RECORDS.observe(prepared.batch.records)
    INGEST_WRITE_SECONDS.observe(seconds)
    for mark in marks:
        INGEST_DELAY.labels(mark.topic, str(mark.partition)).set(mark.delay_s)
    for topic, records in prepared.written.items():
        INGEST_RECORDS.labels(topic).inc(records)
    for (topic, reason), records in prepared.rejected.items():
        INGEST_REJECTED.labels(topic, reason).inc(records)
