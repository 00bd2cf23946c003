"""What a detector must remember between minutes, as JSON; the latest state holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from core.record import TS_TYPE
from storage.contract import Store
from storage.frames import EVENT_FIELDS, items_table
from storage.sequence import next_seq

# The two numbers are found first, so that only one state is read: states are large and written each minute.
LATEST_STATE = """
WITH
    (SELECT max(epoch) FROM detector_state WHERE detector = {detector:String}) AS latest_epoch,
    (SELECT max(seq) FROM detector_state WHERE detector = {detector:String} AND epoch = latest_epoch) AS latest_seq
SELECT state FROM detector_state WHERE detector = {detector:String} AND epoch = latest_epoch AND seq = latest_seq
"""
# Of one that is written by the hour and read after a restart: of the states of a time, the one that was written last.
STATE_BEFORE = """
SELECT state FROM detector_state
WHERE detector = {detector:String} AND at <= {before:DateTime64(3, 'UTC')}
ORDER BY at DESC, epoch DESC, seq DESC LIMIT 1
"""
_SCHEMA = pa.schema([pa.field("detector", pa.string()), pa.field("at", TS_TYPE), pa.field("state", pa.string()), *EVENT_FIELDS])


def write_state(store: Store, detector: str, at: datetime, state: Mapping[str, Any], epoch: int) -> None:
    """Keep the state after the minute `at` was judged. NaN inside comes back as None: JSON has none.

    States written more than 7 days ago may be gone at any time.
    """
    text = orjson.dumps(dict(state), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    rows = items_table(_SCHEMA, [state], detector=[detector], at=[at], state=[text], epoch=[epoch], seq=[next_seq()])
    store.insert("detector_state", rows)


def read_state(store: Store, detector: str) -> dict[str, Any] | None:
    """The latest state of a detector; None if there is none."""
    rows = store.arrow(LATEST_STATE, {"detector": detector}).column("state").to_pylist()
    if not rows:
        return None
    state: dict[str, Any] = orjson.loads(rows[0])
    return state


def read_state_before(store: Store, detector: str, before: datetime) -> dict[str, Any] | None:
    """The newest state of a detector that is of no later minute than `before`; None if there is none."""
    rows = store.arrow(STATE_BEFORE, {"detector": detector, "before": before}).column("state").to_pylist()
    return orjson.loads(rows[0]) if rows else None
