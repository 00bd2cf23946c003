"""When a call came in: RFC 3339 texts and numbers of any unit, as milliseconds in UTC.

Accepted are RFC 3339 (`2025-03-01T12:00:00.123Z`), the same with a space, without seconds' fraction or with up to 9 digits of
it, and without zone (then UTC). A number, or a text that is one, is read by its magnitude unless a unit is given: below 1e11
seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds. What lies outside 1970 to 2106-02-07, which is
what the rollups' 32-bit minutes hold, is no time of a call. The past and the future are accepted otherwise: late and imported
records are normal, and a gateway's clock that runs ahead is for the watermark to notice, not to lose a call over.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.record import TS_TYPE
from ingest.formats.values import number, quote

LAST_MS = 2**32 * 1000
"""First millisecond that a ClickHouse DateTime cannot hold."""

UNIT_MS = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
"""Milliseconds of one of each unit."""

_MAGNITUDES = ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3), (float("inf"), 1e-6))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?\s?([Zz]|UTC|([+-])(\d\d):?(\d\d)?)?", re.ASCII
)


def time_column(
    values: Sequence[Any], unit: str | None = None, time_format: str | None = None
) -> tuple[pa.Array, dict[int, str]]:
    """The values as TS_TYPE; a row of `bad` (place → detail) holds 1970.

    Parameters
    ----------
    values : sequence of shape (rows,)
        str, int, float, datetime (naive: UTC) or None.
    unit : {'s', 'ms', 'us', 'ns'}, optional
        Unit of numbers, in place of the magnitude.
    time_format : str, optional
        strptime format of texts.
    """
    kinds = set(map(type, values))
    if kinds == {str} and time_format is None:
        milliseconds = _texts(values)
    elif kinds in ({int}, {float}):
        milliseconds = _numbers(values, unit)
    else:
        milliseconds = None
    if milliseconds is None or not _in_range(milliseconds):
        return _one_by_one(values, unit, time_format)
    return milliseconds.view(TS_TYPE), {}


def time_ms(value: Any, unit: str | None = None, time_format: str | None = None) -> int:
    """One value as milliseconds since 1970 (UTC); raises ValueError with a reason that reads after the quoted value."""
    if value is None or value == "":
        raise ValueError("is no time; every record needs one")
    if isinstance(value, datetime):
        found = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        milliseconds = found // _MILLISECOND
    elif isinstance(value, str):
        milliseconds = _text_ms(value.strip(), unit, time_format)
    else:
        milliseconds = _number_ms(value, unit)
    if not 0 <= milliseconds < LAST_MS:
        raise ValueError("lies outside 1970 to 2106")
    return milliseconds


def time_ns(value: Any, unit: str | None = None, time_format: str | None = None) -> int:
    """As `time_ms`, in nanoseconds as far as the value has them: what durations are made of."""
    milliseconds = time_ms(value, unit, time_format)
    if isinstance(value, datetime):
        return milliseconds * 1_000_000 + value.microsecond % 1_000 * 1_000
    if isinstance(value, str):
        if time_format is None and (match := _RFC3339.fullmatch(value.strip())):
            return milliseconds * 1_000_000 + int((match[7] or "").ljust(9, "0")[3:9])
        if time_format is not None:
            return milliseconds * 1_000_000
    found = number(value)
    if found is None:
        return milliseconds * 1_000_000
    factor = UNIT_MS[unit] if unit else next(factor for limit, factor in _MAGNITUDES if found < limit)
    if isinstance(found, int):
        return found * round(factor * 1e6)
    return round(found * factor * 1e3) * 1_000  # a float of seconds has no more than microseconds


def _texts(values: Sequence[str]) -> pa.Array | None:
    """All at once, or None where one of them needs a closer look."""
    try:
        texts = pa.array(values, pa.string())
    except UnicodeEncodeError:  # bytes of a CSV file that are no text
        return None
    return milliseconds_of(texts)


def milliseconds_of(texts: pa.Array) -> pa.Array | None:
    """RFC 3339 texts as int64 milliseconds since 1970, or None where one of them needs a closer look; null stays null."""
    # Arrow takes dates and times without seconds, too; the shortest complete time has 19 characters.
    if (pc.min(pc.binary_length(texts)).as_py() or 0) < 19:
        return None
    first = texts[0].as_py() or ""
    zone = "UTC" if first[-1:] == "Z" or first[19:].rfind("+") >= 0 or first[19:].rfind("-") >= 0 else None
    try:
        nanoseconds = pc.cast(texts, pa.timestamp("ns", zone)).view(pa.int64())
    except pa.ArrowInvalid:
        return None
    if (pc.min(nanoseconds).as_py() or 0) < 0:  # a division would round them up, into 1970
        return None
    return pc.divide(nanoseconds, 1_000_000)


def _numbers(values: Sequence[Any], unit: str | None) -> pa.Array | None:
    try:
        found = np.asarray(values, np.int64 if isinstance(values[0], int) else np.float64)
    except OverflowError:
        return None
    return milliseconds_of_numbers(found, unit)


def milliseconds_of_numbers(found: np.ndarray, unit: str | None = None) -> pa.Array | None:
    """Numbers (int64 or float64, at least one) as int64 milliseconds since 1970, or None where one needs a closer look."""
    # What is out of range (or NaN) is looked at singly: it might wrap around here.
    highest = 2.0**62 / UNIT_MS[unit] if unit else 2.0**63
    if not (found.min() >= 0 and found.max() < min(highest, 2.0**63)):
        return None
    if unit is not None:
        return pa.array(_scaled(found, UNIT_MS[unit]))
    limits = [limit for limit, _ in _MAGNITUDES[:-1]]
    magnitude = np.searchsorted(np.asarray(limits), found, side="right")
    milliseconds = np.zeros(len(found), np.int64)
    for place in np.unique(magnitude):
        rows = magnitude == place
        milliseconds[rows] = _scaled(found[rows], _MAGNITUDES[place][1])
    return pa.array(milliseconds)


def _scaled(found: np.ndarray, factor: float) -> np.ndarray:
    """Numbers in units of `factor` milliseconds as whole milliseconds, rounded down."""
    if found.dtype == np.int64:
        return found * int(factor) if factor >= 1 else found // round(1 / factor)
    # 1700000000.123 s is 1700000000122.9999 ms in binary: rounding to the microsecond first keeps what was written.
    return np.floor(np.round(found * factor, 3)).astype(np.int64)


def _in_range(milliseconds: pa.Array) -> bool:
    bounds = pc.min_max(milliseconds).as_py()
    return bounds["min"] is not None and bounds["min"] >= 0 and bounds["max"] < LAST_MS


def _one_by_one(values: Sequence[Any], unit: str | None, time_format: str | None) -> tuple[pa.Array, dict[int, str]]:
    milliseconds: list[int] = []
    bad: dict[int, str] = {}
    for place, value in enumerate(values):
        try:
            milliseconds.append(time_ms(value, unit, time_format))
        except ValueError as error:
            bad[place] = f"ts: {quote(value)} {error}"
            milliseconds.append(0)
    return pa.array(milliseconds, pa.int64()).view(TS_TYPE), bad


def _text_ms(stripped: str, unit: str | None, time_format: str | None) -> int:
    if time_format is not None:
        return _formatted_ms(stripped, time_format)
    if _NUMBER.fullmatch(stripped):
        return _number_ms(int(stripped) if stripped.isdigit() else float(stripped), unit)
    match = _RFC3339.fullmatch(stripped)
    if not match:
        raise ValueError("is neither RFC 3339 nor a number")
    year, month, day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = match.groups()
    seconds = int(second or 0)
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), min(seconds, 59), tzinfo=UTC)
        if sign:
            offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes or 0))
            moment = moment.replace(tzinfo=timezone(offset if sign == "+" else -offset))
        if seconds > 60:
            raise ValueError("second must be in 0..60")
        return (moment - _EPOCH) // _MILLISECOND + (1000 if seconds == 60 else 0) + int((fraction or "0").ljust(3, "0")[:3])
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no time ({error})") from error


def _formatted_ms(stripped: str, time_format: str) -> int:
    try:
        moment = datetime.strptime(stripped, time_format)  # noqa: DTZ007  (a zone may be missing: UTC, as everywhere)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError) as error:
        raise ValueError(f"does not fit the time format {time_format!r}") from error


def _number_ms(value: Any, unit: str | None) -> int:
    try:
        found = number(value)
    except ValueError:
        raise ValueError("is neither RFC 3339 nor a number") from None
    if found is None or found < 0 or found > 2**63:
        raise ValueError("lies outside 1970 to 2106")
    factor = UNIT_MS[unit] if unit else next(factor for limit, factor in _MAGNITUDES if found < limit)
    if isinstance(found, int):
        return found * int(factor) if factor >= 1 else found // round(1 / factor)
    return int(np.floor(np.round(found * factor, 3)))
