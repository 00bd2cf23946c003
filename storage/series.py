"""Series for pages, exports and analytics: one metric of a selection over time, from the smallest table that can tell.

Steps begin at multiples of their width since 1970 (UTC). The step that holds `start` is read as a whole; what happened at or
after `end` is never read, so the last step may hold less than its width: rates are per whole step all the same, and whoever
shows them ends the span at a whole step. Rollups by minute take `end` up to the full minute.
"""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.series import ALL_CALLS, METRICS, Selector
from core.types import SeriesRequest
from storage.contract import Store, Value
from storage.data_span import MAX_POINTS as MAX_POINTS
from storage.data_span import data_span as data_span
from storage.data_span import latest_minute as latest_minute
from storage.frames import Ints, at_epoch_s, epoch_s, times_of
from storage.hours import HOUR_S, hours_span
from storage.rollups import Floats, Rollup, pick
from storage.steps import DAY_S, Question, lost_days, read_steps, source_of
from storage.transaction_spans import transaction_panel, transaction_series

MINUTE_S = 60

Flags = npt.NDArray[np.bool_]


def read_series(store: Store, request: SeriesRequest) -> pd.DataFrame:
    """One metric at every step of the span, per combination of `by` that occurs in it (without `by`: one series, always).

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`, start of the step), `*by` (`str`), `value` (`float64`, the metric's unit, NaN
    where unknown) and `calls` (`int64`), sorted by (`*by`, `ts`). In steps without a call rates are 0 between the first and the
    last known minute of the data and NaN outside, levels are NaN. A rate stays NaN in them too where the series has calls but
    none that reports it (tokens of a plain API).

    Steps of whole hours go on beyond the minute rollups with the table `hours`, if it has the scope; percentiles of steps
    longer than an hour are then the mean of the hours' percentiles, weighted by calls.

    Raises ValueError for an unknown metric or dimension, a step below 1 s, and more than 5 million points.
    """
    if request.selector.transaction:
        return transaction_series(store, request.metric, request.start, request.end, request.step_s, request.selector)
    question = _question(request.start, request.end, request.step_s, (request.metric,), request.by, request.selector)
    steps: Ints = np.arange(question.first_s, max(question.end_s, question.first_s), question.step_s, dtype=np.int64)
    check_size(1, len(steps))
    source = source_of(store, question)
    rows = read_steps(store, question, source)
    labels = rows[list(request.by)].drop_duplicates(ignore_index=True) if request.by else pd.DataFrame(index=[0])
    shape = (len(labels), len(steps))
    check_size(*shape)
    value, calls = np.full(shape, np.nan), np.zeros(shape, np.int64)
    series = rows.groupby(list(request.by), sort=False).ngroup().to_numpy() if request.by else np.zeros(len(rows), np.int64)
    place = (series, (rows["step_at"].to_numpy() - question.first_s) // question.step_s)
    value[place], calls[place] = rows[request.metric], rows["calls"]
    if METRICS[request.metric].zero_when_idle:
        fill_idle(value, calls, known_steps(store, question, source, steps))
    frame = pd.DataFrame({"ts": times_of(np.tile(steps, len(labels)))})
    for name in request.by:
        frame[name] = labels[name].repeat(len(steps)).to_numpy()
    return frame.astype(dict.fromkeys(request.by, "str")).assign(value=value.ravel(), calls=calls.ravel())


def read_panel(
    store: Store,
    start: datetime,
    end: datetime,
    step_s: int,
    by: tuple[str, ...],
    metrics: tuple[str, ...],
    *,
    selector: Selector = ALL_CALLS,
) -> pd.DataFrame:
    """Several metrics per step and combination of `by`, of a selection, sparse: only steps with calls.

    Returns
    -------
    DataFrame with `ts` (`datetime64[ms, UTC]`), `*by` (`str`), `calls` (`int64`) and one `float64` column per metric (NaN where
    unknown), sorted by (`*by`, `ts`). Sources and errors as in `read_series`.
    """
    if selector.transaction:
        return transaction_panel(store, start, end, step_s, metrics, selector)
    question = _question(start, end, step_s, metrics, by, selector)
    rows = read_steps(store, question, source_of(store, question))
    rows.insert(0, "ts", times_of(rows.pop("step_at")))
    return rows


def top_values(store: Store, dimension: str, start: datetime, end: datetime, limit: int) -> list[str]:
    """Values of a dimension with the most calls in the span, busiest first; the empty value (unknown) is left out."""
    question = _question(start, end, MINUTE_S, ("tps",), (dimension,))
    source = pick((dimension,), ("calls",), MINUTE_S)
    sql = f"""SELECT t.{dimension} AS value, {source.column("calls")} AS calls FROM {source.table} AS t
    WHERE t.{source.time} >= {{start:DateTime('UTC')}} AND t.{source.time} < {{end:DateTime('UTC')}} AND t.{dimension} != ''
    GROUP BY value ORDER BY calls DESC, value LIMIT {{most:UInt64}}"""
    params: dict[str, Value] = {"start": at_epoch_s(question.first_s), "end": at_epoch_s(question.end_s), "most": limit}
    return [str(value) for value in store.arrow(sql, params).column("value").to_pylist()]


def _question(
    start: datetime, end: datetime, step_s: int, metrics: tuple[str, ...], by: tuple[str, ...], selector: Selector = ALL_CALLS
) -> Question:
    width = max(step_s, 1)
    unit = MINUTE_S if width % MINUTE_S == 0 else 1
    end_s = epoch_s(end) + (end.microsecond > 0)
    return Question(
        first_s=epoch_s(start) // width * width,
        end_s=-(-end_s // unit) * unit,
        step_s=step_s,
        metrics=metrics,
        by=by,
        selector=selector,
    )


def check_size(series: int, steps: int) -> None:
    """Raises ValueError for more points than one read brings."""
    if series * steps > MAX_POINTS:
        raise ValueError(f"{series} series of {steps} points are too many; ask for longer steps or a shorter span")


def known_steps(store: Store, question: Question, source: Rollup, steps: Ints) -> Flags:
    """Steps of which it is known that what has no row did not happen."""
    known = np.zeros(len(steps), dtype=bool)
    if (minutes := data_span(store)) is not None:
        known |= _overlapping(steps, question.step_s, epoch_s(minutes[0]), epoch_s(minutes[1]) + MINUTE_S)
        for day_at in lost_days(store, source, question):
            known &= ~_overlapping(steps, question.step_s, day_at, day_at + DAY_S)
    if question.whole_hours and (hours := hours_span(store, question.dimensions)) is not None:
        known |= _overlapping(steps, question.step_s, hours[0], hours[1] + HOUR_S)
    return known


def _overlapping(steps: Ints, step_s: int, first_s: int, end_s: int) -> Flags:
    return np.logical_and(steps + step_s > first_s, steps < end_s)


def fill_idle(value: Floats, calls: Ints, known: Flags) -> None:
    """Zeros in place (arrays of n_series x n_steps) for known steps without a call, but not for what is never reported."""
    unreported = np.logical_and((calls > 0).any(axis=1), np.isnan(value).all(axis=1))
    value[(calls == 0) & known & ~unreported.reshape(-1, 1)] = 0.0
