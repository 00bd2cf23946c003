"""The expected range of a series at a chart's steps, from its baseline by hour of the week."""

import numpy as np
import pandas as pd

from core.calendars import DAY_OFF, SLOTS, Calendar

_COLUMNS = ("lower", "expected", "upper")


def expected_range(baseline: pd.DataFrame, starts: pd.Series, step_s: int, calendar: Calendar) -> pd.DataFrame:
    """What a baseline expects of each step.

    Parameters
    ----------
    baseline : DataFrame
        `slot` (`core.calendars`), `lower`, `expected`, `upper` of one series; slots may be missing.
    starts : Series of datetime
        Start of each step, aware UTC.
    step_s : int
        Width of a step. A step within an hour is judged at its middle, a longer one by the mean over its quarter hours.

    Returns
    -------
    DataFrame
        `ts`, `lower`, `expected`, `upper`; NaN where a slot that is needed is missing.
    """
    at = pd.DatetimeIndex(pd.to_datetime(starts, utc=True))
    table = _table(baseline)
    offsets = _samples_within(step_s)
    total = np.zeros((len(at), len(_COLUMNS)))
    for offset in offsets:
        total += _interpolated(table, calendar, at + pd.Timedelta(seconds=offset))
    values = total / len(offsets)
    return pd.DataFrame({"ts": starts.to_numpy(), **{name: values[:, index] for index, name in enumerate(_COLUMNS)}})


def _table(baseline: pd.DataFrame) -> np.ndarray:
    table = np.full((SLOTS, len(_COLUMNS)), np.nan)
    slots = baseline["slot"].to_numpy(dtype=int)
    table[slots] = baseline[list(_COLUMNS)].to_numpy(dtype=float)
    off, sunday = slice(24 * DAY_OFF, 24 * DAY_OFF + 24), slice(24 * 6, 24 * 7)
    if np.isnan(table[off]).all():  # a baseline that knows no days off
        table[off] = table[sunday]
    return table


def _samples_within(step_s: int) -> list[float]:
    if step_s <= 3600:
        return [step_s / 2]
    quarter = 900.0
    return [quarter * (index + 0.5) for index in range(int(step_s // quarter))]


def _interpolated(table: np.ndarray, calendar: Calendar, at: pd.DatetimeIndex) -> np.ndarray:
    """Values between the middles of the slots, around the week's end too; shape (n, 3)."""
    before, after, part = calendar.between(at)
    weight = part[:, None]
    values: np.ndarray = table[before] * (1 - weight) + table[after] * weight
    return values
