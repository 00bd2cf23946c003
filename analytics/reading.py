"""Reads minute panels for baselines and detection: which selections there are, and their minutes as matrices."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from analytics.features import BASELINE_METRICS, Panel, stack, to_panel
from core.series import TRANSACTION, VERSION
from core.transactions import Transaction
from storage.contract import Store
from storage.panels import read_scopes
from storage.transaction_spans import read_transactions

SCOPES: tuple[tuple[str, ...], ...] = ((), ("gateway",), ("service",), ("route",), ("provider",), ("model",), ("tenant",))
"""Every value of each of these dimensions is a selection of its own; the first is all traffic."""
_TRANSACTION = (TRANSACTION, VERSION)
_AT_ONCE = timedelta(hours=2)
"""Of longer spans the scopes are read one after the other: the engine holds percentile states of every minute of each."""


def read_minutes(
    store: Store,
    start: datetime,
    end: datetime,
    metrics: Sequence[str] = BASELINE_METRICS,
    least_calls: float = 0.0,
    transactions: Sequence[Transaction] = (),
) -> Panel:
    """Selections with calls in [start, end), whole minutes; all traffic is always among them.

    Each of `transactions` is a selection of its own, by its own counters and rule for success; of minutes that were not counted
    nothing is known, and they have no call here.

    Selections with fewer calls than `least_calls` in the span are left out before their minutes are laid out: memory is only
    needed for what is kept.
    """
    panels = {}
    for scopes in [SCOPES] if end - start <= _AT_ONCE else [(by,) for by in SCOPES]:
        for by, frame in read_scopes(store, start, end, scopes, metrics):
            if by and least_calls > 0.0:
                frame = frame[frame.groupby(list(by))["calls"].transform("sum") >= least_calls]
            panels[by] = to_panel(frame, by, start, end, metrics)
    found = [panels[by] for by in SCOPES]
    if transactions:
        frame = read_transactions(store, start, end, transactions, metrics)
        busy = frame.groupby(list(_TRANSACTION))["calls"].transform("sum") >= least_calls
        found.append(to_panel(frame[busy], _TRANSACTION, start, end, metrics))
    return stack(found)
