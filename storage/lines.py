"""Several metrics of one selection over time, read at once: what a page of charts shows.

As `storage/series.py` has them, but that hours which the job has made answer for whole hours (`storage/breakdowns.py`): a month
of rollups by the minute would be merged only to find them confirmed. Percentiles of more than an hour are the mean of the
hours' percentiles, weighted by calls.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from core.series import ALL_CALLS, METRICS, Selector
from storage.breakdowns import breakdown
from storage.contract import Store
from storage.frames import times_of
from storage.series import check_size, fill_idle, known_steps
from storage.steps import read_columns, source_of, values_of
from storage.transaction_spans import transaction_series


def read_lines(
    store: Store,
    start: datetime,
    end: datetime,
    step_s: int,
    metrics: Sequence[str],
    *,
    selector: Selector = ALL_CALLS,
) -> pd.DataFrame:
    """Every step of the span: `ts` (`datetime64[ms, UTC]`) and a `float64` column a metric, in its unit.

    In steps without a call rates are 0 where it is known that there was none and NaN elsewhere, levels are NaN. Raises
    ValueError as `read_series` does.
    """
    if selector.transaction:
        return _of_transaction(store, start, end, step_s, metrics, selector)
    question = breakdown(store, start, end, step_s, metrics, selector=selector)
    steps = np.arange(question.first_s, max(question.end_s, question.first_s), step_s, dtype=np.int64)
    check_size(1, len(steps))
    source = source_of(store, question)
    rows = read_columns(store, question, source)
    place = (rows["step_at"].to_numpy() - question.first_s) // step_s
    calls = np.zeros((1, len(steps)), np.int64)
    calls[0, place] = rows["calls"]
    found = values_of(rows, question, step_s)
    known = known_steps(store, question, source, steps) if any(METRICS[name].zero_when_idle for name in metrics) else None
    frame = pd.DataFrame({"ts": times_of(steps)})
    for name in metrics:
        value = np.full((1, len(steps)), np.nan)
        value[0, place] = found[name]
        if known is not None and METRICS[name].zero_when_idle:
            fill_idle(value, calls, known)
        frame[name] = value[0]
    return frame


def _of_transaction(
    store: Store, start: datetime, end: datetime, step_s: int, metrics: Sequence[str], selector: Selector
) -> pd.DataFrame:
    parts = {name: transaction_series(store, name, start, end, step_s, selector) for name in metrics}
    return pd.DataFrame({"ts": parts[metrics[0]]["ts"], **{name: part["value"] for name, part in parts.items()}})
