"""Samples: leading indicators that no call carries (queue depth, instance counts, provider quotas), one row a value."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import pandas as pd
import pyarrow as pa

from core.record import IDENTITY_FIELDS, TS_TYPE
from storage.contract import Store, Value
from storage.frames import at_epoch_s, epoch_s, times_of, with_labels

SAMPLE_FIELDS: tuple[pa.Field, ...] = (
    pa.field("ts", TS_TYPE, nullable=False),
    pa.field("name", pa.string(), nullable=False),
    pa.field("labels", pa.map_(pa.string(), pa.string()), nullable=False),
    pa.field("value", pa.float64(), nullable=False),
)
"""What is said of a resource; labels are sorted by their names, so that like ones are equal."""

SAMPLE_SCHEMA = pa.schema((*SAMPLE_FIELDS, *IDENTITY_FIELDS))
"""A batch of samples; (topic, partition, offset, name) is a row's identity."""

Within = Literal["mean", "max", "min", "last", "sum"]
Across = Literal["sum", "mean", "max", "min"]

_WITHIN: dict[str, str] = {
    "mean": "avg(s.value)",
    "max": "max(s.value)",
    "min": "min(s.value)",
    "last": "argMax(s.value, (s.ts, s.offset))",
    "sum": "sum(s.value)",
}
_ACROSS: dict[str, str] = {"sum": "sum(value)", "mean": "avg(value)", "max": "max(value)", "min": "min(value)"}
NAMES = """
SELECT DISTINCT s.name AS name FROM samples AS s
WHERE s.ts >= {start:DateTime64(3, 'UTC')} AND s.ts < {end:DateTime64(3, 'UTC')} ORDER BY name LIMIT {most:UInt64}
"""


def insert_samples(store: Store, batch: pa.Table, *, token: str | None = None) -> None:
    """Write a batch (`SAMPLE_SCHEMA`) at once; with a `token` a repeat of the same batch writes nothing.

    Raises TypeError that names the column where the batch has not the columns of the schema with their types; and what
    `Store.insert` raises.
    """
    for field in SAMPLE_SCHEMA:
        if field.name not in batch.schema.names or batch.schema.field(field.name).type != field.type:
            raise TypeError(f"batch of samples: column {field.name!r} is missing or not {field.type}")
    if batch.num_rows:
        store.insert("samples", batch.select(SAMPLE_SCHEMA.names), token=token)


def read_samples(
    store: Store,
    name: str,
    start: datetime,
    end: datetime,
    step_s: int,
    *,
    labels: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
    within: Within = "mean",
    across: Across = "sum",
) -> pd.DataFrame:
    """One name over time, only steps that have samples.

    Within a step the values of each set of labels are folded by `within` (a queue's mean length), then those of all sets that
    agree in `by` by `across` (the queues of all instances added up).

    Parameters
    ----------
    start, end : datetime
        Half open; the step that holds `start` begins at a multiple of its width since 1970, as everywhere.
    labels : mapping, optional
        Only samples with these labels; the empty value stands for a label that is not there.
    by : sequence of str
        Labels to split by.

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`, start of the step), `*by` (`str`, empty where a sample lacks the label), `value`
    (`float64`) and `samples` (`int64`), sorted by (`*by`, `ts`).

    Raises ValueError for a step below 1 s.
    """
    if step_s < 1:
        raise ValueError(f"a step of {step_s} s is too short; ask for at least 1 s")
    places = range(len(by))
    keys = "".join(f", s.labels[{{by_{place}:String}}] AS label_{place}" for place in places)
    groups = "".join(f", label_{place}" for place in places)
    wanted = dict(labels or {})
    selected = "".join(f" AND s.labels[{{key_{at}:String}}] = {{label_{at}:String}}" for at in range(len(wanted)))
    sql = f"""SELECT step_at{groups}, {_ACROSS[across]} AS value, toInt64(sum(rows)) AS samples
    FROM (SELECT intDiv(toUnixTimestamp64Milli(s.ts), {{step:Int64}} * 1000) * {{step:Int64}} AS step_at{keys},
            s.labels AS labels, {_WITHIN[within]} AS value, count() AS rows
        FROM samples AS s
        WHERE s.name = {{name:String}} AND s.ts >= {{start:DateTime64(3, 'UTC')}}
            AND s.ts < {{end:DateTime64(3, 'UTC')}}{selected}
        GROUP BY step_at{groups}, labels)
    GROUP BY step_at{groups} ORDER BY {groups.removeprefix(", ") + ", " if groups else ""}step_at"""
    params: dict[str, Value] = {
        "name": name,
        "start": at_epoch_s(epoch_s(start) // step_s * step_s),
        "end": end,
        "step": step_s,
        **{f"by_{place}": by[place] for place in places},
        **{f"key_{at}": key for at, key in enumerate(wanted)},
        **{f"label_{at}": value for at, value in enumerate(wanted.values())},
    }
    rows = store.frame(sql, params)
    frame = pd.DataFrame({"ts": times_of(rows["step_at"])})
    for place in places:
        frame[by[place]] = rows[f"label_{place}"]
    return with_labels(frame, by).assign(value=rows["value"].astype("float64"), samples=rows["samples"].astype("int64"))


def sample_names(store: Store, start: datetime, end: datetime, limit: int = 1_000) -> list[str]:
    """The names that have samples in the span, in order."""
    rows = store.arrow(NAMES, {"start": start, "end": end, "most": limit})
    return [str(name) for name in rows.column("name").to_pylist()]
