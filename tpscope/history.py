"""Fills a store with simulated history: calls through the real insert path, and hourly rollups before them."""

import queue
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from core.record import CALL_SCHEMA, GENERATED_TOPIC_PREFIX, TS_TYPE
from storage.calls import insert_calls
from storage.contract import Store
from tpscope.simulate.generate import TrafficGenerator

_CHUNK = timedelta(hours=24)
_AHEAD = 2

Progress = Callable[[int, float], None]
"""Is told the calls written so far and the share of the span that is done."""


def fill_calls(store: Store, generator: TrafficGenerator, start: datetime, end: datetime, progress: Progress) -> int:
    """Write the simulated calls of [start, end); returns their number.

    The next chunk is drawn in a second thread while one is written (numpy and the engine both release the GIL). Chunks carry
    a deduplication token made of their span, so that a repeated fill writes nothing twice.
    """
    written = 0
    for chunk_start, chunk_end, calls in _chunks_ahead(generator, start, end):
        rows = with_identity(calls, f"{GENERATED_TOPIC_PREFIX}{generator.scenario.name}", written)
        insert_calls(store, rows, token=f"generated:{chunk_start.isoformat()}:{chunk_end.isoformat()}")
        written += rows.num_rows
        progress(written, (chunk_end - start) / (end - start))
    return written


def with_identity(calls: pa.Table, topic: str, first_offset: int) -> pa.Table:
    """Calls of RECORD_SCHEMA as rows of CALL_SCHEMA; what is simulated counts as written when it happened."""
    size = calls.num_rows
    identity = {
        "ingested_at": calls.column("ts").cast(TS_TYPE),
        "topic": pa.repeat(pa.scalar(topic), size),
        "partition": pa.repeat(pa.scalar(0, pa.int32()), size),
        "offset": pa.array(np.arange(first_offset, first_offset + size, dtype=np.int64)),
    }
    return pa.table([*calls.columns, *identity.values()], schema=CALL_SCHEMA)


def _chunks_ahead(generator: TrafficGenerator, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, pa.Table]]:
    """Chunks in order of time, drawn by a second thread, at most `_AHEAD` of them waiting."""
    drawn: queue.Queue[tuple[datetime, datetime, pa.Table] | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    stop = threading.Event()

    def put(item: tuple[datetime, datetime, pa.Table] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                drawn.put(item, timeout=0.2)
            except queue.Full:
                continue
            return

    def draw() -> None:
        try:
            at = start
            while at < end and not stop.is_set():
                until = min(at + _CHUNK, end)
                put((at, until, generator.generate(at, until)))
                at = until
            put(None)
        except BaseException as error:  # noqa: BLE001 (handed over to the thread that reads)
            put(error)

    thread = threading.Thread(target=draw, name="simulated-history", daemon=True)
    thread.start()
    try:
        while (item := drawn.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
