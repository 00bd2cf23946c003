"""One metric over several spans of time at once, which may overlap: burn rates, the same hour a week ago."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from core.series import ALL_CALLS, Selector
from storage.by_time import choose
from storage.contract import Store, Value
from storage.frames import epoch_s, with_labels
from storage.rollups import Columns, formula, needed
from storage.selection import check_dimensions, matching
from storage.transaction_spans import transaction_spans

Span = tuple[datetime, datetime]
MINUTE_S = 60


def read_spans(
    store: Store,
    metric: str,
    spans: Sequence[Span],
    selector: Selector = ALL_CALLS,
    by: tuple[str, ...] = (),
    *,
    unit_s: int = MINUTE_S,
) -> pd.DataFrame:
    """A metric and its calls over each of `spans` (half open), in one read.

    Spans are of whole multiples of `unit_s`: minutes come from the rollups, seconds from `calls_1s` where it has what is asked,
    else from the single calls.

    Returns
    -------
    DataFrame with `span` (`int64`: its number), `*by` (`str`), `calls` (`float64`) and `value` (`float64`, the metric's unit,
    rates over the length of the first span; NaN where unknown); combinations without a call in a span have no row for it.

    Raises ValueError for an unknown metric or dimension.
    """
    if selector.transaction:
        return transaction_spans(store, metric, spans, selector)
    check_dimensions(by)
    columns = needed((metric,))
    dimensions = tuple(sorted({*by, *selector.dimensions}))
    source = choose(store, dimensions, columns, unit_s, min(epoch_s(start) for start, _ in spans))
    where, labels = matching(selector, "t")
    names = ", ".join((*by, "span"))
    keys = "".join(f", t.{name} AS {name}" for name in by)
    sums = "".join(f", toFloat64({source.column(name)}) AS {name}" for name in columns)
    seconds = f"toInt64(toUnixTimestamp(t.{source.time}))"
    inside = f"{seconds} >= {{starts:Array(Int64)}}[nth + 1] AND {seconds} < {{ends:Array(Int64)}}[nth + 1]"
    # Said twice: this is what the primary key is searched by.
    whole = _joined(spans)
    read = " OR ".join(
        f"(t.{source.time} >= {{start{number}:DateTime('UTC')}} AND t.{source.time} < {{end{number}:DateTime('UTC')}})"
        for number in range(len(whole))
    )
    params: dict[str, Value] = {
        "starts": [epoch_s(start) for start, _ in spans], "ends": [epoch_s(end) for _, end in spans],
        "count": len(spans), **labels,
    }  # fmt: skip
    for number, (start, end) in enumerate(whole):
        params |= {f"start{number}": start, f"end{number}": end}
    sql = f"""SELECT toInt64(arrayJoin(arrayFilter(nth -> {inside}, range({{count:UInt64}})))) AS span{keys}{sums}
    FROM {source.table} AS t
    WHERE ({read}){where}
    GROUP BY {names} ORDER BY {names}"""
    rows = with_labels(store.frame(sql, params), by)
    found: Columns = {name: rows[name].to_numpy("float64") for name in columns}
    width_s = epoch_s(spans[0][1]) - epoch_s(spans[0][0])
    return rows[[*by, "span", "calls"]].assign(value=formula(metric).value(found, width_s))


def _joined(spans: Sequence[Span]) -> list[Span]:
    """The time that the spans cover, in order, each part once."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
