"""Calls that came after their minute was judged, by the time at which they were written."""

from datetime import datetime, timedelta

from core.series import Selector
from storage.contract import Store, Value
from storage.transaction_series import calls_matching


def count_late(
    store: Store, start: datetime, end: datetime, selector: Selector, wait: timedelta, since: datetime, until: datetime
) -> int:
    """Calls of a selection in the minutes of [start, end), written in [since, until) and `wait` or more after it."""
    selected, labels = calls_matching(store, selector)
    params: dict[str, Value] = {
        "start": start, "end": end, "since": since, "until": until, "wait_s": 60.0 + wait.total_seconds(), **labels,
    }  # fmt: skip
    found = store.arrow(
        f"""SELECT toInt64(count()) AS calls FROM calls AS t
        WHERE t.ts >= {{start:DateTime64(3, 'UTC')}} AND t.ts < {{end:DateTime64(3, 'UTC')}}
            AND t.ingested_at >= {{since:DateTime64(3, 'UTC')}} AND t.ingested_at < {{until:DateTime64(3, 'UTC')}}
            AND toFloat64(t.ingested_at) > toFloat64(toUnixTimestamp(toStartOfMinute(t.ts))) + {{wait_s:Float64}}{selected}""",
        params,
    )
    return int(found.column("calls")[0].as_py())
