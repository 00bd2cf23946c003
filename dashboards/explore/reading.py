"""What the explore page reads: each part as a frame, which is drawn, and given away as a file, as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pandas as pd

from core.clock import floor_to
from core.series import METRICS
from dashboards import queries
from dashboards.cards import NotShownError
from dashboards.context import Web
from dashboards.explore.asked import Asked
from dashboards.window import Window
from storage.breakdowns import breakdown, read_breakdown, read_totals, single_calls_of
from storage.steps import Question

Combination = tuple[str, ...]

MOST_CALLS = 5_000_000
"""Single calls that one question may read, where no rollup has what is asked: under a second on two cores."""

TABLE: tuple[str, ...] = ("tps", "error_rate", "latency_p50", "latency_p90", "latency_p95", "latency_p99")
WEEKS = timedelta(days=28)
OTHERS, ALL = "others", "all of these"
_ADDS_UP = frozenset({"tps", "bytes_per_s", "tokens_per_s", "cost_per_h", "concurrency"})
_NOTHING = 1e-9
"""What is left of a sum of floats when all its parts are taken away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a chart: a combination's values over time; `values` is empty for the rest and for all."""

    name: str
    values: Combination
    frame: pd.DataFrame


def read_table(web: Web, asked: Asked) -> pd.DataFrame:
    """`*by`, `calls`, the metrics of `TABLE` and the asked one; with a comparison `before` too. The first `top`, best first."""
    now = _totals(web, asked, asked.window)
    if asked.before is not None:
        earlier = _totals(web, asked, _earlier(asked.window, asked.before))
        found = earlier[[*asked.by, asked.metric]].rename(columns={asked.metric: "before"})
        whole = float(found["before"].iloc[0]) if len(found) else float("nan")
        now = now.merge(found, on=list(asked.by), how="left") if asked.by else now.assign(before=whole)
    if asked.by_value:
        now = now.sort_values(asked.metric, ascending=False, na_position="last", kind="stable")
    columns = dict.fromkeys((*asked.by, "calls", asked.metric, *(["before"] if asked.before else []), *TABLE))
    return now[list(columns)].head(asked.top).reset_index(drop=True)


def read_lines(web: Web, asked: Asked) -> list[Row]:
    """The busiest combinations over time, then what is left of all calls, or all of them where values do not add up."""
    total = _steps(web, asked, asked.window, ())
    rows: list[Row] = []
    if asked.by:
        best = [tuple(values) for values in read_table(web, asked)[list(asked.by)].to_numpy().tolist()]
        found = _split(web, asked, best)
        rows = [Row(name=" · ".join(v or "(none)" for v in values), values=values, frame=found[values]) for values in best]
        adds_up = asked.metric in _ADDS_UP
        rest = _rest(total, [row.frame for row in rows]) if adds_up else total
        if not adds_up or (rest["value"] > _NOTHING).any():
            rows.append(Row(name=OTHERS if adds_up else ALL, values=(), frame=rest))
    else:
        rows.append(Row(name=asked.selector.words, values=(), frame=total))
    if asked.before is not None:
        earlier = _steps(web, asked, _earlier(asked.window, asked.before), ())
        rows.append(Row(name="", values=(), frame=earlier.assign(ts=earlier["ts"] + asked.before)))
    return rows


def read_week(web: Web, asked: Asked) -> pd.DataFrame:
    """`weekday` (0: Monday), `hour`, `value`: the median of up to four weeks, in the page's time zone."""
    end = floor_to(queries.known_until(web, asked.window), timedelta(hours=1))
    window = Window(start=end - WEEKS, end=end, step_s=3600)
    frame = _steps(web, asked, window, ())
    local = frame["ts"].dt.tz_convert(web.zone)
    grouped = frame["value"].groupby([local.dt.day_of_week.rename("weekday"), local.dt.hour.rename("hour")]).median()
    return grouped.reset_index()


def checked(web: Web, question: Question) -> Question:
    """The question, where it may be asked. Raises NotShownError."""
    calls = single_calls_of(web.store, question)
    if calls > MOST_CALLS:
        together = " with ".join(question.dimensions)
        raise NotShownError(
            f"{together} is known of single calls only, and this window has {calls:,}; at most {MOST_CALLS:,} are read. "
            "Choose a shorter window or fewer dimensions."
        )
    return question


def _totals(web: Web, asked: Asked, window: Window) -> pd.DataFrame:
    """Everything of a window by combination, busiest first; rates are per second of what is known of it."""
    metrics = tuple(dict.fromkeys((*TABLE, asked.metric)))
    start, end = window.start, queries.known_until(web, window)
    first = queries.freshness(web).first
    seconds = (end - max(start, min(first or start, end))).total_seconds()

    def ask() -> pd.DataFrame:
        question = checked(web, breakdown(
            web.store, start, end, window.step_s, metrics, by=asked.by, selector=asked.selector
        ))  # fmt: skip
        return read_totals(web.store, question, seconds)

    key = ("totals", start, end, window.step_s, metrics, asked.by, asked.selector)
    return web.cache.get(key, queries.keep_s(window), ask)


def _steps(web: Web, asked: Asked, window: Window, among: Sequence[Combination]) -> pd.DataFrame:
    """`ts`, `value` of all calls of the selection, dense."""
    found = _sparse(web, asked, window, ())
    return _dense(web, asked, window, found)


def _split(web: Web, asked: Asked, combinations: Sequence[Combination]) -> dict[Combination, pd.DataFrame]:
    """The same for each combination."""
    found = _sparse(web, asked, asked.window, tuple(combinations))
    groups: dict[Any, pd.DataFrame] = dict(list(found.groupby(list(asked.by), sort=False))) if len(found) else {}
    empty = found.iloc[:0]
    return {values: _dense(web, asked, asked.window, groups.get(values, empty)) for values in combinations}


def _sparse(web: Web, asked: Asked, window: Window, among: tuple[Combination, ...]) -> pd.DataFrame:
    by = asked.by if among else ()
    end = queries.known_until(web, window)

    def ask() -> pd.DataFrame:
        question = breakdown(
            web.store, window.start, end, window.step_s, (asked.metric,), by=by, selector=asked.selector, among=among
        )
        return read_breakdown(web.store, checked(web, question))[["ts", *by, asked.metric]]

    key = ("steps", window.start, end, window.step_s, asked.metric, by, asked.selector, among)
    return web.cache.get(key, queries.keep_s(window), ask)


def _dense(web: Web, asked: Asked, window: Window, found: pd.DataFrame) -> pd.DataFrame:
    """Every whole step of the window; without a call rates are 0 where the data reach, and all else is unknown."""
    steps = pd.date_range(window.start, queries.known_until(web, window), freq=window.step, inclusive="left").as_unit("ms")
    values = found.set_index("ts")[asked.metric].reindex(steps)
    frame = pd.DataFrame({"ts": steps, "value": values.to_numpy(dtype=float)})
    first = queries.freshness(web).first
    if METRICS[asked.metric].zero_when_idle and first is not None and frame["value"].notna().any():
        idle = ~steps.isin(found["ts"]) & (steps >= pd.Timestamp(first))
        frame["value"] = frame["value"].mask(idle, 0.0)
    return queries.without_cut_step(frame, asked.metric, window.step_s, first)


def _rest(total: pd.DataFrame, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    known = sum(part["value"].fillna(0.0) for part in parts)
    return total.assign(value=(total["value"] - known).clip(lower=0.0))


def _earlier(window: Window, before: timedelta) -> Window:
    return replace(window, start=window.start - before, end=window.end - before, last=None)
