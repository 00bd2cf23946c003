"""Builds the service out of the rooms, starts it and stops it: the only place that constructs long-lived objects."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from alerts.heartbeat import Heartbeat
from alerts.jobs import AlertMemory, Deliverer, run_alerts
from analytics.before_after import JOB as CHANGES
from analytics.before_after import run_changes
from analytics.capacity import run_capacity
from analytics.counting import JOB as TRANSACTIONS
from analytics.counting import TransactionCounter
from analytics.creep_job import EVERY as DRIFT_EVERY
from analytics.creep_job import JOB as DRIFT
from analytics.creep_job import run_drift
from analytics.detector import Detector
from analytics.jobs import run_baselines, run_detection, run_forecasts, run_hours
from analytics.recommendation_job import JOB as RECOMMENDATIONS
from analytics.recommendation_job import run_recommendations
from analytics.rescoring import JOB as RESCORING
from analytics.rescoring import run_rescoring
from analytics.sampling.job import JOB as SAMPLES
from analytics.sampling.job import SampleDetector, run_samples
from core.clock import Clock, SystemClock
from core.config import Settings
from core.errors import ConfigError, StoreError, TransientError
from core.schedule import intervals
from dashboards.access.way_in import check_way_in
from dashboards.run import RunningServer, serve
from dashboards.server import create_app
from ingest.consumer import Consumer
from ingest.formats import build_format
from ingest.intake import Intake, build_intake
from ingest.kafka_client import open_client
from ingest.open_source import open_source
from ingest.posted import PostedCalls
from render.gate_report import report_json
from storage.contract import Store
from storage.epochs import claim_epoch
from storage.jobs import read_job
from storage.migrate import migrate
from storage.open import api_token, open_store, publish_api
from storage.priority import LONG_JOBS, SHORT_JOBS, apart
from storage.watermarks import QUIET_PARTITION
from tpscope.known import KnownValues
from tpscope.leader import KafkaLeader, Leader, SoleLeader
from tpscope.making_reviews import JOB as REVIEWS
from tpscope.making_reviews import run_reviews
from tpscope.memory import MemoryKeeper
from tpscope.predicting import predictor_of
from tpscope.scheduled_exports import LOOK_EVERY, job_name, run_scheduled_export
from tpscope.scheduler import Hastens, Job, JobScheduler, nothing
from tpscope.workers import Workers

logger = logging.getLogger(__name__)

RELOADABLE = (
    "rules",
    "routing",
    "receivers",
    "time_intervals",
    "silences",
    "heartbeat",
    "detection",
    "forecast",
    "limits",
    "prices",
    "gate",
    "changes",
    "reviews",
)
"""Parts of the settings that SIGHUP changes in a running process; the others take a restart."""

_SLOW_JOBS = frozenset(
    {"baselines", "capacity", "forecasts", "hours", CHANGES, DRIFT, RECOMMENDATIONS, RESCORING, REVIEWS, TRANSACTIONS}
)

_ALONE = frozenset({"alerts"})
"""Rules of seconds wait for no judging of minutes."""


_MINUTE = timedelta(minutes=1)


class Role(StrEnum):
    ALL = "all"
    INGEST = "ingest"
    JOBS = "jobs"
    WEB = "web"


@dataclass(slots=True)
class CurrentSettings:
    """The settings in force; replaced as a whole on reload."""

    value: Settings


class Service:
    """One tpscope process: the roles it was given, over one store.

    Parameters
    ----------
    store : Store
        Opened by the caller as the owner; closed by `stop`.
    pace : float
        How many times as fast as the machine's `clock` runs: the jobs then run so much more often.
    """

    def __init__(self, settings: Settings, store: Store, role: Role, clock: Clock | None = None, pace: float = 1.0) -> None:
        self._current = CurrentSettings(settings)
        self._store, self._role, self._pace = store, role, pace
        self._clock = clock or SystemClock()
        self._workers = Workers()
        self._web: RunningServer | None = None
        self._made: Intake | None = None
        self._making = threading.Lock()
        self._scheduler: JobScheduler | None = None
        self._short, self._long = store, store

    @property
    def address(self) -> str:
        """Where the pages are, empty without the web role."""
        return self._web.address if self._web else ""

    @property
    def failed(self) -> threading.Event:
        """Set when a part ended by itself: the process should stop."""
        return self._workers.failed

    def start(self) -> None:
        """Start every part of the role; returns when the pages answer and the consumer has its connection."""
        settings = self._current.value
        self.start_memory()
        if self._has(Role.WEB):
            self.start_web()
        if self._has(Role.INGEST) and settings.kafka.brokers:
            self.start_ingest()
        if self._has(Role.JOBS):
            self.start_jobs()

    def start_memory(self) -> None:
        """Keep the memory of this process at what it needs."""
        self._workers.start("memory", MemoryKeeper(self._store).run)

    def start_web(self) -> None:
        settings = self._current.value
        check_way_in(self._store, settings.web, self._clock)
        sink = PostedCalls(self._intake, self._store, settings, self._clock)
        app = create_app(
            self._store,
            settings,
            self._clock,
            token=api_token(self._store) or None,
            sink=sink,
            predictor=predictor_of(self._store),
        )
        self._web = serve(app, settings.web.host, settings.web.port)
        publish_api(self._store, self._web.address)

    def start_ingest(self) -> None:
        settings = self._current.value
        consumer = Consumer(open_source(settings.kafka), self._intake(), self._store, settings.kafka, self._clock)
        self._workers.start("ingest", consumer.run)

    def start_jobs(self) -> None:
        self._short, self._long = apart(self._store, SHORT_JOBS), apart(self._store, LONG_JOBS)
        leader = self._leader()
        self._workers.start("leader", leader.run)
        self._workers.start("delivery", Deliverer(self._store, lambda: self._current.value, self._clock, leader.epoch).run)
        self._workers.start("heartbeat", Heartbeat(lambda: self._current.value, self._clock, self._evaluated_at(leader)).run)
        exports = {job_name(export) for export in self._current.value.exports}  # a bucket may take its time
        self._scheduler = JobScheduler(self._jobs(), leader, _SLOW_JOBS | exports, self._pace, _ALONE)
        self._scheduler.start()

    def reload(self, settings: Settings) -> list[str]:
        """Put the reloadable parts of `settings` in force; returns the changed parts that need a restart."""
        before = self._current.value
        changed = [name for name in type(settings).model_fields if getattr(before, name) != getattr(settings, name)]
        update = {name: getattr(settings, name) for name in changed if name in RELOADABLE}
        self._current.value = before.model_copy(update=update)
        if update:
            logger.info("configuration reloaded: %s", ", ".join(update))
        return [name for name in changed if name not in RELOADABLE]

    def stop(self) -> None:
        """End every thread, then close the store; safe to call twice."""
        if self._scheduler:
            self._scheduler.stop(self._interrupt)
        for name in self._workers.stop():
            logger.warning("%s did not end in time", name)
        if self._web:
            self._web.stop()
        self._store.close()

    def _interrupt(self) -> None:
        """Nothing that a job asks of the store is answered from now on."""
        for part in (self._short, self._long):
            if part is not self._store:
                part.close()

    def _intake(self) -> Intake:
        """What becomes of calls, from Kafka and by POST alike; made when the first of them comes."""
        with self._making:
            if self._made is None:
                settings = self._current.value
                format_ = build_format(settings.kafka.format, settings.formats, settings.kafka.schema_registry)
                made = build_intake(settings, format_)
                if made.guard is not None:
                    known = KnownValues(made.guard, self._store, settings, self._clock)
                    known.seed()
                    self._workers.start("known values", known.run)
                self._made = made
            return self._made

    def _has(self, role: Role) -> bool:
        return self._role in (Role.ALL, role)

    def _leader(self) -> Leader:
        settings = self._current.value

        def claim(generation: int) -> int:
            return claim_epoch(self._store, generation)

        if self._store.capabilities.owner or not settings.kafka.brokers:
            return SoleLeader(claim)
        return KafkaLeader(settings.kafka, claim, open_client)

    def _evaluated_at(self, leader: Leader) -> Callable[[], datetime | None]:
        """When the rules were evaluated last; None while another process is the active one, or the store is away."""

        def at() -> datetime | None:
            try:
                state = None if leader.epoch() is None else read_job(self._store, "alerts")
            except (TransientError, StoreError):
                return None
            return state.last_success_at if state else None

        return at

    def _jobs(self) -> list[Job]:
        settings = self._current.value
        short, long, clock, current = self._short, self._long, self._clock, self._current
        detector, rescorer, sampler, memory = Detector(), Detector(), SampleDetector(), AlertMemory()

        def job(name: str, every: timedelta, run: Callable[[int], object], after_s: float, hastens: Hastens = nothing) -> Job:
            return Job(name=name, every=every, run=run, first_after=timedelta(seconds=after_s), hastens=hastens)

        every = intervals(settings)
        jobs = [
            job("hours", every["hours"], lambda epoch: run_hours(long, clock, current.value, epoch), 2),
            job(
                "alerts",
                every["alerts"],
                lambda epoch: run_alerts(short, clock, current.value, epoch, memory),
                3,
                lambda report: {"alerts": report.again_in} if report.again_in is not None else {},
            ),
        ]
        if settings.transactions:
            counter = TransactionCounter()
            jobs.append(job(TRANSACTIONS, every[TRANSACTIONS], lambda epoch: counter.run(long, clock, current.value, epoch), 2))
        jobs.append(job("capacity", every["capacity"], lambda epoch: run_capacity(long, clock, current.value, epoch), 12))
        if settings.changes.enabled:
            jobs.append(job(CHANGES, every[CHANGES], lambda epoch: self._judge_changes(epoch), 45))
        if settings.detection.enabled:
            jobs += [
                job(
                    "baselines",
                    every["baselines"],
                    lambda epoch: run_baselines(long, clock, current.value, epoch),
                    self._due_in_s("baselines", every["baselines"], 4),
                ),
                job(
                    "detection",
                    every["detection"],
                    lambda epoch: run_detection(short, clock, current.value, epoch, detector),
                    1,
                    lambda report: {"alerts": timedelta(0)} if report.items else {},
                ),
                job(DRIFT, DRIFT_EVERY, lambda epoch: run_drift(long, clock, current.value, epoch), 90),
                job(
                    SAMPLES,
                    every[SAMPLES],
                    lambda epoch: run_samples(short, clock, current.value, epoch, sampler),
                    20,
                    lambda report: {"alerts": timedelta(0)} if report.items else {},
                ),
                job(
                    RESCORING,
                    every[RESCORING],
                    lambda epoch: run_rescoring(long, clock, current.value, epoch, rescorer),
                    60,
                ),
            ]
        if settings.forecast.enabled:
            due_s = self._due_in_s("forecasts", every["forecasts"], 8)
            jobs.append(
                job("forecasts", every["forecasts"], lambda epoch: run_forecasts(long, clock, current.value, epoch), due_s)
            )
        if settings.recommendations.enabled:
            due_s = self._due_in_s(RECOMMENDATIONS, every[RECOMMENDATIONS], 90)

            def run_daily(epoch: int) -> object:
                return run_recommendations(long, clock, current.value, epoch)

            jobs.append(job(RECOMMENDATIONS, every[RECOMMENDATIONS], run_daily, due_s))
        if settings.reviews.enabled:
            jobs.append(
                job(REVIEWS, every[REVIEWS], lambda epoch: run_reviews(long, clock, current.value, epoch), self._caught_up_s())
            )
        for export in settings.exports:
            run = partial(run_scheduled_export, long, clock, export)
            jobs.append(job(job_name(export), min(export.every, LOOK_EVERY), run, 30))
        return jobs

    def _caught_up_s(self) -> float:
        """Seconds until what came while nobody read has begun to arrive, so that how far calls are is known again."""
        return (QUIET_PARTITION if self._current.value.kafka.brokers else _MINUTE).total_seconds()

    def _judge_changes(self, epoch: int) -> None:
        for one in run_changes(self._long, self._current.value, self._clock.now(), epoch, report_json):
            of = f"transaction {one.transaction}" if one.transaction else one.selector.words
            logger.info("change %s, %s: %s %s", one.change_id, of, one.outcome, "; ".join(one.reasons))

    def _due_in_s(self, name: str, every: timedelta, at_least_s: float) -> float:
        """Seconds until a heavy job is due again: what was done shortly before a restart is not done at once again."""
        state = read_job(self._store, name)
        if state is None or state.last_success_at is None:
            return at_least_s
        return max(at_least_s, (state.last_success_at + every - self._clock.now()).total_seconds())


def open_service(settings: Settings, role: Role, clock: Clock | None = None) -> Service:
    """Open the store as its owner, bring its schema up to date, and build the service.

    Raises StoreInUse when another process owns the embedded directory, StoreUnavailable when the server does not answer, and
    ConfigError for a role that the engine cannot have alone.
    """
    if role is not Role.ALL and settings.store.url.startswith("chdb://"):
        raise ConfigError(
            f"--role {role.value}",
            "the embedded store belongs to one process that runs every role; use --role all, or a clickhouse:// store",
        )
    store = open_store(settings.store, owner=True)
    try:
        migrate(store, settings.retention)
        return Service(settings, store, role, clock)
    except BaseException:
        store.close()
        raise
