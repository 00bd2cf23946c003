"""The expected range of a series at a chart's steps, from its baseline by hour of the week."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

SLOTS = 168
"""Hours of a week; slot 0 is Monday 00:00 in the configured time zone."""

_COLUMNS = ("lower", "expected", "upper")


def expected_range(baseline: pd.DataFrame, starts: pd.Series, step_s: int, zone: ZoneInfo) -> pd.DataFrame:
    """What a baseline expects of each step.

    Parameters
    ----------
    baseline : DataFrame
        `slot` (0 to 167), `lower`, `expected`, `upper` of one series; slots may be missing.
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
        total += _interpolated(table, _hours_of_week(at + pd.Timedelta(seconds=offset), zone))
    values = total / len(offsets)
    return pd.DataFrame({"ts": starts.to_numpy(), **{name: values[:, index] for index, name in enumerate(_COLUMNS)}})


def _table(baseline: pd.DataFrame) -> np.ndarray:
    table = np.full((SLOTS, len(_COLUMNS)), np.nan)
    slots = baseline["slot"].to_numpy(dtype=int)
    table[slots] = baseline[list(_COLUMNS)].to_numpy(dtype=float)
    return table


def _samples_within(step_s: int) -> list[float]:
    if step_s <= 3600:
        return [step_s / 2]
    quarter = 900.0
    return [quarter * (index + 0.5) for index in range(int(step_s // quarter))]


def _hours_of_week(at: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    local = at.tz_convert(zone)
    hours: np.ndarray = np.asarray(local.day_of_week * 24 + local.hour + local.minute / 60 + local.second / 3600, dtype=float)
    return hours


def _interpolated(table: np.ndarray, hours: np.ndarray) -> np.ndarray:
    """Values between the middles of the slots, around the week's end too; shape (n, 3)."""
    position = hours - 0.5
    left = np.floor(position).astype(int)
    weight = (position - left)[:, None]
    values: np.ndarray = table[left % SLOTS] * (1 - weight) + table[(left + 1) % SLOTS] * weight
    return values
