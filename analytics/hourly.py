"""Which finished hours have to be made, or made again: those of which the minutes know more calls than the hours do."""

from datetime import datetime, timedelta

import pandas as pd

from analytics.reading import SCOPES
from core.clock import floor_to
from storage.contract import Store
from storage.hours import read_hours, read_hours_by
from storage.series import data_span, read_panel

BY_MODEL = ("provider", "model")
SCOPES_OF_HOURS = (*SCOPES[1:], BY_MODEL, SCOPES[0])
"""Selections that have hours: the same that are judged; forecasts and long views read them. All traffic is written last: an
hour that it holds is complete, whatever interrupted the job."""

_HOUR = timedelta(hours=1)
_LOOK_BACK = timedelta(days=2)
_MOST_AT_ONCE = timedelta(days=7)
_MOST_CALLS = 16_000_000
"""Of a span that is made at once. Rollups lie in the order of their dimensions: whatever the span, a question reads nearly all
of a large table, so that spans are as long as a statement of a job has time for."""
_HALF_HOUR_S = 1800


def stale_hours(store: Store, cursor: datetime | None, end: datetime) -> list[tuple[datetime, datetime]]:
    """Spans [first, last) of whole hours before `end` to be made, newest first, for these are looked at first.

    Each has an hour, or as many as have some million calls, a week at most: whatever stops the job, what it made is kept.

    Everything that the minute rollups hold is compared once an hour (an import may bring any of it), the last two days each
    time.
    """
    span = data_span(store)
    if span is None:
        return []
    first = floor_to(span[0], _HOUR)
    if cursor is not None and cursor >= end:
        first = max(first, end - _LOOK_BACK)
    if first >= end:
        return []
    # Half hours are answered by the minute rollups alone; whole hours would have the table `hours` mixed in.
    minutes = read_panel(store, first, end, _HALF_HOUR_S, (), ("tps",))
    known = minutes.groupby(minutes["ts"].dt.floor("h"))["calls"].sum()
    # All traffic is written last, but for hours that were made before those by model were: these are made once more.
    hours = read_hours(store, "tps", first, end).set_index("ts")["calls"].reindex(known.index, fill_value=0)
    by_model = read_hours_by(store, "tps", first, end, BY_MODEL).groupby("ts")["calls"].sum()
    made = hours.where(hours != known, by_model.reindex(known.index, fill_value=0))
    return _spans(known[known.to_numpy() > made.to_numpy()])[::-1]


def _spans(calls: "pd.Series[int]") -> list[tuple[datetime, datetime]]:
    """Runs of hours, oldest first; small gaps are made along. `calls` of each hour (index) say where a run is cut."""
    spans: list[tuple[datetime, datetime]] = []
    held = 0
    for stamp, count in zip(pd.DatetimeIndex(calls.index), calls.to_list(), strict=True):
        hour = stamp.to_pydatetime()
        near = bool(spans) and hour - spans[-1][1] <= _HOUR and hour - spans[-1][0] < _MOST_AT_ONCE
        if near and held + count <= _MOST_CALLS:
            spans[-1] = (spans[-1][0], hour + _HOUR)
            held += count
        else:
            spans.append((hour, hour + _HOUR))
            held = count
    return spans
