"""Selections that are still learning: too young for a baseline, as the last building of baselines found them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
import pyarrow as pa

from core.record import TS_TYPE
from core.series import Selector
from core.types import Learning
from storage.contract import Store
from storage.frames import frame_table, moment
from storage.sequence import next_seq

LATEST = """
SELECT at, selector, have_h, need_h FROM learning
WHERE (epoch, seq) = (SELECT max((epoch, seq)) FROM learning) AND need_h > 0
ORDER BY have_h DESC, selector
"""
_SCHEMA = pa.schema(
    [
        pa.field("at", TS_TYPE),
        pa.field("selector", pa.string()),
        *(pa.field(name, pa.float64()) for name in ("have_h", "need_h")),
        *(pa.field(name, pa.uint64()) for name in ("epoch", "seq")),
    ]
)
_HOUR = timedelta(hours=1)


def write_learning(store: Store, learning: Sequence[Learning], at: datetime, epoch: int) -> None:
    """Replace what was noted before; that nobody learns is noted as well."""
    rows = [(str(one.selector), one.have_h, one.need_h) for one in learning] or [("", 0.0, 0.0)]
    frame = pd.DataFrame(rows, columns=["selector", "have_h", "need_h"])
    store.insert("learning", frame_table(_SCHEMA, frame, at=at, epoch=epoch, seq=next_seq()))


def read_learning(store: Store, now: datetime) -> list[Learning]:
    """The selections that learn, the oldest first; what they have grows with the time since it was noted."""
    found = []
    for row in store.arrow(LATEST).to_pylist():
        since_h = max((now - moment(row["at"])) / _HOUR, 0.0)
        found.append(
            Learning(
                selector=Selector.parse(row["selector"]),
                have_h=min(row["have_h"] + since_h, row["need_h"]),
                need_h=row["need_h"],
            )
        )
    return found
