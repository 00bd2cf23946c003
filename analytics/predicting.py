"""Which series are forecast, and their hourly history without gaps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.features import Floats
from core.config import ForecastSettings
from core.series import ALL_CALLS, METRICS, Selector
from core.transactions import TRANSACTION_METRICS, Transaction
from core.types import Anomaly
from storage.anomalies import read_anomalies
from storage.contract import Store
from storage.hours import HOUR_S, read_hours, read_hours_by
from storage.transaction_series import read_transaction_series

_HOUR = timedelta(hours=1)
_GONE_HOURS = 7 * 24
"""Selections without a call for so long are not forecast."""
_LONGEST_ANOMALY = timedelta(days=2)
"""What lasts longer is the new normal, not to be kept from the forecast."""
_MOST_MASKED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesToForecast:
    """One series and its history: `values` of consecutive hours from `start`, NaN where unknown, in the metric's unit.

    `calls` in the whole span say how busy the selection is. `masked` hours must not be learned from: they lay in an anomaly.
    """

    metric: str
    selector: Selector
    start: datetime
    values: Floats
    calls: int
    masked: npt.NDArray[np.bool_] | None = None

    @property
    def known_hours(self) -> int:
        """From the first known hour to the last."""
        known = np.flatnonzero(np.isfinite(self.values))
        return int(known[-1] - known[0] + 1) if len(known) else 0

    @property
    def end(self) -> datetime:
        return self.start + _HOUR * len(self.values)


def series_to_forecast(
    store: Store, settings: ForecastSettings, end: datetime, transactions: Sequence[Transaction] = ()
) -> list[SeriesToForecast]:
    """The configured series with their hours before `end`, the busiest selections first, at most `max_series`.

    Each of `transactions` is a selection of its own; a new version has only the hours that were counted by it.

    The hours end with the last one that is known of any traffic. Series that were never above zero are left out, and selections
    that had no call in the last week of them.
    """
    whole = read_hours(store, "tps", end - settings.history, end)
    if whole.empty:
        return []
    first, hours = whole["ts"].iloc[0].to_pydatetime(), len(whole)
    found = []
    for metric in settings.metrics:
        for by in ((), *((name,) for name in settings.by)):
            frame = read_hours_by(store, metric, first, end, by)
            found += [_dense(metric, selector, rows, first, hours) for selector, rows in _split(frame, by)]
        if metric in TRANSACTION_METRICS:
            found += [_of_transaction(store, one, metric, first, hours) for one in transactions]
    alive = [series for series in found if series is not None]
    anomalies = read_anomalies(store, first, first + _HOUR * hours)
    busiest = sorted(alive, key=lambda series: -series.calls)[: settings.max_series]
    return [replace(series, masked=_masked(series, anomalies)) for series in busiest]


def _of_transaction(store: Store, one: Transaction, metric: str, first: datetime, hours: int) -> SeriesToForecast | None:
    frame = read_transaction_series(store, one, metric, first, first + _HOUR * hours, HOUR_S)
    values, calls = frame["value"].to_numpy("float64"), frame["calls"].to_numpy("int64")
    if not calls[-_GONE_HOURS:].any() or not np.nanmax(np.nan_to_num(values)) > 0.0:
        return None
    return SeriesToForecast(metric=metric, selector=one.selection, start=first, values=values, calls=int(calls.sum()))


def _masked(series: SeriesToForecast, anomalies: Sequence[Anomaly]) -> npt.NDArray[np.bool_] | None:
    """The hours that anomalies of this selection, or of all calls, touched; none where that is too much to be an exception."""
    mask = np.zeros(len(series.values), dtype=bool)
    for one in anomalies:
        ended = one.ended_at or one.last_at
        if one.selector in (series.selector, ALL_CALLS) and ended - one.started_at <= _LONGEST_ANOMALY:
            first, last = (one.started_at - series.start) // _HOUR, -((series.start - ended) // _HOUR)
            mask[max(first, 0) : max(last, 0)] = True
    return mask if 0.0 < mask.mean() <= _MOST_MASKED else None


def _split(frame: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[Selector, pd.DataFrame]]:
    """Rows of each selection; an empty value is unknown and no selection."""
    if not by:
        return [(Selector(), frame)]
    return [(Selector.of({by[0]: str(value)}), rows) for value, rows in frame.groupby(by[0], sort=True) if value]


def _dense(metric: str, selector: Selector, rows: pd.DataFrame, first: datetime, hours: int) -> SeriesToForecast | None:
    """The series without gaps: in hours without a call rates are 0 from the first call on, levels unknown."""
    place = ((rows["ts"] - pd.Timestamp(first)) // pd.Timedelta(hours=1)).to_numpy(dtype=np.int64)
    inside = (place >= 0) & (place < hours)
    place, value = place[inside], rows["value"].to_numpy(dtype=float)[inside]
    if not len(place) or place.max() < hours - _GONE_HOURS or not np.nanmax(np.nan_to_num(value)) > 0.0:
        return None
    values = np.full(hours, np.nan)
    if METRICS[metric].zero_when_idle:
        values[place.min() :] = 0.0
    values[place] = value
    calls = int(rows["calls"].sum())
    return SeriesToForecast(metric=metric, selector=selector, start=first, values=values, calls=calls)
