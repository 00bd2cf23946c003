"""Records that could not be read, with their coordinates, reason and bytes.

A letter that was replayed (see `storage/replays.py`) stays, is shown as such, and is no longer counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from core.record import TS_TYPE
from core.types import DeadLetter
from storage.contract import Store, Value
from storage.frames import items_table, moment, moment_or_none, with_labels

LETTER_KEY = "topic, partition, offset, payload_hash"
"""What tells a letter from others; a record that was rejected twice is one letter."""

REPLAYED = f"SELECT {LETTER_KEY} FROM dead_letter_replays WHERE state = 'done'"
ANY_REPLAYED = "SELECT toInt64(count()) AS marks FROM (SELECT 1 FROM dead_letter_replays WHERE state = 'done' LIMIT 1)"
COUNT_ALL = """
SELECT reason, toInt64(count()) AS letters FROM dead_letters WHERE received_at >= {start:DateTime64(3, 'UTC')}
GROUP BY reason ORDER BY letters DESC, reason
"""
COUNT_OPEN = f"""
SELECT reason, toInt64(count()) AS letters FROM dead_letters
WHERE received_at >= {{start:DateTime64(3, 'UTC')}} AND ({LETTER_KEY}) NOT IN ({REPLAYED})
GROUP BY reason ORDER BY letters DESC, reason
"""
# The payload may be any bytes; as hexadecimal digits it passes every engine and client unchanged.
_COLUMNS = """l.received_at AS received_at, l.topic AS topic, l.partition AS partition, l.offset AS offset, l.reason AS reason,
    l.detail AS detail, l.size_bytes AS size_bytes, l.payload_hash AS payload_hash,
    toUInt64(length(l.payload)) AS kept_bytes"""
_REPLAYED_AT = f"""(
    SELECT {LETTER_KEY}, toNullable(max(at)) AS replayed_at FROM dead_letter_replays WHERE state = 'done' GROUP BY {LETTER_KEY}
) AS r ON l.topic = r.topic AND l.partition = r.partition AND l.offset = r.offset AND l.payload_hash = r.payload_hash"""
# The page is found first, without the payloads: there may be millions.
LETTERS = f"""
SELECT {_COLUMNS}, {{payload}} AS payload_hex, r.replayed_at AS replayed_at
FROM dead_letters AS l LEFT JOIN {_REPLAYED_AT}
WHERE (l.received_at, l.topic, l.partition, l.offset, l.payload_hash) IN (
    SELECT l.received_at, l.topic, l.partition, l.offset, l.payload_hash
    FROM dead_letters AS l LEFT JOIN {_REPLAYED_AT}
    WHERE {{where}}
    ORDER BY l.received_at DESC, l.topic, l.partition, l.offset LIMIT {{{{most:UInt64}}}} OFFSET {{{{skip:UInt64}}}})
ORDER BY received_at DESC, topic, partition, offset
"""
# In the order of the table's key, so that a page reads only its own rows.
OPEN_LETTERS = f"""
SELECT {_COLUMNS}, hex(l.payload) AS payload_hex, CAST(NULL AS Nullable(DateTime64(3, 'UTC'))) AS replayed_at
FROM dead_letters AS l
WHERE {{where}} AND (l.topic, l.partition, l.offset, l.payload_hash) NOT IN ({REPLAYED}){{after}}
ORDER BY l.reason, l.received_at, l.topic, l.partition, l.offset, l.payload_hash
LIMIT 1 BY l.topic, l.partition, l.offset, l.payload_hash LIMIT {{{{most:UInt64}}}}
"""
LETTERS_OF = f"""
SELECT {_COLUMNS}, hex(l.payload) AS payload_hex, CAST(NULL AS Nullable(DateTime64(3, 'UTC'))) AS replayed_at
FROM dead_letters AS l
WHERE (l.topic, l.partition, l.offset, l.payload_hash) IN (SELECT arrayJoin(arrayZip(
    {{topics:Array(String)}}, {{partitions:Array(Int32)}}, {{offsets:Array(Int64)}}, {{hashes:Array(UInt64)}})))
ORDER BY l.topic, l.partition, l.offset, l.payload_hash
LIMIT 1 BY l.topic, l.partition, l.offset, l.payload_hash
"""
_AFTER = """
    AND (l.reason > {after_reason:String} OR l.reason = {after_reason:String} AND (
        l.received_at > {after_at:DateTime64(3, 'UTC')} OR l.received_at = {after_at:DateTime64(3, 'UTC')}
        AND (l.topic, l.partition, l.offset, l.payload_hash)
            > ({after_topic:String}, {after_partition:Int32}, {after_offset:Int64}, {after_hash:UInt64})))"""
LONGEST_PAYLOAD = "SELECT toUInt64(max(length(payload))) AS bytes FROM dead_letters"
_SCHEMA = pa.schema(
    [
        pa.field("received_at", TS_TYPE),
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        *(pa.field(name, pa.string()) for name in ("reason", "detail")),
        pa.field("payload", pa.binary()),
        pa.field("size_bytes", pa.uint64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which letters; what is None asks for nothing.

    Attributes
    ----------
    start, end : datetime or None
        Of the time at which they were received, half open.
    replayed : bool or None
        Only those that were replayed, or only those that were not.
    """

    reason: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    replayed: bool | None = None
    without_reasons: tuple[str, ...] = ()
    without_topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLetter:
    """A letter as it is kept.

    Attributes
    ----------
    letter : DeadLetter
        Its payload is empty where it was not asked for.
    kept_bytes : int
        Bytes that are kept of it; fewer than its size when it was cut.
    payload_hash : int
        With the coordinates the letter's identity.
    replayed_at : datetime or None
        When it was written to the calls.
    """

    letter: DeadLetter
    kept_bytes: int
    payload_hash: int
    replayed_at: datetime | None = None

    @property
    def cut(self) -> bool:
        """Whether a part of its bytes is gone."""
        return self.kept_bytes < self.letter.size_bytes

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Its identity: topic, partition, offset and hash of the bytes."""
        return self.letter.topic, self.letter.partition, self.letter.offset, self.payload_hash


def write_dead_letters(store: Store, letters: Sequence[DeadLetter], *, token: str | None = None) -> None:
    """Keep letters; with a `token` a repeat of the same batch writes nothing."""
    if letters:
        store.insert("dead_letters", items_table(_SCHEMA, letters), token=token)


def count_dead_letters(store: Store, start: datetime | None = None) -> pd.DataFrame:
    """Letters received since `start` (ever, without it) and not replayed: `reason` (`str`), `letters` (`int64`), most first."""
    replayed = store.arrow(ANY_REPLAYED).column("marks")[0].as_py()
    sql = COUNT_OPEN if replayed else COUNT_ALL  # the second reads one small column
    return with_labels(store.frame(sql, {"start": start or datetime(1970, 1, 1, tzinfo=UTC)}), ["reason"])


def read_dead_letters(store: Store, limit: int, reason: str | None = None) -> list[DeadLetter]:
    """The newest letters with their bytes, newest first; with a `reason` only those."""
    return [one.letter for one in find_dead_letters(store, LetterFilter(reason=reason), limit, payload=True)]


def find_dead_letters(
    store: Store, wanted: LetterFilter, limit: int, *, skip: int = 0, payload: bool = False
) -> list[StoredLetter]:
    """Letters, newest first, from the `skip`-th on; their bytes only when asked for."""
    where, params = _where(wanted)
    if wanted.replayed is not None:
        where += " AND isNotNull(replayed_at)" if wanted.replayed else " AND isNull(replayed_at)"
    sql = LETTERS.format(where=where, payload="hex(l.payload)" if payload else "''")
    return [_stored(row) for row in store.arrow(sql, {**params, "most": limit, "skip": skip}).to_pylist()]


def open_dead_letters(store: Store, wanted: LetterFilter, limit: int, after: StoredLetter | None = None) -> list[StoredLetter]:
    """Letters that were not replayed, with their bytes, each once, by reason and time from the one after `after` on.

    A record that was rejected twice may come again on a later page, if it is not replayed until then.
    """
    where, params = _where(wanted)
    if after is not None:
        names = ("after_topic", "after_partition", "after_offset", "after_hash")
        params |= dict(zip(names, after.key, strict=True))
        params |= {"after_reason": after.letter.reason, "after_at": after.letter.received_at}
    sql = OPEN_LETTERS.format(where=where, after="" if after is None else _AFTER)
    return [_stored(row) for row in store.arrow(sql, {**params, "most": limit}).to_pylist()]


def letters_of(store: Store, keys: Sequence[tuple[str, int, int, int]]) -> list[StoredLetter]:
    """The letters of these keys, with their bytes, each once."""
    params: dict[str, Value] = {
        "topics": [key[0] for key in keys],
        "partitions": [key[1] for key in keys],
        "offsets": [key[2] for key in keys],
        "hashes": [key[3] for key in keys],
    }
    return [_stored(row) for row in store.arrow(LETTERS_OF, params).to_pylist()]


def longest_payload(store: Store) -> int:
    """Most bytes that are kept of any letter."""
    return int(store.arrow(LONGEST_PAYLOAD).column("bytes")[0].as_py())


def _where(wanted: LetterFilter) -> tuple[str, dict[str, Value]]:
    conditions = {
        "reason": "l.reason = {reason:String}",
        "topic": "l.topic = {topic:String}",
        "partition": "l.partition = {partition:Int32}",
        "offset": "l.offset = {offset:Int64}",
        "start": "l.received_at >= {start:DateTime64(3, 'UTC')}",
        "end": "l.received_at < {end:DateTime64(3, 'UTC')}",
    }
    params: dict[str, Value] = {name: getattr(wanted, name) for name in conditions if getattr(wanted, name) is not None}
    parts = ["1", *(conditions[name] for name in params)]
    if wanted.without_reasons:
        parts.append("l.reason NOT IN {without:Array(String)}")
        params["without"] = list(wanted.without_reasons)
    if wanted.without_topics:
        parts.append("l.topic NOT IN {without_topics:Array(String)}")
        params["without_topics"] = list(wanted.without_topics)
    return " AND ".join(parts), params


def _stored(row: dict[str, Any]) -> StoredLetter:
    letter = DeadLetter(
        received_at=moment(row["received_at"]),
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        reason=row["reason"],
        detail=row["detail"],
        payload=bytes.fromhex(row["payload_hex"]),
        size_bytes=row["size_bytes"],
    )
    return StoredLetter(
        letter=letter,
        kept_bytes=row["kept_bytes"],
        payload_hash=row["payload_hash"],
        replayed_at=moment_or_none(row["replayed_at"]),
    )
