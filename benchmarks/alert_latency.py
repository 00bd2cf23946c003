"""How long an alert takes from a record in Kafka to a webhook, with the whole service at 5,000 calls a second: `bench_alerts`.

A process of its own produces the records, each with the time at which it is produced; twenty services share them evenly. It
lets one service fail after the other, and says of each when the first failed record was produced and when the one that brought
the errors of the service's last minute above the limit. The service runs in this process, as `tpscope serve` does: consumer,
jobs on their schedule, delivery, over the embedded engine. Baselines are not learned for days but made of the first minutes, as
constant expectations (`bench_tick`): what is timed does not depend on how good they are. One normal minute ends an anomaly
(three as shipped), so that failures may follow one another sooner; when an anomaly opens does not depend on that.
"""

import json
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analytics.reading import read_minutes
from analytics.trained import save
from benchmarks.bench_tick import learned
from core.clock import floor_to
from core.config import Settings
from storage.contract import Store
from storage.jobs import read_job
from storage.migrate import migrate
from storage.open import open_store
from storage.watermarks import measured_until, read_watermarks
from tests.support.kafka_broker import KafkaBroker
from tests.support.receiver import ReceivedRequest, Receiver
from tpscope.memory import collect_less_often, give_memory_back
from tpscope.wiring import Role, Service

SERVICES = 20
LIMIT = 0.2
WARM_UP_S = 200
"""Two whole minutes to learn from, and the time to read them."""
BREAK_S, CYCLE_S = 70, 193
"""Between two failures lies a whole normal minute, which ends the anomaly of the first; the next one comes 13 s later in its
minute.
"""

TOPIC = "alerts"
_TICK_S = 0.02
_LAST_WAIT_S = 60
_PROGRESS_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Seconds to the arrival of each failure's messages; None where none arrived."""

    threshold_s: list[float | None]
    anomaly_s: list[float | None]


def measure(breaks: int, rate: int) -> Latencies:
    """Raises EngineMissing without Java or Kafka's jars."""
    broker = KafkaBroker()
    give_memory_back()
    collect_less_often()
    with broker, Receiver() as receiver, TemporaryDirectory(prefix="bench-alerts-") as folder:
        broker.create_topic(TOPIC, 4)
        settings = _settings(Path(folder), broker.bootstrap, receiver.url)
        store = open_store(settings.store, owner=True)
        migrate(store, settings.retention)
        service = Service(settings, store, Role.ALL)
        service.start()
        progress = Progress(store, receiver)
        try:
            command = [sys.executable, "-m", "benchmarks.alert_latency", broker.bootstrap, str(breaks), str(rate)]
            said = _produced(command, store, breaks, progress)
            progress.watch(_LAST_WAIT_S)
        finally:
            service.stop()
        arrived = _arrived(receiver.requests)
    broken = [json.loads(line) for line in said.splitlines()]
    for one in broken:
        print(f"{datetime.fromtimestamp(one['first'], UTC):%H:%M:%S} {one['service']} fails")
    for at, message in arrived:
        print(f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} {message['headline']}")
    return Latencies(
        threshold_s=[_after(arrived, "failing", one["service"], one["completed"], one["first"]) for one in broken],
        anomaly_s=[_after(arrived, "anomaly", one["service"], one["first"], one["first"]) for one in broken],
    )


def _produced(command: list[str], store: Store, breaks: int, progress: "Progress") -> str:
    """What the producer said; meanwhile, shortly before the first failure, baselines are made."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as producer:
        try:
            progress.watch(WARM_UP_S - 15)
            _learn(store)
            progress.say("baselines are made; the first failure is near")
            progress.watch(length_s(breaks) - WARM_UP_S + 15)
            said, _ = producer.communicate(timeout=120)
        except BaseException:
            producer.kill()
            raise
    return said


def length_s(breaks: int) -> int:
    """How long is produced: the last failure needs no normal time after it but what its messages take."""
    return WARM_UP_S + (breaks - 1) * CYCLE_S + BREAK_S + _LAST_WAIT_S


def _settings(folder: Path, brokers: str, url: str) -> Settings:
    failing = {"kind": "threshold", "name": "failing", "metric": "error_rate", "by": ["service"], "above": LIMIT}
    anomaly = {"kind": "anomaly", "name": "anomaly"}
    return Settings.model_validate(
        {
            "store": {"url": f"chdb://{folder / 'store'}"},
            "kafka": {"brokers": brokers, "topic": TOPIC, "start": "earliest"},
            "rules": [{**failing, "severity": "critical"}, anomaly],
            "receivers": [{"name": "hook", "url": url, "picture": False, "per_minute": 600}],
            "detection": {"resolve_minutes": 1},
            "forecast": {"enabled": False},
            "web": {"port": 0},
        }
    )


def _learn(store: Store) -> None:
    """Constant expectations, from the last two minutes of which all calls have arrived.

    Half a minute taken for a whole one would make all that follows an anomaly, which the failures then only join.
    """
    arrived = measured_until(store, datetime.now(UTC))
    if arrived is None:
        raise RuntimeError("no calls have arrived; is the machine too busy?")
    end = floor_to(arrived, timedelta(minutes=1))
    save(store, learned(read_minutes(store, end - timedelta(minutes=2), end), straying=0), 1)


class Progress:
    """Says every quarter of a minute how far arrival, judging and telling have come."""

    def __init__(self, store: Store, receiver: Receiver) -> None:
        self._store, self._receiver, self._began = store, receiver, time.monotonic()

    def watch(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(_PROGRESS_S, left))
            self.say(", ".join([*self._arrival(), *self._jobs(), f"{len(self._receiver.requests)} messages"]))

    def say(self, what: str) -> None:
        print(f"{datetime.now(UTC):%H:%M:%S} {time.monotonic() - self._began:5.0f} s: {what}", flush=True)

    def _arrival(self) -> list[str]:
        behind = [(datetime.now(UTC) - mark.event_at).total_seconds() for mark in read_watermarks(self._store)]
        return [f"calls are {max(behind):.1f} s behind"] if behind else ["no calls yet"]

    def _jobs(self) -> list[str]:
        found = (read_job(self._store, name) for name in ("alerts", "detection"))
        return [
            f"{job.name} took {job.duration_s:.2f} s, has judged until {job.cursor:%H:%M}"
            for job in found
            if job is not None and job.cursor is not None
        ]


def _arrived(requests: list[ReceivedRequest]) -> list[tuple[float, dict[str, Any]]]:
    """When messages of openings came, seconds since 1970, and what they said."""
    offset = time.time() - time.monotonic()
    return [(one.at_s + offset, one.json) for one in requests if one.json["reason"] == "opened"]


def _after(arrived: list[tuple[float, dict[str, Any]]], rule: str, service: str, since: float, first: float) -> float | None:
    """Seconds from `since` to the first message of the rule about the service after its failure began."""
    times = [
        at
        for at, said in arrived
        if said["incident"]["rule"] == rule and first <= at < first + CYCLE_S and _is_about(said, service)
    ]
    return min(times) - since if times else None


def _is_about(said: dict[str, Any], service: str) -> bool:
    """An anomaly is led by whatever explains it best: the service, or its route."""
    return service in json.dumps(said["incident"])


class Failures:
    """Which service fails when, and when its errors of the last minute have come to more than the limit."""

    def __init__(self, rate: int) -> None:
        self._usual = rate // SERVICES
        self._number, self._first = -1, 0.0
        self._lately: deque[tuple[float, int, int]] = deque()

    def failing(self, elapsed_s: float) -> int:
        """The number of the service that fails now; -1: none."""
        number, within = divmod(elapsed_s - WARM_UP_S, CYCLE_S)
        return int(number) % SERVICES if number >= 0 and within < BREAK_S else -1

    def count(self, service: int, calls: int, now: float) -> None:
        """`calls` of the service, all of which failed, were produced; says so when that completes the condition."""
        if service != self._number:
            self._number, self._first = service, now
            self._lately = deque((now - 60 + second, self._usual, 0) for second in range(60))
        self._lately.append((now, calls, calls))
        while self._lately[0][0] <= now - 60:
            self._lately.popleft()
        errors, everything = (sum(one[column] for one in self._lately) for column in (2, 1))
        if self._first and errors > LIMIT * everything:
            print(json.dumps({"service": f"service-{service:02}", "first": self._first, "completed": now}), flush=True)
            self._first = 0.0


def produce(bootstrap: str, breaks: int, rate: int) -> None:
    """Produce steadily; one service after the other fails. A line of JSON says when one had."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    failures, began, sent = Failures(rate), time.monotonic(), 0
    total = rate * length_s(breaks)
    while sent < total:
        elapsed, now = time.monotonic() - began, time.time()
        failing, due = failures.failing(elapsed), min(total, int(elapsed * rate))
        stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        for number in range(sent, due):
            service = number % SERVICES
            producer.produce(TOPIC, _record(stamp, number, service, service == failing), partition=number % 4)
        if failing >= 0:
            failures.count(failing, sum(number % SERVICES == failing for number in range(sent, due)), now)
        sent = due
        producer.poll(0)
        time.sleep(_TICK_S)
    producer.flush(60)


def _record(stamp: str, number: int, service: int, bad: bool) -> bytes:
    latency = 80 + (number * 7919) % 90
    status = 503 if bad or number % 997 == 0 else 200
    who = f'"gateway":"gw-{number % 3}","tenant":"team-{number % 41:02}","service":"service-{service:02}"'
    what = f'"route":"/v1/service-{service:02}","kind":"api","status":{status},"latency_ms":{latency}'
    return f'{{"ts":"{stamp}",{who},{what}}}'.encode()


if __name__ == "__main__":
    produce(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
