"""The `timeWindow` of OpenSLO v1: one rolling window, or one that follows the calendar."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.errors import ConfigError

_PART = re.compile(r"([1-9]\d*)([mhdwMQY])")
_CALENDAR = {"d": "day", "w": "week", "M": "month", "Q": "quarter", "Y": "year"}
_DAYS = {"M": 30, "Q": 91, "Y": 365}
"""What a rolling month, quarter and year are: windows roll by days."""


def window_of(given: Any, where: str) -> dict[str, Any]:
    """`window` and `time_zone` of an objective; nothing where nothing is given. Raises ConfigError for any other."""
    if given is None or given == []:
        return {}
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], Mapping):
        raise ConfigError(where, "timeWindow must be a list of one window")
    window = given[0]
    parts = _PART.fullmatch(str(window.get("duration")))
    if parts is None:
        raise ConfigError(
            where, f"the duration {window.get('duration')!r} of its timeWindow is none; write for example 28d or 1M"
        )
    count, unit = int(parts[1]), parts[2]
    if window.get("isRolling", "calendar" not in window):
        return {"window": f"{count * _DAYS[unit]}d" if unit in _DAYS else f"{count}{unit}"}
    if count != 1 or unit not in _CALENDAR:
        raise ConfigError(where, f"a calendar window is of 1d, 1w, 1M, 1Q or 1Y, and not of {parts[0]}")
    calendar = window.get("calendar")
    calendar = calendar if isinstance(calendar, Mapping) else {}
    _check_start(str(calendar.get("startTime") or ""), _CALENDAR[unit], where)
    return {"window": _CALENDAR[unit], "time_zone": str(calendar.get("timeZone") or "")}


def _check_start(text: str, period: str, where: str) -> None:
    """Periods begin with the first midnight of a day, week (Monday), month, quarter or year, and nowhere else."""
    if not text:
        return
    try:
        start = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(where, f"the startTime {text!r} of its timeWindow is no time; write 2026-01-01 00:00:00") from error
    first = {
        "day": True,
        "week": start.weekday() == 0,
        "month": start.day == 1,
        "quarter": start.day == 1 and start.month % 3 == 1,
        "year": (start.day, start.month) == (1, 1),
    }
    if not first[period] or (start.hour, start.minute, start.second) != (0, 0, 0):
        raise ConfigError(where, f"its timeWindow begins at {text}; here a {period} begins at the first midnight of it")
