"""Records that cannot be read: kept with where they came from, why, and as many of their bytes as configured."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate

import orjson

from core.types import DeadLetter
from ingest.batch import Batch
from ingest.formats import Reject

MAX_DETAIL = 300
"""Characters kept of a detail."""


def dead_letters(
    batch: Batch, rejects: Iterable[Reject], received_at: datetime, max_bytes: int, source: str = ""
) -> list[DeadLetter]:
    """One letter per reject of the batch, in order; `source` (a file's name) is put before the detail."""
    ends = list(accumulate(one.records for one in batch.slices))
    letters = []
    for reject in rejects:
        which = bisect_right(ends, reject.index)
        slice_ = batch.slices[which]
        index = reject.index - ends[which] + slice_.records
        payload = payload_of(slice_.values[index])
        detail = f"{source}: {reject.detail}" if source else reject.detail
        letters.append(
            DeadLetter(
                received_at=received_at,
                topic=slice_.partition.topic,
                partition=slice_.partition.number,
                offset=int(slice_.offsets[index]),
                reason=reject.reason,
                detail=detail if len(detail) <= MAX_DETAIL else detail[: MAX_DETAIL - 1] + "…",
                payload=payload[:max_bytes],
                size_bytes=len(payload),
            )
        )
    return letters


def payload_of(value: object) -> bytes:
    """The record's bytes; of a row that was read from a table, its JSON."""
    if isinstance(value, bytes):
        return value
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        return repr(value).encode(errors="replace")
