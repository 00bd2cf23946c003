"""Imports or consumes in a process of its own, to be killed by tests of faults.

`python -m tests.integration.ingest_child import STORE_URL FILE CHUNK_ROWS` prints a line after each chunk and the report.
`python -m tests.integration.ingest_child consume STORE_URL BROKERS TOPIC` prints `ready` and runs until SIGTERM.
"""

import signal
import sys
import threading
from pathlib import Path

from core.clock import SystemClock
from core.config import StoreSettings
from ingest.consumer import Consumer
from ingest.formats import build_format
from ingest.importer import import_files
from ingest.intake import Intake
from ingest.open_source import open_source
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from tests.integration.ingesting import kafka_settings


def main(what: str, url: str, *rest: str) -> None:
    """Open the store and do what the arguments say."""
    store = open_store(StoreSettings(url=url), owner=True)
    migrate(store)
    try:
        (import_file if what == "import" else consume)(store, *rest)
    finally:
        store.close()


def import_file(store: Store, path: str, chunk_rows: str) -> None:
    """Import one file, telling each chunk."""
    report = import_files(
        store,
        [Path(path)],
        build_format("tpscope", {}),
        SystemClock(),
        lambda _, done, total: print("chunk", done, total, flush=True),
        chunk_rows=int(chunk_rows),
    )
    print("done", report.written, report.skipped, report.rejected, flush=True)


def consume(store: Store, brokers: str, topic: str) -> None:
    """Consume a topic until SIGTERM."""
    settings = kafka_settings(brokers, topic)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    consumer = Consumer(open_source(settings), Intake(format=build_format("tpscope", {})), store, settings, SystemClock())
    print("ready", flush=True)
    consumer.run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
