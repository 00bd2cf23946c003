"""A few records of a file or a topic, to look at: from its beginning, its end and anywhere between. Nothing is committed."""

import contextlib
import random
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError
from ingest.kafka_client import connect
from ingest.readers import READERS, Damaged, reader_of, rows_of
from ingest.rows import Row

_FILE_TIME_S = 10.0
_TOPIC_TIME_S = 15.0
_POLL_MS = 200
_SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was taken.

    Attributes
    ----------
    values : tuple
        Records in their order: bytes, objects (a dict of a table's row) or `Unreadable`.
    seen : int
        How many records the sample was taken from.
    note : str
        Why that was not all of them; or nothing.
    """

    values: tuple[object, ...]
    seen: int
    note: str = ""


def sample_file(path: Path, wanted: int, time_s: float = _FILE_TIME_S) -> Sample:
    """The first, the last and some random rows, a third each; of as much as is read in `time_s` seconds.

    Raises ConfigError for a file that cannot be read at all.
    """
    reader = reader_of(path)
    if reader is None:
        raise ConfigError(str(path), f"is of no known kind; its name must end with {', '.join(READERS)} (or that and .gz)")
    taken = _Taken(max(wanted, 3))
    note = ""
    deadline = time.monotonic() + time_s
    try:
        with path.open("rb") as raw:
            for row in rows_of(reader, raw):
                taken.add(row)
                if taken.seen % 256 == 0 and time.monotonic() > deadline:
                    note = f"looked at the first {taken.seen:,} rows, which took {time_s:g} s"
                    break
    except Damaged as error:
        if not taken.seen:
            raise ConfigError(str(path), str(error)) from error
        note = f"after row {taken.seen:,}: {error}"
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror or error})") from error
    return Sample(values=tuple(row.value for row in taken.rows()), seen=taken.seen, note=note)


def sample_topic(settings: KafkaSettings, topic: str, wanted: int, time_s: float = _TOPIC_TIME_S) -> Sample:
    """The last records of each partition, read without a group: nobody else's offsets move.

    Raises
    ------
    ConfigError
        There is no such topic, or the login is refused.
    BrokerUnavailable
        No broker answers.
    """
    with contextlib.closing(connect(settings, in_group=False)) as consumer:
        try:
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise ConfigError(topic, f"is neither a file nor a topic at {', '.join(settings.brokers)}")
            return _last_records(consumer, [TopicPartition(topic, number) for number in sorted(numbers)], wanted, time_s)
        except (KafkaError, OSError) as error:
            raise BrokerUnavailable(f"reading {topic!r} fails: {error}") from error


def _last_records(consumer: Any, places: list[TopicPartition], wanted: int, time_s: float) -> Sample:
    consumer.assign(places)
    firsts, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    each = max(1, -(-wanted // len(places)))
    for place in places:
        consumer.seek(place, max(firsts[place], ends[place] - each))
    values: dict[TopicPartition, list[bytes]] = {place: [] for place in places}
    deadline = time.monotonic() + time_s
    note = ""
    while any(consumer.position(place) < ends[place] for place in places):
        if time.monotonic() > deadline:
            note = f"stopped after {time_s:g} s"
            break
        for place, records in consumer.poll(timeout_ms=_POLL_MS).items():
            values[place] += [record.value or b"" for record in records if record.offset < ends[place]]
    seen = sum(ends[place] - firsts[place] for place in places)
    return Sample(values=tuple(one for place in places for one in values[place][-each:]), seen=seen, note=note)


class _Taken:
    """First rows, last rows and a fair choice of those between (a reservoir), without holding more."""

    def __init__(self, wanted: int) -> None:
        self._each = wanted // 3
        self._head: list[Row] = []
        self._middle: list[Row] = []
        self._tail: deque[Row] = deque(maxlen=self._each)
        self._between = 0
        self._random = random.Random(_SEED)
        self.seen = 0

    def add(self, row: Row) -> None:
        self.seen += 1
        if len(self._head) < self._each:
            self._head.append(row)
            return
        if len(self._tail) == self._each:
            self._keep_maybe(self._tail[0])
        self._tail.append(row)

    def _keep_maybe(self, row: Row) -> None:
        self._between += 1
        if len(self._middle) < self._each:
            self._middle.append(row)
        elif (place := self._random.randrange(self._between)) < self._each:
            self._middle[place] = row

    def rows(self) -> list[Row]:
        return [*self._head, *sorted(self._middle, key=lambda row: row.number), *self._tail]
