"""Reads minute panels for baselines and detection: which selections there are, and their minutes as matrices."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from analytics.features import BASELINE_METRICS, Panel, stack, to_panel
from storage.contract import Store
from storage.panels import read_scopes

SCOPES: tuple[tuple[str, ...], ...] = ((), ("gateway",), ("service",), ("route",), ("provider",), ("model",), ("tenant",))
"""Every value of each of these dimensions is a selection of its own; the first is all traffic."""
_AT_ONCE = timedelta(hours=2)
"""Of longer spans the scopes are read one after the other: the engine holds percentile states of every minute of each."""


def read_minutes(
    store: Store,
    start: datetime,
    end: datetime,
    metrics: Sequence[str] = BASELINE_METRICS,
    least_calls: float = 0.0,
) -> Panel:
    """Selections with calls in [start, end), whole minutes; all traffic is always among them.

    Selections with fewer calls than `least_calls` in the span are left out before their minutes are laid out: memory is only
    needed for what is kept.
    """
    panels = {}
    for scopes in [SCOPES] if end - start <= _AT_ONCE else [(by,) for by in SCOPES]:
        for by, frame in read_scopes(store, start, end, scopes, metrics):
            if by and least_calls > 0.0:
                frame = frame[frame.groupby(list(by))["calls"].transform("sum") >= least_calls]
            panels[by] = to_panel(frame, by, start, end, metrics)
    return stack([panels[by] for by in SCOPES])
