"""Reads of a replay, a stretch ahead: what a rule will ask minute after minute comes in one read.

The answers are those of single reads, but for one thing: of a series that reports a metric later in the stretch, windows before
that without a call count as 0 already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd

from alerts.live import STEP
from alerts.repository import WindowQuery
from alerts.windows import MINUTE
from core.series import Selector

STRETCH = timedelta(minutes=60)
_STRETCH_OF_SECONDS = timedelta(minutes=15)

Span = tuple[datetime, datetime]
ReadSpans = Callable[[str, Sequence[Span], Selector, tuple[str, ...], int], pd.DataFrame]
ReadWindows = Callable[[WindowQuery], pd.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shifted:
    """Answers to one question, asked again and again `step` later; those that are missing are empty."""

    first: datetime
    step: timedelta
    count: int
    answers: dict[int, pd.DataFrame]
    empty: pd.DataFrame

    def at(self, moment: datetime) -> pd.DataFrame | None:
        number, rest = divmod(moment - self.first, self.step)
        return self.answers.get(number, self.empty) if not rest and 0 <= number < self.count else None


class ReadAhead:
    """Keeps one stretch of each question. Not for several threads."""

    def __init__(self, spans: ReadSpans, windows: ReadWindows) -> None:
        self._read_spans, self._read_windows = spans, windows
        self._spans: dict[object, _Shifted] = {}
        self._windows: dict[object, tuple[WindowQuery, pd.DataFrame]] = {}

    def spans(self, metric: str, spans: Sequence[Span], selector: Selector, by: tuple[str, ...], unit_s: int) -> pd.DataFrame:
        """As `Repository.spans`."""
        at = spans[0][1]
        question = (metric, selector, by, unit_s, tuple((start - at, end - at) for start, end in spans))
        held = self._spans.get(question)
        found = held.at(at) if held is not None else None
        if found is not None:
            return found
        step, stretch = (MINUTE, STRETCH) if unit_s >= MINUTE.total_seconds() else (STEP, _STRETCH_OF_SECONDS)
        count = stretch // step
        asked = [(start + number * step, end + number * step) for number in range(count) for start, end in spans]
        frame = self._read_spans(metric, asked, selector, by, unit_s)
        number, span = frame["span"] // len(spans), frame["span"] % len(spans)
        answers = {int(key): rows for key, rows in frame.assign(span=span).groupby(number, sort=False)}
        held = _Shifted(first=at, step=step, count=count, answers=answers, empty=frame.iloc[:0])
        self._spans[question] = held
        return answers.get(0, held.empty)

    def windows(self, query: WindowQuery) -> pd.DataFrame:
        """As `Repository.windows`."""
        question = (query.metric, query.selector, query.by, query.window)
        held = self._windows.get(question)
        if held is None or query.first_end < held[0].first_end or query.last_end > held[0].last_end:
            ahead = replace(query, last_end=query.last_end + STRETCH)
            held = self._windows[question] = (ahead, self._read_windows(ahead))
        frame = held[1]
        asked = frame[(frame["end"] >= query.first_end) & (frame["end"] <= query.last_end)]
        if not query.by:
            return asked
        # A series that has no call in any of these windows is not there yet, or no more.
        return asked[asked.groupby(list(query.by))["calls"].transform("sum") > 0]
