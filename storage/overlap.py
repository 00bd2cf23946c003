"""Calls in flight from the calls themselves: how long each was in flight in which span of time.

Little's law over a minute takes calls to be short against it. Calls of an LLM last as long: those that began in a minute are
not those that were in flight in it.
"""

from datetime import datetime

import pandas as pd

from core.series import ALL_CALLS, Selector
from storage.contract import Store
from storage.frames import at_epoch_s, epoch_s, times_of
from storage.selection import matching

LONGEST_S = 3600
"""What lasts longer is counted as if it had ended here."""

_OVERLAP = """
SELECT slot AS step_at, sum(in_flight_ms) / {width:Float64} AS concurrency, countIf(ends) * 1000 / {width:Float64} AS tps,
    toInt64(countIf(ends)) AS calls
FROM (
    SELECT toUnixTimestamp64Milli(t.ts) AS begin_ms,
        begin_ms + toInt64(least(ifNull(t.latency_ms, 0), {longest:Float64})) AS end_ms,
        arrayJoin(range(toUInt64(intDiv(begin_ms, {step:Int64})), toUInt64(intDiv(end_ms, {step:Int64}) + 1))) AS slot,
        least(end_ms, (toInt64(slot) + 1) * {step:Int64}) - greatest(begin_ms, toInt64(slot) * {step:Int64}) AS in_flight_ms,
        toInt64(slot) = intDiv(end_ms, {step:Int64}) AS ends
    FROM calls AS t
    WHERE t.ts >= {first:DateTime64(3, 'UTC')} AND t.ts < {end:DateTime64(3, 'UTC')} AND t.latency_ms IS NOT NULL<SELECTED>
)
WHERE slot >= {from:Int64} AND slot < {to:Int64}
GROUP BY slot ORDER BY slot
"""


def read_overlap(store: Store, start: datetime, end: datetime, step_s: int, selector: Selector = ALL_CALLS) -> pd.DataFrame:
    """Calls in flight and calls that ended, by step; only steps that calls touch, of the whole steps in [start, end).

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`), `concurrency` (mean number in flight), `tps` (calls that ended, a second) and
    `calls` (`int64`, those). Calls of unknown latency are left out.
    """
    first, last = -(-epoch_s(start) // step_s), epoch_s(end) // step_s
    selected, labels = matching(selector, "t")
    rows = store.frame(
        _OVERLAP.replace("<SELECTED>", selected),
        {
            "first": at_epoch_s(first * step_s - LONGEST_S),
            "end": at_epoch_s(last * step_s),
            "from": first,
            "to": last,
            "step": step_s * 1000,
            "width": step_s * 1000.0,
            "longest": LONGEST_S * 1000.0,
            **labels,
        },
    )
    numbers = {"concurrency": "float64", "tps": "float64", "calls": "int64"}
    return pd.DataFrame({"ts": times_of(rows["step_at"].to_numpy("int64") * step_s), **rows[list(numbers)].astype(numbers)})
