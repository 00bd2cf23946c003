"""What pages ask for: metrics of a selection split by dimensions, over time and in all, from the coarsest table that can tell.

Whole hours that the job has made answer for themselves, which a series (`storage/series.py`) does not rely on: thirty days of
rollups by the minute would have to be merged only to find them confirmed. Percentiles of more than an hour are then the mean of
the hours' percentiles, weighted by calls (`hours.fold_hours`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pandas as pd

from core.series import ALL_CALLS, Selector
from storage.contract import Store
from storage.frames import epoch_s, times_of
from storage.hours import HOUR_S, fold_hours, hour_totals, hours_span
from storage.prices import PricedSpan, add_priced
from storage.rollups import CALLS, CALLS_1S
from storage.series import MINUTE_S, data_span
from storage.steps import Question, read_columns, source_of, sums_of, values_of, with_peak

WHOLE_S = HOUR_S * 10**7
"""A step that holds every instant there is: what is grouped by it is one row."""

CALLS_OF_SPAN = """SELECT toInt64(sum(t.calls)) AS calls FROM route_1m AS t
WHERE t.minute >= {start:DateTime('UTC')} AND t.minute < {end:DateTime('UTC')}"""


def breakdown(
    store: Store,
    start: datetime,
    end: datetime,
    step_s: int,
    metrics: Sequence[str],
    *,
    by: Sequence[str] = (),
    selector: Selector = ALL_CALLS,
    among: Sequence[Sequence[str]] = (),
    more: Sequence[str] = (),
    from_hours: bool = True,
) -> Question:
    """The question, with the hours answering for what they hold where the step is made of whole hours.

    Without `from_hours` they do not: distributions are made of states, which hours have not. `more` are columns
    (`storage/rollups.py`) beside those of the metrics. Raises ValueError for an unknown metric or dimension.
    """
    width = max(step_s, 1)
    question = Question(
        first_s=epoch_s(start) // width * width,
        end_s=epoch_s(end),
        step_s=step_s,
        metrics=tuple(metrics),
        by=tuple(by),
        selector=selector,
        among=tuple(tuple(values) for values in among),
        more=tuple(more),
    )
    wants_hours = from_hours and question.whole_hours
    return replace(question, hours_until_s=_hours_until(store, question)) if wants_hours else question


def single_calls_of(store: Store, question: Question) -> int:
    """How many single calls would have to be read for it at most; 0 where rollups and hours answer."""
    peaks = "peak_tps" in question.metrics and not CALLS_1S.answers(question.dimensions, ("calls",), 1)
    if source_of(store, question) is not CALLS and not peaks:
        return 0
    span = {"start": _moment(question.hours_until_s or question.first_s), "end": _moment(question.end_s)}
    return int(store.arrow(CALLS_OF_SPAN, span).column("calls")[0].as_py())


def read_breakdown(store: Store, question: Question) -> pd.DataFrame:
    """Over time: only steps with calls.

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`), `*by` (`str`), the stored columns and the metrics (`float64`, NaN where
    unknown), sorted by (`*by`, `ts`).
    """
    rows = read_columns(store, question, source_of(store, question))
    rows = rows.assign(**values_of(rows, question, question.step_s))
    rows.insert(0, "ts", times_of(rows.pop("step_at")))
    return rows


def read_totals(store: Store, question: Question, seconds: float) -> pd.DataFrame:
    """One row a combination of `by`, busiest first; its step does not matter.

    Parameters
    ----------
    seconds : float
        What rates are made of: how much of the span is known.

    Returns
    -------
    DataFrame with `*by` (`str`), the stored columns and the metrics (`float64`, NaN where unknown).
    """
    whole = replace(question, step_s=WHOLE_S)
    rows = sums_of(store, whole, source_of(store, question))
    if question.hours_until_s is not None:
        hours = hour_totals(
            store, with_peak(question), question.first_s, question.hours_until_s, question.selector, question.by
        )
        both = pd.concat([one for one in (rows, hours) if not one.empty] or [rows], ignore_index=True)
        rows = fold_hours(both, with_peak(question), question.by, WHOLE_S)
    if "cost_usd" in question.columns:
        rows = add_priced(store, rows, _to_price(question))
    rows = rows.assign(**values_of(rows, whole, max(round(seconds), 1)))
    return rows.drop(columns="step_at").sort_values(["calls", *question.by], ascending=[False, *[True] * len(question.by)])


def busiest_values(store: Store, dimension: str, start: datetime, end: datetime, limit: int) -> list[str]:
    """Values of a dimension with the most calls in the span, busiest first; the empty value (unknown) is left out.

    As `series.top_values` tells them, but that hours answer where there are any.
    """
    question = breakdown(store, start, end, HOUR_S, ("tps",), by=(dimension,))
    found = read_totals(store, question, 1.0)
    return [str(value) for value in found.loc[found[dimension] != "", dimension].head(limit)]


def _hours_until(store: Store, question: Question) -> int | None:
    """The end of what the hours hold of these dimensions; None where they do not reach back as far as is asked and known."""
    span, minutes = hours_span(store, question.dimensions), data_span(store)
    if span is None or minutes is None or span[0] > max(question.first_s, epoch_s(minutes[0]) // HOUR_S * HOUR_S):
        return None
    until = min(span[1] + HOUR_S, question.end_s) // question.step_s * question.step_s  # a step is read whole from one table
    return until if until > question.first_s else None


def _to_price(question: Question) -> PricedSpan:
    hourly = question.first_s % HOUR_S == 0 and question.end_s % HOUR_S == 0
    return PricedSpan(
        first_s=question.first_s, end_s=question.end_s, selector=question.selector, by=question.by, column="step_at",
        step=lambda seconds: "toInt64(0)", params={}, hourly=hourly,
    )  # fmt: skip


def _moment(seconds: int) -> datetime:
    moment: datetime = times_of([seconds // MINUTE_S * MINUTE_S])[0].to_pydatetime()
    return moment
