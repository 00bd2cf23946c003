"""Calls that came by HTTP: the same decoding, rules and dead letters as a topic's, each batch once by the name it came under.

A batch is noted as begun before it is written and as done, with the answer, after. A repeat of a done one gets that answer. A
repeat of one that was cut short is written again under the same insert token and judged by the time at which the first attempt
came, so that the store keeps what is there and takes what is missing. Names are remembered for 30 days.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from zlib import crc32

import numpy as np
import orjson

from core.clock import Clock
from core.config import Settings
from core.posting import ForeignTenant, KeyUsed, Posted, RefusedLine
from core.record import POST_TOPIC_PREFIX
from core.telemetry import INGEST_RECORDS, INGEST_REJECTED
from ingest.batch import Batch, Partition, Slice
from ingest.formats import Format, build_format
from ingest.intake import Intake
from ingest.writer import BatchWriter, Prepared
from storage.contract import Store
from storage.posts import BEGUN, DONE, Post, read_post, write_post

MOST_TOLD = 100
"""Rejected lines that the answer names; all of them are among the dead letters."""

_STRIPES = 64
_METRIC_TOPIC = "post"


class PostedCalls:
    """`CallSink` over one store. `intake` is shared with the topics, so that they bound the same values."""

    def __init__(self, intake: Callable[[], Intake], store: Store, settings: Settings, clock: Clock) -> None:
        self._intake, self._store, self._settings, self._clock = intake, store, settings, clock
        self._writer = BatchWriter(
            store=store, clock=clock, dead_letter_bytes=settings.kafka.dead_letter_bytes, watermarks=False
        )
        self._locks = [threading.Lock() for _ in range(_STRIPES)]
        self._formats: dict[str, Format] = {}

    def take(self, name: str, body: bytes, *, format: str = "", tenants: Sequence[str] = ()) -> Posted:
        topic, digest = POST_TOPIC_PREFIX + name, hashlib.sha256(body).hexdigest()
        intake = self._intake_of(format)
        with self._locks[crc32(name.encode()) % _STRIPES]:
            known = read_post(self._store, topic)
            if known is not None and known.digest != digest:
                raise KeyUsed("this key was used for other calls; give every batch a key of its own")
            if known is not None and known.state == DONE:
                return replace(_told(known.answer), repeated=True)
            post = known or Post(topic=topic, digest=digest, state=BEGUN, arrived_at=self._clock.now())
            prepared = _prepared(intake, post, body, tenants)
            if known is None:
                write_post(self._store, post)
            self._writer.write(prepared)
            posted = _posted(prepared)
            write_post(self._store, replace(post, state=DONE, answer=orjson.dumps(asdict(posted)).decode()))
        _count(prepared)
        return posted

    def _intake_of(self, format_: str) -> Intake:
        intake = self._intake()
        name = format_ or self._settings.kafka.format
        if name not in self._formats:  # `auto` takes milliseconds to make, and remembers what it has recognised
            self._formats[name] = build_format(name, self._settings.formats)
        return replace(intake, format=self._formats[name], samples_topic="")


def _prepared(intake: Intake, post: Post, body: bytes, tenants: Sequence[str]) -> Prepared:
    """Decoded and judged; its values are bounded last, since `__other__` would hide whose calls they are."""
    batch = _batch(post, body)
    prepared = replace(intake, guard=None).prepare(batch)
    if tenants:
        foreign = set(prepared.rows.column("tenant").unique().to_pylist()) - set(tenants)
        if foreign:
            raise ForeignTenant(f"a call is of tenant {min(foreign)!r}; this token writes for {', '.join(tenants)} only")
    return prepared if intake.guard is None else prepared.with_rows(intake.guard.apply(prepared.rows))


def _batch(post: Post, body: bytes) -> Batch:
    lines = body.split(b"\n")
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    arrived_ms = int(post.arrived_at.timestamp() * 1000)
    piece = Slice(
        partition=Partition(post.topic, 0),
        offsets=np.array(numbers, np.int64),
        values=[lines[number] for number in numbers],
        size_bytes=len(body),
        times_ms=np.full(len(numbers), arrived_ms, np.int64),
    )
    return Batch(slices=(piece,), name=f"{post.topic}:{post.digest[:16]}")


def _posted(prepared: Prepared) -> Posted:
    offsets = prepared.batch.slices[0].offsets
    told = [
        RefusedLine(line=int(offsets[one.index]), reason=one.reason, detail=one.detail) for one in prepared.rejects[:MOST_TOLD]
    ]
    return Posted(
        records=prepared.batch.records,
        written=prepared.rows.num_rows,
        rejected=len(prepared.rejects),
        refused=tuple(told),
    )


def _told(answer: str) -> Posted:
    kept = orjson.loads(answer)
    return Posted(**{**kept, "refused": tuple(RefusedLine(**one) for one in kept["refused"])})


def _count(prepared: Prepared) -> None:
    """Under one name for all batches: a label for each would never end."""
    INGEST_RECORDS.labels(_METRIC_TOPIC).inc(prepared.rows.num_rows)
    for (_, reason), records in prepared.rejected.items():
        INGEST_REJECTED.labels(_METRIC_TOPIC, reason).inc(records)
