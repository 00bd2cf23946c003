"""Batches of calls that came by POST, under the names by which a repeat finds them."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from core.record import TS_TYPE
from storage.contract import Store
from storage.frames import EVENT_FIELDS, events_table, moment

BEGUN, DONE = "begun", "done"
LATEST_POST = """
SELECT topic, digest, state, arrived_at, answer FROM posts WHERE topic = {topic:String} ORDER BY epoch DESC, seq DESC LIMIT 1
"""
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("topic", "digest", "state")),
        pa.field("arrived_at", TS_TYPE),
        pa.field("answer", pa.string()),
        *EVENT_FIELDS,
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A batch and what became of it.

    Attributes
    ----------
    digest : str
        SHA-256 of its bytes: the same name with other bytes is a mistake of the sender.
    state : str
        `begun`, or `done` where everything of it is written.
    arrived_at : datetime
        When its first attempt came: its calls are judged by this time in every repeat.
    answer : str
        JSON, what its sender was told; empty until it is done.
    """

    topic: str
    digest: str
    state: str
    arrived_at: datetime
    answer: str = ""


def write_post(store: Store, post: Post) -> None:
    """Append the present state."""
    store.insert("posts", events_table(_SCHEMA, [post], 0))


def read_post(store: Store, topic: str) -> Post | None:
    """The latest state of a batch; None for one that never came."""
    rows = store.arrow(LATEST_POST, {"topic": topic}).to_pylist()
    return Post(**{**rows[0], "arrived_at": moment(rows[0]["arrived_at"])}) if rows else None
