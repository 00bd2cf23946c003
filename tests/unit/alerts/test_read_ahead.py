"""A stretch read ahead answers as single reads do, and seldom asks."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from alerts.absence import spans_of
from alerts.read_ahead import ReadAhead, Span
from alerts.repository import WindowQuery
from core.config import AbsenceRule
from core.series import ALL_CALLS, Selector
from tests.unit.alerts.memory import MINUTE, START

CALLS = {"shop": range(0, 500, 2), "chat": range(120, 160), "old": range(-1500, -1380)}
"""Minutes after `START` with a call, by service."""


class Reader:
    """Reads as the store does: of what has no call in a span there is no row."""

    def __init__(self) -> None:
        self.reads = 0

    def spans(self, metric: str, spans: Sequence[Span], selector: Selector, by: tuple[str, ...], unit_s: int) -> pd.DataFrame:
        self.reads += 1
        rows = [
            (number, name, float(calls), 1.0)
            for name, minutes in CALLS.items()
            for number, (start, end) in enumerate(spans)
            if (calls := _calls(minutes, start, end))
        ]
        return pd.DataFrame(rows, columns=["span", "service", "calls", "value"]).sort_values(["service", "span"])

    def windows(self, query: WindowQuery) -> pd.DataFrame:
        self.reads += 1
        ends = [query.first_end + step * MINUTE for step in range((query.last_end - query.first_end) // MINUTE + 1)]
        rows = [
            (end, name, 1.0, _calls(minutes, end - query.window, end))
            for name, minutes in CALLS.items()
            if any(_calls(minutes, end - query.window, end) for end in ends)
            for end in ends
        ]
        return pd.DataFrame(rows, columns=["end", "service", "value", "calls"])


def _calls(minutes: range, start: datetime, end: datetime) -> int:
    return sum(start <= START + minute * MINUTE < end for minute in minutes)


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    columns = list(other.columns)
    return one[columns].reset_index(drop=True).equals(other.reset_index(drop=True))


def test_spans_are_those_of_single_reads_and_few_reads_bring_them() -> None:
    rule = AbsenceRule(kind="absence", name="none", by=("service",), window=timedelta(minutes=5))
    reader, single = Reader(), Reader()
    ahead = ReadAhead(reader.spans, reader.windows)
    for number in (*range(0, 100, 7), 100, 115, 116, 3):
        spans = spans_of(rule, START + number * MINUTE)
        asked = ("tps", spans, ALL_CALLS, ("service",), 60)
        assert same(ahead.spans(*asked), single.spans(*asked)), number
    assert reader.reads == 3, "two stretches, and one for the step back"


def test_seconds_are_asked_every_five() -> None:
    reader = Reader()
    ahead = ReadAhead(reader.spans, reader.windows)
    for number in range(20):
        end = START + number * timedelta(seconds=5)
        ahead.spans("error_rate", [(end - MINUTE, end)], ALL_CALLS, (), 1)
    assert reader.reads == 1
    ahead.spans("error_rate", [(START, START + timedelta(seconds=63))], ALL_CALLS, (), 1)
    assert reader.reads == 2


def test_windows_are_those_of_single_reads_and_know_no_series_to_come() -> None:
    reader, single = Reader(), Reader()
    ahead = ReadAhead(reader.spans, reader.windows)
    for number in range(100, 200):
        query = WindowQuery(
            metric="tps", selector=ALL_CALLS, by=("service",), window=3 * MINUTE,
            first_end=START + (number - 15) * MINUTE, last_end=START + number * MINUTE,
        )  # fmt: skip
        assert same(ahead.windows(query), single.windows(query)), number
    assert reader.reads == 2
