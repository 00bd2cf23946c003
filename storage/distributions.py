"""How long calls took, as distributions: many quantiles at once by step or dimension, from the rollups' mergeable states."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from storage.contract import Store
from storage.frames import times_of, with_labels
from storage.rollups import CALLS, PERCENTILES, SUMS_OF_CALLS
from storage.steps import Question, bounds_of, source_of, step_of

Floats = npt.NDArray[np.float64]

STATE_OF: dict[str, str] = {metric: state for metric, (state, _) in PERCENTILES.items()}
"""Metrics that are quantiles, and the state that they are read from."""

_KNOWN = {"latency_q": "latency_known", "upstream_q": "upstream_known", "overhead_q": "upstream_known", "ttft_q": "ttft_known"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Distributions, one a row.

    Attributes
    ----------
    rows : DataFrame
        `ts` (`datetime64[ms, UTC]`; absent where time was not asked for), `*by` (`str`), `known` (`float64`: calls that the
        distribution is made of).
    values : ndarray of shape (n_rows, n_levels), ms
    """

    rows: pd.DataFrame
    values: Floats


def read_quantiles(
    store: Store, question: Question, metric: str, levels: Sequence[float], *, over_time: bool = True
) -> Quantiles:
    """The distribution that `metric` (one of `STATE_OF`) is a quantile of, per combination of the question's `by` and step.

    Combinations and steps without a known value are left out. `levels` lie in [0, 1]. Without `over_time` the whole span is one
    step. The question must be one that hours do not answer (`breakdown(…, from_hours=False)`).
    """
    state = STATE_OF[metric]
    source = source_of(store, question)
    where, params = bounds_of(question, source)
    keys = ([step_of(source) + " AS step_at"] if over_time else []) + [f"t.{name} AS {name}" for name in question.by]
    names = (["step_at"] if over_time else []) + list(question.by)
    known = SUMS_OF_CALLS[_KNOWN[state]] if source is CALLS else f"sum(t.{_KNOWN[state]})"
    quantiles = source.quantiles(state, ", ".join(f"{float(level):.6g}" for level in levels))
    picked = ", ".join(f"toFloat64(q[{place + 1}]) AS q{place}" for place in range(len(levels)))
    frame = store.frame(
        f"""SELECT {"".join(f"{name}, " for name in names)}known, {picked}
        FROM (SELECT {"".join(f"{key}, " for key in keys)}toFloat64({known}) AS known, {quantiles} AS q
            FROM {source.table} AS t WHERE {where}{" GROUP BY " + ", ".join(names) if names else ""})
        WHERE known > 0{" ORDER BY " + ", ".join([*question.by, *(["step_at"] if over_time else [])]) if names else ""}""",
        {**params, "step": question.step_s} if over_time else params,
    )
    rows = with_labels(frame[[*question.by, "known"]], question.by)
    if over_time:
        rows.insert(0, "ts", times_of(frame["step_at"]))
    return Quantiles(rows=rows, values=frame[[f"q{place}" for place in range(len(levels))]].to_numpy("float64"))
