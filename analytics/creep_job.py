"""The daily job that looks for change over days: the hours of every selection in, anomalies of slow drift out."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from analytics.creep import LONGEST
from analytics.drifting import NEEDED, SLOW_DRIFT, Days, judge_days
from analytics.features import Floats
from analytics.reading import SCOPES
from analytics.reporting import JobReport, run_job
from core.calendars import Calendar, load_calendars
from core.clock import Clock, floor_to
from core.config import Settings
from core.masks import labelled
from core.series import Selector
from storage.anomalies import read_anomalies, write_anomalies
from storage.contract import Store
from storage.hours import read_hours_by
from storage.masks import read_masks

JOB = "drift"
EVERY = timedelta(minutes=30)
"""How often it looks whether a day is over."""

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_MADE_AFTER = timedelta(minutes=20)
"""By then the hours of a day that is over have been made."""

Read = Callable[[Store, str, datetime, datetime, tuple[str, ...]], pd.DataFrame]


def run_drift(store: Store, clock: Clock, settings: Settings, epoch: int) -> JobReport:
    """Judge the days that are over, once a day; `items` counts anomalies that were told, went on or ended."""

    def body(cursor: datetime | None) -> JobReport:
        now = clock.now()
        calendar = load_calendars(settings).common
        end = last_midnight(now - _MADE_AFTER, calendar)
        if cursor is not None and cursor >= end:
            return JobReport(name=JOB, cursor=cursor, items=0)
        days = read_days(store, end, calendar)
        standing = [one for one in read_anomalies(store, end, now, open_only=True) if one.hint == SLOW_DRIFT]
        told = judge_days(days, standing, floor_to(now, _MINUTE))
        if told:
            masks = read_masks(store, min(one.started_at for one in told), now)
            write_anomalies(store, labelled(told, masks), epoch)
        return JobReport(name=JOB, cursor=end, items=len(told))

    return run_job(JOB, store, clock, epoch, body)


def last_midnight(now: datetime, calendar: Calendar) -> datetime:
    """The whole hour in which the local day of `now` began."""
    hours = pd.date_range(floor_to(now, _HOUR) - 25 * _HOUR, floor_to(now, _HOUR), freq="h")
    day, _, _ = calendar.days(hours)
    return hours[int(np.argmax(day == day[-1]))].to_pydatetime()


def read_days(store: Store, end: datetime, calendar: Calendar, read: Read = read_hours_by) -> Days:
    """The last days before `end` of every selection that has hours."""
    hours = pd.date_range(end - (LONGEST * 24 + 1) * _HOUR, end, freq="h", inclusive="left")
    day, hour, weekday = calendar.days(hours)
    names: dict[Selector, int] = {}
    parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {metric: [] for metric in NEEDED}
    first = int(hours[0].timestamp())
    for by in SCOPES:
        for metric in NEEDED:
            frame = read(store, metric, hours[0].to_pydatetime(), end, by)
            for label in by:
                frame = frame[frame[label] != ""]
            rows = _rows(frame, by, names)
            place = (pd.DatetimeIndex(frame["ts"]).as_unit("s").asi8 - first) // 3600
            parts[metric].append((rows, place, frame["value"].to_numpy(dtype=float)))
    values: dict[str, Floats] = {}
    for metric, found in parts.items():
        laid = np.full((len(names), int(day[-1]) + 1, 24), np.nan)
        for rows, place, value in found:
            laid[rows, day[place], hour[place]] = value
        values[metric] = laid[:, -LONGEST:]
    return Days(selectors=tuple(names), weekday=weekday[-LONGEST:], values=values, end=end)


def _rows(frame: pd.DataFrame, by: tuple[str, ...], names: dict[Selector, int]) -> np.ndarray:
    """The row of each line; selections that are new get the next one."""
    if not by:
        return np.full(len(frame), names.setdefault(Selector(), len(names)), dtype=np.int64)
    codes, texts = pd.factorize(frame[by[0]])
    rows = [names.setdefault(Selector.of({by[0]: str(text)}), len(names)) for text in texts]
    return np.array(rows, dtype=np.int64)[codes]
