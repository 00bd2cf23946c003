"""What reviews are made of, read from the store: metrics over spans, days, costs."""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from core.reviews import Compared
from core.series import ALL_CALLS, Selector
from storage.contract import Store
from storage.series import read_panel
from storage.spans import read_spans

Span = tuple[datetime, datetime]

_STEPS_S = (86_400, 3_600, 1_800, 900, 60)


def compared(
    store: Store, metric: str, spans: Sequence[Span], by: tuple[str, ...] = (), selector: Selector = ALL_CALLS
) -> list[Compared]:
    """A metric over the first span and the second, for each value of `by` that has calls in one of them."""
    frames = [over(store, metric, span, by, selector) for span in spans]
    keys = dict.fromkeys(key for frame in frames for key in frame)
    nothing = (0, math.nan)
    found = []
    for key in keys:
        (calls, value), (calls_before, before) = (frame.get(key, nothing) for frame in frames)
        if "" not in key:
            labels = {**selector.labels, **dict(zip(by, key, strict=True))}
            found.append(
                Compared(
                    metric=metric, selector=Selector.of(labels), calls=calls, value=value, before=before,
                    calls_before=calls_before,
                )
            )  # fmt: skip
    return found


def over(
    store: Store, metric: str, span: Span, by: tuple[str, ...] = (), selector: Selector = ALL_CALLS
) -> dict[tuple[str, ...], tuple[int, float]]:
    """Calls and value of one span by the values of `by`. Spans are read one by one: rates go by their own length."""
    frame = _costs(store, [span], by, selector) if metric == "cost_per_h" else read_spans(store, metric, [span], selector, by)
    return {tuple(str(row[name]) for name in by): (int(row["calls"]), float(row["value"])) for row in frame.to_dict("records")}


def by_day(store: Store, metric: str, days: Sequence[Span], by: tuple[str, ...]) -> dict[tuple[str, ...], list[float]]:
    """The metric of each day, for each value of `by`; NaN: no calls. Rates of calls go by the length of their own day."""
    found: dict[tuple[str, ...], list[float]] = {}
    if metric == "cost_per_h":
        for row in _costs(store, days, by, ALL_CALLS).to_dict("records"):
            key = tuple(str(row[name]) for name in by)
            found.setdefault(key, [math.nan] * len(days))[int(row["span"])] = float(row["value"])
        return found
    for row in read_spans(store, metric, days, by=by).to_dict("records"):
        place = int(row["span"])
        length_s = (days[place][1] - days[place][0]).total_seconds()
        value = float(row["calls"]) / length_s if metric == "tps" else float(row["value"])
        found.setdefault(tuple(str(row[name]) for name in by), [math.nan] * len(days))[place] = value
    return found


def _costs(store: Store, spans: Sequence[Span], by: tuple[str, ...], selector: Selector) -> pd.DataFrame:
    """Costs of spans that follow one another, as series have them, priced tokens among them; NaN where none is known."""
    edges = [int(moment.timestamp()) for moment in (*(start for start, _ in spans), spans[-1][1])]
    step_s = next(step for step in _STEPS_S if not any(edge % step for edge in edges))
    panel = read_panel(store, spans[0][0], spans[-1][1], step_s, by, ("cost_per_h",), selector=selector)
    seconds = panel["ts"].astype("int64").to_numpy() // 1000
    panel = panel.assign(span=np.searchsorted(edges, seconds, side="right") - 1)
    grouped = panel.groupby([*by, "span"])
    rows = grouped["cost_per_h"].sum(min_count=1).rename("value").to_frame().assign(calls=grouped["calls"].sum()).reset_index()
    lengths = np.diff(edges)[rows["span"].to_numpy("int64")]
    return rows.assign(value=rows["value"] * step_s / lengths)
