"""Minutes to judge with those before them, which are read from the store once and then kept."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from analytics.features import DETECTION_METRICS, Panel, align
from analytics.reading import read_minutes
from analytics.sustained import LEAD
from core.transactions import Transaction
from storage.contract import Store

_MINUTE = timedelta(minutes=1)


class LookBack:
    """Panels of consecutive spans, each with the `LEAD` minutes before it. A cache: a restart reads it anew."""

    def __init__(self, read: Callable[..., Panel] = read_minutes) -> None:
        self._read = read
        self._held: Panel | None = None

    def read(self, store: Store, start: datetime, end: datetime, transactions: Sequence[Transaction] = ()) -> Panel:
        """The minutes of [start, end) after `LEAD` others; selections without any call in them are left out."""
        held, read = self._held, partial(self._read, transactions=transactions) if transactions else self._read
        if held is None or held.start + held.minutes * _MINUTE != start:
            panel = read(store, start - LEAD * _MINUTE, end, DETECTION_METRICS)
        else:
            panel = _joined(held, read(store, start, end, DETECTION_METRICS))
        self._held = panel.slice(panel.minutes - LEAD, panel.minutes)
        return panel


def _joined(before: Panel, after: Panel) -> Panel:
    """Two spans as one; what had no call in either is dropped, all traffic excepted."""
    alive = [
        selector for selector, calls in zip(before.selectors, before.calls, strict=True) if calls.any() or not selector.pairs
    ]
    selectors = tuple(dict.fromkeys([*alive, *after.selectors]))
    first, second = align(before, selectors), align(after, selectors)
    return Panel(
        selectors=selectors,
        start=before.start,
        calls=np.concatenate([first.calls, second.calls], axis=1),
        values={name: np.concatenate([matrix, second.values[name]], axis=1) for name, matrix in first.values.items()},
    )
