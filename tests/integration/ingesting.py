"""A consumer at work in the background, for tests with real brokers and stores."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.clock import SystemClock
from core.config import KafkaSettings
from ingest.consumer import Consumer
from ingest.formats import Format, build_format
from ingest.intake import Intake
from ingest.open_source import open_source
from storage.contract import Store


def kafka_settings(bootstrap: str, topic: str, **changes: Any) -> KafkaSettings:
    """Settings that make a group of the test's own, quick to notice and to write."""
    given = {"brokers": bootstrap, "topic": topic, "group": f"{topic}-group", "session_timeout": "3s", "batch_age": "100ms"}
    return KafkaSettings.model_validate({**given, **changes})


@contextmanager
def consuming(store: Store, settings: KafkaSettings, format_: Format | None = None) -> Iterator[threading.Thread]:
    """A consumer on a thread of its own; at the end it is stopped, and its failure, if any, raised."""
    consumer = Consumer(
        open_source(settings), Intake(format=format_ or build_format("tpscope", {})), store, settings, SystemClock()
    )
    stop, failures = threading.Event(), []

    def run() -> None:
        try:
            consumer.run(stop)
        except BaseException as error:  # noqa: BLE001  (raised again in the test's thread)
            failures.append(error)

    thread = threading.Thread(target=run, name="consumer")
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive(), "the consumer did not end"
    if failures:
        raise failures[0]
