"""A consumer in a process of its own whose store fails at random, to be killed by the chaos test.

`python -m tests.integration.chaos_child OPTIONS`, JSON of the fields of `Options`. It prints a line `insert` before each insert
of calls.
"""

import json
import logging
import random
import signal
import sys
import threading
from dataclasses import asdict, dataclass

import pandas as pd
import pyarrow as pa

from core.clock import SystemClock
from core.config import KafkaSettings, StoreSettings
from core.errors import StoreError, StoreUnavailable
from ingest.consumer import Consumer
from ingest.formats import build_format
from ingest.intake import Intake
from ingest.open_source import open_source
from storage.contract import Capabilities, Params, Store
from storage.migrate import migrate
from storage.open import open_store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a consumer is started with; `store_faults` is the share of its inserts that fail before or after they are made."""

    url: str
    brokers: str
    topic: str
    client: str
    batch_records: int
    store_faults: float
    seed: int

    @property
    def text(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))

    @property
    def kafka(self) -> KafkaSettings:
        """Settings of a group that is quick to notice and to write."""
        given = {
            "brokers": self.brokers,
            "topic": self.topic,
            "group": group_of(self.topic),
            "client": self.client,
            "batch_records": self.batch_records,
            "batch_age": "100ms",
            "session_timeout": "1500ms",
        }
        return KafkaSettings.model_validate(given)


def group_of(topic: str) -> str:
    """The consumer group of a topic."""
    return f"{topic}-group"


class FaultyStore:
    """Another store, of whose inserts a share fails: half of those before they are made, half after. For several threads."""

    def __init__(self, store: Store, share: float, seed: int) -> None:
        self._store = store
        self._share = share
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        return self._store.frame(sql, params)

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        return self._store.arrow(sql, params)

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        if table == "calls":
            print("insert", flush=True)
            logger.info("insert of %d calls under %s", rows.num_rows, token)
        with self._lock:
            fails, late, refused = self._random.random() < self._share, self._random.random() < 0.5, self._random.random() < 0.5
        if not fails or late:
            self._store.insert(table, rows, token=token)
        if fails:
            raise StoreError("store: a fault of the test", 1001) if refused else StoreUnavailable("store: a fault of the test")

    def command(self, sql: str, params: Params | None = None) -> None:
        self._store.command(sql, params)

    def close(self) -> None:
        self._store.close()


def main(text: str) -> None:
    """Consume until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options = Options(**json.loads(text))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    store = FaultyStore(open_store(StoreSettings(url=options.url, retries=1), owner=True), options.store_faults, options.seed)
    try:
        migrate(store)
        source = open_source(options.kafka)
        consumer = Consumer(source, Intake(format=build_format("tpscope", {})), store, options.kafka, SystemClock())
        print("ready", flush=True)
        consumer.run(stop)
    finally:
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
