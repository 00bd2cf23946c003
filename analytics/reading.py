"""Reads minute panels for baselines and detection: which selections there are, and their minutes as matrices."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from analytics.features import BASELINE_METRICS, Panel, stack, to_panel
from core.series import TRANSACTION, VERSION
from core.transactions import Transaction
from storage.contract import Store
from storage.panels import busy_values, read_scopes
from storage.transaction_spans import read_transactions

SCOPES: tuple[tuple[str, ...], ...] = ((), ("gateway",), ("service",), ("route",), ("provider",), ("model",), ("tenant",))
"""Every value of each of these dimensions is a selection of its own; the first is all traffic."""
_TRANSACTION = (TRANSACTION, VERSION)
_HOUR = timedelta(hours=1)
_AT_ONCE = timedelta(hours=2)
"""Of longer spans the scopes are read one after the other: the engine holds percentile states of every minute of each."""
_MOST_CELLS = 5_000_000
"""Minutes x metrics x selections that are laid out at once: 40 MB. Large frames would hold up the pages, which share Python."""


def read_minutes(
    store: Store,
    start: datetime,
    end: datetime,
    metrics: Sequence[str] = BASELINE_METRICS,
    transactions: Sequence[Transaction] = (),
) -> Panel:
    """Selections with calls in [start, end), whole minutes; all traffic is always among them.

    Each of `transactions` is a selection of its own, by its own counters and rule for success; of minutes that were not counted
    nothing is known, and they have no call here.
    """
    panels = {}
    for scopes in [SCOPES] if end - start <= _AT_ONCE else [(by,) for by in SCOPES]:
        for by, frame in read_scopes(store, start, end, scopes, metrics):
            panels[by] = to_panel(frame, by, start, end, metrics)
    found = [panels[by] for by in SCOPES]
    if transactions:
        frame = read_transactions(store, start, end, transactions, metrics)
        found.append(to_panel(frame, _TRANSACTION, start, end, metrics))
    return stack(found)


def read_parts(
    store: Store, start: datetime, end: datetime, least_per_hour: float, transactions: Sequence[Transaction] = ()
) -> Iterator[Panel]:
    """The same for weeks of minutes, some selections at a time, so that no question is large and memory stays bounded.

    Selections with fewer calls an hour than that, since their first one, are left out. All traffic comes first, transactions
    last.
    """
    minutes = max((end - start) // timedelta(minutes=1), 1)
    at_once = max(_MOST_CELLS // (minutes * len(BASELINE_METRICS)), 1)
    busy = busy_values(store, start, end, [by[0] for by in SCOPES if by], least_per_hour)
    for by in SCOPES:
        values = busy[by[0]] if by else [""]
        for first in range(0, len(values), at_once):
            among = tuple(values[first : first + at_once]) if by else ()
            for _, frame in read_scopes(store, start, end, [by], BASELINE_METRICS, among):
                yield to_panel(frame, by, start, end)
    if transactions:
        frame = read_transactions(store, start, end, transactions, BASELINE_METRICS)
        seen = frame.groupby(list(_TRANSACTION))
        hours = (end - seen["ts"].transform("min")).dt.total_seconds() / 3600.0
        hours = hours.clip(lower=24.0).clip(upper=(end - start) / _HOUR)
        often = seen["calls"].transform("sum") >= least_per_hour * hours
        yield to_panel(frame[often], _TRANSACTION, start, end)
