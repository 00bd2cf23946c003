"""What the overview's charts are compared with: the same time a day or a week before, or a baseline that was kept by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from core.series import Selector
from core.windows import CallWindow
from dashboards import queries
from dashboards.context import Web
from dashboards.window import Window
from render.parts import Line

PARAMETER = "compare"
SHIFTS: dict[str, tuple[str, timedelta]] = {
    "1d": ("the day before", timedelta(days=1)),
    "7d": ("the week before", timedelta(days=7)),
}
_NAMED = "baseline:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What to compare with, and what to say where that cannot be done.

    Attributes
    ----------
    shift : timedelta or None
        How far back the other time lies.
    frozen : CallWindow or None
        The baseline that was kept.
    """

    name: str
    shift: timedelta | None = None
    frozen: CallWindow | None = None
    words: str = ""


def options(web: Web) -> list[dict[str, str]]:
    """What can be chosen, for the page's control."""
    named = [{"label": f"baseline {name}", "value": f"{_NAMED}{name}"} for name in queries.frozen_names(web)]
    return [*({"label": words, "value": value} for value, (words, _) in SHIFTS.items()), *named]


def read_comparison(web: Web, query: Mapping[str, str], selector: Selector) -> Comparison | None:
    """What `compare` of a query names; None without it."""
    asked = query.get(PARAMETER, "")[:200]
    if not asked:
        return None
    if asked in SHIFTS:
        words, shift = SHIFTS[asked]
        return Comparison(name=words, shift=shift)
    name = asked.removeprefix(_NAMED)
    frozen = queries.frozen_baseline(web, name)
    if frozen is None:
        return Comparison(name=name, words=f"There is no baseline {name!r}; freeze one with tpscope baseline freeze.")
    if frozen.selector != selector or frozen.transaction:
        whose = f"transaction {frozen.transaction}" if frozen.transaction else frozen.selector.words
        return Comparison(name=name, words=f"Baseline {name} is of {whose}; choose the same calls to compare with it.")
    return Comparison(name=f"baseline {name}", frozen=frozen)


def earlier(web: Web, comparison: Comparison | None, metric: str, window: Window, selector: Selector) -> list[Line]:
    """The line that a chart of `metric` is compared with; none where nothing is known."""
    if comparison is None:
        return []
    if comparison.shift is not None:
        shift = comparison.shift
        before = Window(start=window.start - shift, end=window.end - shift, step_s=window.step_s)
        frame = queries.metric_frame(web, metric, before, selector, None)
        return [_line(comparison, frame.assign(ts=frame["ts"] + shift))]
    if comparison.frozen is None:
        return []
    value = level(comparison.frozen, metric)
    ends = pd.to_datetime([window.start, window.end - window.step], utc=True)
    return [] if np.isnan(value) else [_line(comparison, pd.DataFrame({"ts": ends, "value": [value, value]}))]


def _line(comparison: Comparison, frame: pd.DataFrame) -> Line:
    return Line(name=comparison.name, frame=frame, dash="solid", quiet=True)


def level(window: CallWindow, metric: str) -> float:
    """A metric over the whole of a kept window, in its unit; NaN where it was not kept or is unknown."""
    seconds = (window.end - window.start).total_seconds()
    found: Any = {
        "tps": lambda: window.calls.sum() / seconds,
        "error_rate": lambda: _ratio(window.errors.sum(), window.known.sum()),
        "tokens_per_s": lambda: window.tokens.sum() / seconds if window.tokens_known.sum() else np.nan,
        "cost_per_h": lambda: window.cost_usd.sum() / seconds * 3600 if window.priced.sum() else np.nan,
        "concurrency": lambda: window.calls.sum() / seconds * _mean_ms(window) / 1000,
        "latency_p95": lambda: _quantile_ms(window, 0.95),
    }.get(metric)
    return float(found()) if found is not None else float("nan")


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom else float("nan")


def _mean_ms(window: CallWindow) -> float:
    calls = window.latency_calls.sum(axis=0)
    return _ratio(float(calls @ window.latency_ms), float(calls.sum()))


def _quantile_ms(window: CallWindow, share: float) -> float:
    calls = window.latency_calls.sum(axis=0).cumsum()
    if not len(calls) or calls[-1] == 0:
        return float("nan")
    return float(window.latency_ms[int(np.searchsorted(calls, share * calls[-1]))])
