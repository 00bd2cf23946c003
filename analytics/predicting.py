"""Which series are forecast, and their hourly history without gaps."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.features import Floats
from core.config import ForecastSettings
from core.series import METRICS, Selector
from storage.contract import Store
from storage.hours import read_hours, read_hours_by

_HOUR = timedelta(hours=1)
_GONE_HOURS = 7 * 24
"""Selections without a call for so long are not forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesToForecast:
    """One series and its history: `values` of consecutive hours from `start`, NaN where unknown, in the metric's unit.

    `calls` in the whole span say how busy the selection is.
    """

    metric: str
    selector: Selector
    start: datetime
    values: Floats
    calls: int

    @property
    def end(self) -> datetime:
        return self.start + _HOUR * len(self.values)


def series_to_forecast(store: Store, settings: ForecastSettings, end: datetime) -> list[SeriesToForecast]:
    """The configured series with their hours before `end`, the busiest selections first, at most `max_series`.

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
    alive = [series for series in found if series is not None]
    return sorted(alive, key=lambda series: -series.calls)[: settings.max_series]


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
