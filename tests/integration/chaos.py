"""What the chaos test is made of: a producer that numbers its records, members that are killed, and the count at the end."""

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from storage.contract import Store
from tests.integration.chaos_child import Options, group_of
from tests.support.data import REPOSITORY
from tests.support.rollups import ROLLUP_TABLES
from tests.support.topics import answered
from tests.support.wait import wait_until

PARTITIONS = 4
BROKEN_EVERY = 499
"""Every so many records one cannot be read."""
_TOKEN_TABLES = ("calls", *(one for one in ROLLUP_TABLES if one != "calls_1s"))


def record(number: int, ts: str) -> bytes:
    """The record of that number: its tokens follow from it."""
    if number % BROKEN_EVERY == 0:
        return b'{"ts": "%s", "broken %d' % (ts.encode(), number)
    call = {"ts": ts, "request_id": str(number), "tenant": f"team-{number % 13}", "service": f"chat-{number % 3}",
            "route": f"/v1/{number % 29}", "model": f"m-{number % 5}", "status": 500 if number % 17 == 0 else 200,
            "latency_ms": number % 1000, "prompt_tokens": number % 4001, "completion_tokens": number % 257}  # fmt: skip
    return orjson.dumps(call)


class Feeder:
    """Produces the records of the numbers from 0 on, so many a second, with Kafka's idempotence: each is in the topic once."""

    def __init__(self, bootstrap: str, topic: str, records: int, per_second: int) -> None:
        self.records = records
        self.sent = 0
        self._topic = topic
        self._per_second = per_second
        self._stop = threading.Event()
        self._failures: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.timeout.ms": 0,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._thread = threading.Thread(target=self._run, name="feeder")
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def hurry(self) -> None:
        """Send the rest at once."""
        self._per_second = 1_000_000

    def finish(self, timeout_s: float) -> None:
        """Wait until every record is in the topic."""
        self._thread.join(timeout_s)
        assert self.done, f"only {self.sent} of {self.records} records could be produced"
        assert not self._failures, f"the producer lost records: {self._failures[:3]}"

    def abandon(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while self.sent < self.records and not self._stop.wait(0.05):
            ts = datetime.now(UTC).isoformat()
            for number in range(self.sent, min(self.records, self.sent + max(1, self._per_second // 20))):
                self._send(number, record(number, ts))
                self.sent = number + 1
            self._producer.poll(0)
        while self._producer.flush(1) and not self._stop.is_set():
            pass

    def _send(self, number: int, value: bytes) -> None:
        while not self._stop.is_set():
            try:
                self._producer.produce(self._topic, value, partition=number % PARTITIONS, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _delivered(self, error: object, _message: object) -> None:
        if error is not None:
            self._failures.append(str(error))


@contextmanager
def feeding(bootstrap: str, topic: str, records: int, per_second: int) -> Iterator[Feeder]:
    """A producer at work until the block ends."""
    feeder = Feeder(bootstrap, topic, records, per_second)
    try:
        yield feeder
    finally:
        feeder.abandon()


class Member:
    """A consumer process that is started again, with another seed and another size of batches, whenever it has ended."""

    def __init__(self, name: str, options: Options, log: Path, rng: random.Random) -> None:
        self.name = name
        self.kills = self.starts = self.failed_starts = 0
        self._options = options
        self._log = log
        self._random = rng
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._inserts = 0
        self._ready = False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def inserts(self) -> int:
        """How many inserts of calls this process has begun."""
        return self._inserts

    def start(self) -> None:
        """Start it unless it runs."""
        if self.running:
            return
        self._reap()
        self.starts += 1
        seed, batch = self._random.randrange(2**31), self._random.choice((100, 700, 5000))
        options = replace(self._options, seed=seed, batch_records=batch)
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.chaos_child", options.text],
                cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        self._inserts, self._ready = 0, False
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def wait_for(self, what: Callable[["Member"], bool], timeout_s: float) -> bool:
        """Wait for something of this process; False when it ended first (the broker or the store was away) or it takes long."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.running:
            if what(self):
                return True
            time.sleep(0.005)
        return False

    @property
    def ready(self) -> bool:
        return self._ready

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None and self.running:
            self._process.kill()
            self.kills += self._process.wait(30) == -signal.SIGKILL
        self._reap()

    def leave(self) -> None:
        """Ask it to end."""
        if self._process is not None and self.running:
            self._process.terminate()
            assert self._process.wait(60) in (0, 1, -signal.SIGTERM), f"{self.name} did not end cleanly, see {self._log}"
        self._reap()

    def tail(self) -> str:
        """The end of what it said."""
        return self._log.read_text("utf-8", "replace")[-13000:] if self._log.exists() else ""

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with contextlib.closing(process.stdout) as lines:
            for line in lines:
                self._ready = self._ready or line == "ready\n"
                self._inserts += line == "insert\n"

    def _reap(self) -> None:
        if self._process is not None:
            self.failed_starts += self._process.wait(30) == 1
            self._process = None
        if self._reader is not None:
            self._reader.join(30)
            self._reader = None


def committed(bootstrap: str, topic: str) -> int:
    """Records of the topic that its group has committed."""
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        group = group_of(topic)
        offsets = answered(lambda: admin.list_group_offsets(group))
        return sum(_offset(one) for one in offsets.get(group, {}).values())


def _offset(answer: object) -> int:
    offset = getattr(answer, "offset", -1)
    return int(offset) if isinstance(offset, int) and offset > 0 else 0


def in_topic(bootstrap: str, topic: str) -> int:
    """Records of the topic, by its ends."""
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    with contextlib.closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        return sum(answered(lambda: consumer.end_offsets(places)).values())


def wait_for_the_end(bootstrap: str, topic: str, records: int, tend: Callable[[], None], stall_s: float) -> None:
    """Wait until the group has committed everything; `tend` keeps its members alive.

    How long that takes depends on the batches that the members drew; that for `stall_s` nothing more is committed does not.
    """
    done = seen = 0

    def goes_on() -> bool:
        nonlocal seen
        tend()
        seen = committed(bootstrap, topic)
        return seen != done

    while done < records:
        wait_until(goes_on, stall_s, f"a commit after {done} of {records} records", step_s=0.3)
        done = seen


def check(store: Store, records: int) -> None:
    """Every record is once in the calls or the dead letters, and once in every rollup. Raises AssertionError."""
    broken = len(range(0, records, BROKEN_EVERY))
    good = [number for number in range(records) if number % BROKEN_EVERY]
    letters = _row(store, "SELECT count() AS rows, uniqExact(topic, partition, offset) AS records FROM dead_letters")
    calls = _row(
        store,
        """SELECT count() AS rows, uniqExact(topic, partition, offset) AS records, uniqExact(request_id) AS numbers,
        sum(toUInt64(request_id)) AS sum FROM calls""",
    )
    lost, doubled = len(good) - calls["records"], calls["rows"] - calls["records"]
    assert calls == {"rows": len(good), "records": len(good), "numbers": len(good), "sum": sum(good)}, (
        f"calls: {lost} lost, {doubled} doubled"
    )
    assert letters == {"rows": broken, "records": broken}, "dead letters"
    for table in ROLLUP_TABLES:
        counted = _row(store, f"SELECT sum(calls) AS calls, sum(errors) AS errors FROM {table}")
        assert counted == {"calls": len(good), "errors": sum(number % 17 == 0 for number in good)}, table
    tokens = {"prompt": sum(number % 4001 for number in good), "completion": sum(number % 257 for number in good)}
    for table in _TOKEN_TABLES:
        summed = _row(store, f"SELECT sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion FROM {table}")
        assert summed == tokens, table
    ends = _row(store, "SELECT sum(next_offset) AS records FROM (SELECT next_offset FROM watermarks FINAL)")
    assert ends["records"] <= records


def _row(store: Store, sql: str) -> dict[str, int]:
    return {name: int(value) for name, value in store.arrow(sql).to_pylist()[0].items()}
