"""The main road: poll, cut into batches, record their bounds, decode and write them, commit. Each record once.

The caller's thread polls and commits, so that the group keeps this member whatever the store does; a few others decode and
write batches of different partitions at the same time (the engine and Arrow release the GIL). `ingest/ledger.py` keeps the
books: what may be written when, and how much is held at most; when that is reached, fetching pauses. A write that fails is
repeated, with the same token, until it succeeds, the partition goes away or the process is stopped.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
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
    INGEST_REPEATED,
    INGEST_REVOKED_RECORDS,
    INGEST_WRITE_FAILURES,
    INGEST_WRITE_SECONDS,
)
from core.types import Watermark
from ingest.batch import Batch, Partition, Slice
from ingest.intake import Intake
from ingest.ledger import Flight, Ledger, Tenure
from ingest.record_batches import merged
from ingest.source import Source
from ingest.trouble import Trouble
from ingest.writer import BatchWriter, Prepared
from storage.contract import Store

logger = logging.getLogger(__name__)

_WRITERS = 2
_POLL_S = 0.2
_BRIEF_POLL_S = 0.02
_BROKER_DELAY_S = 1.0
_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 15.0
_LAG_EVERY = timedelta(seconds=1)


class Consumer:
    """Reads one source into one store until it is stopped.

    Parameters
    ----------
    settings : KafkaSettings
        `batch_records`, `batch_age` and `dead_letter_bytes` are used.
    """

    def __init__(self, source: Source, intake: Intake, store: Store, settings: KafkaSettings, clock: Clock) -> None:
        self._source = source
        self._intake = intake
        self._clock = clock
        self._writer = BatchWriter(store=store, clock=clock, dead_letter_bytes=settings.dead_letter_bytes)
        self._ledger = Ledger(max_records=settings.batch_records, max_age=settings.batch_age)
        self._batch_records = settings.batch_records
        self._writing: dict[Future[bool], Flight] = {}
        self._unsure: dict[Partition, Tenure] = {}
        self._asked: dict[Future[int | None], tuple[Partition, Tenure]] = {}
        self._gauges = _LagGauges()
        self._kafka_trouble, self._store_trouble = Trouble(logger), Trouble(logger)

    def run(self, stop: threading.Event) -> None:
        """Read, write and commit until `stop` is set, then write what was gathered, commit it and leave the group.

        Ends within about two seconds of `stop` while store and broker answer. A statement that hangs in the store is waited
        for (its own timeout bounds it) but not repeated: what is not written stays uncommitted, to be read again.
        """
        with ThreadPoolExecutor(_WRITERS, "ingest-writer") as pool:
            try:
                while not stop.is_set():
                    self._receive(stop)
                    self._ask(pool, stop)
                    self._settle()
                    self._ledger.cut(self._clock.now(), behind=self._behind())
                    self._record()
                    self._launch(pool, stop)
                self._finish(pool, stop)
            finally:
                self._source.close()

    def _receive(self, stop: threading.Event) -> None:
        """Poll into the books; with no room only to stay in the group."""
        wait_s = max(0.0, min(_POLL_S, self._ledger.wait(self._clock.now()).total_seconds()))
        room = self._ledger.room
        if self._writing and not room:
            wait_for(self._writing, _POLL_S, FIRST_COMPLETED)
            wait_s = 0.0
        try:
            polled = self._source.poll(wait_s or _BRIEF_POLL_S, room)
        except BrokerUnavailable as error:
            self._kafka_trouble.tell("reading from Kafka fails and is tried again: %s", error)
            stop.wait(_BROKER_DELAY_S)
            return
        if polled.revoked:
            self._let_go(polled.revoked)
        self._unsure |= self._ledger.assign(polled.assigned)
        now = self._clock.now()
        self._ledger.add(polled.pieces, now)
        INGEST_REPEATED.inc(self._ledger.take_left_out())
        self._gauges.show(self._unwritten, now)

    def _unwritten(self) -> dict[Partition, int]:
        """Records of each partition that are not written, as far as known."""
        held = self._ledger.held
        return {at: records + held.get(at, 0) for at, records in self._source.lag().items()}

    def _let_go(self, revoked: frozenset[Partition]) -> None:
        """Drop what is held of partitions that went away: it is read again from the last commit, here or elsewhere."""
        dropped = self._ledger.revoke(revoked)
        self._gauges.forget(revoked)
        INGEST_REVOKED_RECORDS.inc(dropped)
        logger.info("partitions %s were revoked, %d unwritten records dropped", sorted(at.number for at in revoked), dropped)

    def _ask(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Find out what the store has of partitions that nobody has committed, and leave it out when it comes again."""
        for at, tenure in self._unsure.items():
            self._asked[pool.submit(self._look_up, at, tenure, stop)] = (at, tenure)
        self._unsure = {}
        for future in [one for one in self._asked if one.done()]:
            at, tenure = self._asked.pop(future)
            written_before = future.result()
            if written_before is None:
                continue
            self._ledger.settle(at, tenure, written_before)
            if written_before:
                logger.info(
                    "topic %s, partition %d: the store has all records before offset %d; what comes again is left out",
                    at.topic, at.number, written_before,
                )  # fmt: skip

    def _settle(self) -> None:
        """Book what is written; raises what a writer failed with."""
        for future in [one for one in self._writing if one.done()]:
            flight = self._writing.pop(future)
            flight.running = False
            if future.result():
                self._ledger.landed(flight)

    def _behind(self) -> set[Partition]:
        """Partitions of which the topic has another batch at hand."""
        return {at for at, records in self._source.lag().items() if records >= self._batch_records}

    def _record(self) -> None:
        """Commit what is written and what is going to be."""
        progress = self._ledger.unrecorded()
        if not progress:
            return
        try:
            if self._source.commit(progress):
                self._ledger.record(progress)
                self._kafka_trouble.over("Kafka answers again")
        except BrokerUnavailable as error:
            self._kafka_trouble.tell("committing fails and is tried again, nothing is lost: %s", error)

    def _launch(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Give what may be written to the writers that are free."""
        ready = self._ledger.ready()[: _WRITERS - len(self._writing)]
        unwritten = self._unwritten() if ready else {}
        for flight in ready:
            flight.running = True
            flight.lag = unwritten.get(flight.partition, flight.records)
            self._writing[pool.submit(self._write, flight, stop)] = flight

    def _finish(self, pool: ThreadPoolExecutor, stop: threading.Event) -> None:
        """Write what is left, each once, and commit it."""
        self._ask(pool, stop)
        wait_for(self._asked)
        self._ask(pool, stop)
        self._ledger.cut(self._clock.now(), all_of_it=True)
        self._record()
        failed: list[Flight] = []
        while True:
            self._launch(pool, stop)
            if not self._writing:
                break
            wait_for(self._writing, return_when=FIRST_COMPLETED)
            before = list(self._writing.values())
            self._settle()
            failed += [one for one in before if one not in self._writing.values() and one in self._ledger.ready()]
            for one in failed:
                one.running = True  # it is not tried again
        self._record()

    def _write(self, flight: Flight, stop: threading.Event) -> bool:
        """On a writing thread: write the batch, again and again until it is written or need not be; whether it is."""
        started = perf_counter()
        delays = _delays()
        while not flight.tenure.over:
            try:
                prepared = flight.prepare(self._prepared)
                flight.attempts += 1
                marks = self._writer.write(prepared, flight.tenure.topic_id, lag=flight.lag, attempts=flight.attempts)
            except (TransientError, StoreError) as error:
                refused = isinstance(error, StoreError)
                INGEST_WRITE_FAILURES.labels("refused" if refused else "unavailable").inc()
                self._store_trouble.tell("the batch cannot be written and is tried again, reading waits: %s", error)
            else:
                self._store_trouble.over("the store takes batches again")
                _count(prepared, marks, perf_counter() - started)
                return True
            if stop.wait(next(delays)):
                break
        return False

    def _prepared(self, flight: Flight) -> Prepared:
        slices = merged([one.unpack() for one in flight.pieces])
        return self._intake.prepare(Batch(slices=slices, name=_token(flight, slices)))

    def _look_up(self, at: Partition, tenure: Tenure, stop: threading.Event) -> int | None:
        """On a writing thread: before which offset the store has all records, asked again and again until it says."""
        delays = _delays()
        while not tenure.over:
            try:
                return self._writer.written_before(at, tenure.topic_id)
            except (TransientError, StoreError) as error:
                self._store_trouble.tell("the store does not say what it has, reading waits: %s", error)
            if stop.wait(next(delays)):
                break
        return None


class _LagGauges:
    """Shows once a second how many records of each partition are not written yet."""

    def __init__(self) -> None:
        self._shown_at: datetime | None = None

    def show(self, unwritten: Callable[[], Mapping[Partition, int]], now: datetime) -> None:
        if self._shown_at is not None and timedelta(0) <= now - self._shown_at < _LAG_EVERY:
            return
        self._shown_at = now
        for at, records in unwritten().items():
            INGEST_LAG.labels(at.topic, str(at.number)).set(records)

    def forget(self, partitions: frozenset[Partition]) -> None:
        for at in partitions:
            for metric in (INGEST_LAG, INGEST_DELAY):
                with contextlib.suppress(KeyError):
                    metric.remove(at.topic, str(at.number))


def _token(flight: Flight, slices: tuple[Slice, ...]) -> str:
    """Names the records for good: partition, bounds, and the topic itself, since one made anew has the same offsets."""
    topic = flight.tenure.topic_id
    if not topic:
        times = [int(one.times_ms[0]) for one in slices if one.times_ms is not None and one.records]
        topic = f"t{times[0]}" if times else ""
    return f"{flight.partition.topic}:{flight.partition.number}:{topic}:{flight.start}-{flight.last}"


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
