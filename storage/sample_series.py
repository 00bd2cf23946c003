"""Samples as series by the minute, one for each name and set of labels; and which of them came late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from storage.contract import Store, Value
from storage.frames import moment

MINUTES_OF_SAMPLES = """
SELECT name, labels, groupArray(minute) AS minutes, groupArray(mean) AS means
FROM (
    SELECT s.name AS name, s.labels AS labels, intDiv(toUnixTimestamp64Milli(s.ts), 60000) AS minute, avg(s.value) AS mean
    FROM samples AS s
    WHERE s.ts >= {start:DateTime64(3, 'UTC')} AND s.ts < {end:DateTime64(3, 'UTC')}
    GROUP BY name, labels, minute
)
GROUP BY name, labels ORDER BY name, toString(labels)
"""
# Each tick asks this of the last hours alone: a look at when samples were written must not read months of them.
FIRST_LATE_SAMPLE = """
SELECT min(s.ts) AS first, toInt64(count()) AS late
FROM samples AS s
WHERE s.ts >= {start:DateTime64(3, 'UTC')} AND s.ts < {end:DateTime64(3, 'UTC')}
    AND s.ingested_at >= {since:DateTime64(3, 'UTC')} AND s.ingested_at < {until:DateTime64(3, 'UTC')}
    AND toFloat64(s.ingested_at) > toFloat64(toUnixTimestamp(toStartOfMinute(s.ts))) + {wait_s:Float64}
"""
FIRST_SAMPLE = (
    "SELECT min(s.ts) AS first, toInt64(count()) AS rows FROM samples AS s WHERE s.ts >= {start:DateTime64(3, 'UTC')}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSeries:
    """The minutes of one series that have samples, ascending: whole minutes since 1970, and the mean of each."""

    name: str
    labels: Mapping[str, str]
    minutes: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]


def read_sample_series(store: Store, start: datetime, end: datetime) -> list[SampleSeries]:
    """Every series that has samples in the minutes of [start, end), in the order of names and labels."""
    found = []
    for row in store.arrow(MINUTES_OF_SAMPLES, {"start": start, "end": end}).to_pylist():
        minutes, means = np.array(row["minutes"], np.int64), np.array(row["means"], np.float64)
        order = np.argsort(minutes)
        found.append(SampleSeries(name=row["name"], labels=dict(row["labels"]), minutes=minutes[order], means=means[order]))
    return found


def first_sample(store: Store, since: datetime) -> datetime | None:
    """Time of the first sample from `since` on; None where there is none."""
    row = store.arrow(FIRST_SAMPLE, {"start": since}).to_pylist()[0]
    return moment(row["first"]) if row["rows"] else None


def first_late_sample(
    store: Store, start: datetime, end: datetime, wait: timedelta, since: datetime, until: datetime
) -> tuple[datetime, int] | None:
    """The first sample of [start, end) that came in [since, until), `wait` or more after its minute; how many did."""
    params: dict[str, Value] = {
        "start": start, "end": end, "since": since, "until": until, "wait_s": 60.0 + wait.total_seconds(),
    }  # fmt: skip
    row = store.arrow(FIRST_LATE_SAMPLE, params).to_pylist()[0]
    return (moment(row["first"]), int(row["late"])) if row["late"] else None
