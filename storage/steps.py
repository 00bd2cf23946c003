"""Metrics by step and combination of dimensions, sparse: only steps with calls. What series and panels are made of.

The smallest rollup with all dimensions answers. Where its history ends and the step is made of whole hours, the table `hours`
goes on; a peak that the second rollup no longer has is taken from the hours as well, and else from the single calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from core.series import ALL_CALLS, Selector
from storage.by_time import choose
from storage.contract import Store, Value
from storage.frames import at_epoch_s, with_labels
from storage.hours import HOUR_S, fold_hours, hour_rows
from storage.prices import PricedSpan, add_priced
from storage.rollups import CALLS, CALLS_1S, Columns, Floats, Rollup, formula, needed
from storage.selection import check_dimensions, matching, one_of

DAYS_OF_CALLS = "SELECT DISTINCT _partition_id AS day FROM calls"
DAYS_OF_SECONDS = "SELECT DISTINCT _partition_id AS day FROM calls_1s"
DAYS_OF_MINUTES = """
SELECT DISTINCT toString(toYYYYMMDD(minute)) AS day, toInt64(toUnixTimestamp(toStartOfDay(minute))) AS day_at
FROM route_1m WHERE minute >= {start:DateTime('UTC')} AND minute < {end:DateTime('UTC')}"""
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the steps that begin in [first_s, end_s), in seconds since 1970; first_s is a multiple of step_s.

    Calls at or after end_s are not counted, also when end_s cuts a step.

    Attributes
    ----------
    more : tuple of str
        Columns that are wanted beside those of the metrics.
    among : tuple of tuple of str
        Only these combinations of `by`; empty: all.
    hours_until_s : int or None
        What begins before it is asked of the table `hours` alone; None: of the rollups too, wherever they reach.
    """

    first_s: int
    end_s: int
    step_s: int
    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    selector: Selector = ALL_CALLS
    more: tuple[str, ...] = ()
    among: tuple[tuple[str, ...], ...] = ()
    hours_until_s: int | None = None

    def __post_init__(self) -> None:
        if self.step_s < 1:
            raise ValueError(f"a step of {self.step_s} s is too short; the shortest is 1 s")
        check_dimensions((*self.by, *self.selector.dimensions))

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(sorted({*self.by, *self.selector.dimensions}))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*needed(self.metrics), *self.more)))

    @property
    def keys(self) -> list[str]:
        return [*self.by, "step_at"]

    @property
    def rollups_from_s(self) -> int:
        """From where on the rollups are asked."""
        return max(self.first_s, self.hours_until_s or self.first_s)

    @property
    def whole_hours(self) -> bool:
        return self.step_s % HOUR_S == 0


def source_of(store: Store, question: Question) -> Rollup:
    """The table to ask: the smallest that can answer, single calls where the second rollup has lost days of the span."""
    source = choose(store, question.dimensions, question.columns, question.step_s, question.rollups_from_s)
    return CALLS if source is CALLS_1S and len(lost_days(store, source, question)) else source


def read_steps(store: Store, question: Question, source: Rollup) -> pd.DataFrame:
    """The steps with calls, sorted by (*by, step_at).

    `step_at` (int64, seconds since 1970), `*by` (str), `calls` (int64) and one float64 column per metric, NaN where unknown.
    """
    rows = read_columns(store, question, source)
    result = pd.DataFrame({"step_at": rows["step_at"], **{name: rows[name] for name in question.by}})
    result["calls"] = rows["calls"].astype("int64")
    return result.assign(**values_of(rows, question, question.step_s))


def read_columns(store: Store, question: Question, source: Rollup) -> pd.DataFrame:
    """The same with the stored columns instead of the metrics, all of them float64; costs are priced."""
    rows = sums_of(store, question, source)
    if question.whole_hours:
        rows = _overlay(rows, _hours(store, question), question)
    if "peak_tps" in question.metrics:
        rows = _fill_peaks(store, rows, question)
    if "cost_usd" in question.columns:
        rows = add_priced(store, rows, _to_price(question))
    return rows


def sums_of(store: Store, question: Question, source: Rollup) -> pd.DataFrame:
    """What the rollups have of it, sorted by (*by, step_at): the columns as float64, costs as they were reported."""
    rows = _sums(store, question, source)
    if "peak_tps" in question.metrics:
        seconds = CALLS_1S if CALLS_1S.answers(question.dimensions, ("calls",), 1) else CALLS
        rows = rows.merge(_peaks(store, question, seconds), on=question.keys, how="left")
    return rows


def values_of(rows: pd.DataFrame, question: Question, step_s: int) -> dict[str, Floats]:
    """Each metric of the question over the rows' columns, in its unit; NaN where unknown."""
    columns: Columns = {name: rows[name].to_numpy("float64") for name in rows.columns if name not in question.keys}
    return {metric: formula(metric).value(columns, step_s) for metric in question.metrics}


def lost_days(store: Store, source: Rollup, question: Question) -> pd.Series:
    """Starts of days (seconds since 1970) that the minute rollups know and `source` has no row of: retention took them."""
    if source not in (CALLS, CALLS_1S):
        return pd.Series(dtype="int64")
    kept = store.frame(DAYS_OF_CALLS if source is CALLS else DAYS_OF_SECONDS)
    known = store.frame(DAYS_OF_MINUTES, {"start": at_epoch_s(question.first_s), "end": at_epoch_s(question.end_s)})
    return known.loc[~known["day"].isin(kept["day"]), "day_at"]


def _sums(store: Store, question: Question, source: Rollup) -> pd.DataFrame:
    values = "".join(f", toFloat64({source.column(name)}) AS {name}" for name in question.columns)
    where, params = bounds_of(question, source)
    frame = store.frame(
        f"""SELECT {step_of(source)} AS step_at{_by(question.by)}{values}
        FROM {source.table} AS t WHERE {where} GROUP BY {", ".join(question.keys)} ORDER BY {", ".join(question.keys)}""",
        {**params, "step": question.step_s},
    )
    return with_labels(frame, question.by)


def _peaks(store: Store, question: Question, source: Rollup) -> pd.DataFrame:
    names = "".join(f", {name}" for name in question.by)
    where, params = bounds_of(question, source)
    frame = store.frame(
        f"""SELECT intDiv(second_at, {{step:Int64}}) * {{step:Int64}} AS step_at{names}, toFloat64(max(calls)) AS peak_tps
        FROM (SELECT toInt64(toUnixTimestamp(t.{source.time})) AS second_at{_by(question.by)}, {source.column("calls")} AS calls
            FROM {source.table} AS t WHERE {where} GROUP BY second_at{names})
        GROUP BY {", ".join(question.keys)}""",
        {**params, "step": question.step_s},
    )
    return with_labels(frame, question.by)


def _fill_peaks(store: Store, rows: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Peaks that are still missing, from the single calls as far as these are kept."""
    missing = rows.loc[rows["peak_tps"].isna(), "step_at"]
    if missing.empty:
        return rows
    end_s = min(int(missing.max()) + question.step_s, question.end_s)
    found = _peaks(store, _narrowed(question, int(missing.min()), end_s), CALLS)
    merged = rows.merge(found, on=question.keys, how="left", suffixes=("", "_found"))
    return rows.assign(peak_tps=merged["peak_tps"].fillna(merged["peak_tps_found"]))


def _narrowed(question: Question, first_s: int, end_s: int) -> Question:
    return replace(question, first_s=first_s, end_s=end_s, hours_until_s=None)


def _hours(store: Store, question: Question) -> pd.DataFrame:
    columns = with_peak(question)
    rows = hour_rows(
        store, columns, question.first_s, question.end_s - HOUR_S + 1, question.selector, question.by, among=question.among
    )
    return rows if question.step_s == HOUR_S else fold_hours(rows, columns, question.by, question.step_s)


def _overlay(rows: pd.DataFrame, hours: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Of two sources for a step, the one that saw more calls: retention cuts the rollups, late data reaches the hours late."""
    if hours.empty:
        return rows
    both = rows.merge(hours, on=question.keys, how="outer", suffixes=("", "_hours"), sort=True)
    from_hours = ~(both["calls"] >= both["calls_hours"].fillna(0)).to_numpy()
    for name in with_peak(question):
        fallback = both[name].fillna(both[f"{name}_hours"]) if name == "peak_tps" else both[name]
        both[name] = np.where(from_hours, both[f"{name}_hours"], fallback)
    return both[list(rows.columns)]


def with_peak(question: Question) -> tuple[str, ...]:
    """The columns that are read for it, the peak among them where it is asked for."""
    return (*question.columns, "peak_tps") if "peak_tps" in question.metrics else question.columns


def bounds_of(question: Question, source: Rollup) -> tuple[str, dict[str, Value]]:
    """The condition on rows of `source` (alias `t`) that the question asks for, and what it binds."""
    selected, labels = matching(question.selector, "t")
    chosen, combinations = one_of(question.by, question.among, "t")
    span = f"t.{source.time} >= {{start:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}}"
    bounds: dict[str, Value] = {"start": at_epoch_s(question.rollups_from_s), "end": at_epoch_s(question.end_s)}
    return span + selected + chosen, {**bounds, **labels, **combinations}


def _to_price(question: Question) -> PricedSpan:
    return PricedSpan(
        first_s=question.first_s,
        end_s=question.end_s,
        selector=question.selector,
        by=question.by,
        column="step_at",
        step=_step_at,
        params={"step": question.step_s},
        hourly=question.whole_hours and question.end_s % HOUR_S == 0,
    )


def step_of(source: Rollup) -> str:
    """The expression of a row's step, in seconds since 1970."""
    return _step_at(f"toInt64(toUnixTimestamp(t.{source.time}))")


def _step_at(seconds: str) -> str:
    return f"intDiv({seconds}, {{step:Int64}}) * {{step:Int64}}"


def _by(names: Sequence[str]) -> str:
    return "".join(f", t.{name} AS {name}" for name in names)
