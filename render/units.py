"""How numbers are written for people: the metric's unit, three significant digits, `no data` for what is unknown.

Units are those of `core.series.METRICS`; `1` is a ratio in [0, 1] and is shown as a percentage.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

UNKNOWN = "no data"

_LARGE = ((999_500_000.0, 1e9, "G"), (999_500.0, 1e6, "M"), (9_999.5, 1e3, "k"))
"""From which size on, what it is divided by, and the letter; the sizes round up to the divisor at three digits."""

_PER_SECOND_BYTES = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What values are multiplied with before they are drawn, and the unit they have then.

    Attributes
    ----------
    label : str
        As axis titles show it; never empty.
    suffix : str
        Put behind a number, with its space: ` ms`, ` %`.
    """

    factor: float
    label: str
    suffix: str


def scale_for(unit: str, largest: float) -> Scale:
    """The scale in which values of `unit` up to `largest` read well.

    NaN and infinity as `largest` count as small.
    """
    size = abs(largest) if math.isfinite(largest) else 0.0
    if unit == "1":
        return Scale(factor=100.0, label="%", suffix=" %")
    if unit == "ms" and size >= 10_000:
        return Scale(factor=0.001, label="s", suffix=" s")
    if unit == "B/s":
        for floor, label in _PER_SECOND_BYTES:
            if size >= floor:
                return Scale(factor=1 / floor, label=label, suffix=f" {label}")
    return Scale(factor=1.0, label=unit or "value", suffix=f" {unit}" if unit else "")


def format_number(value: float) -> str:
    """Three significant digits with thousands separators: `0.0123`, `4.8`, `182`, `1,234`, `52.1k`, `3.4M`."""
    if not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    for floor, divisor, suffix in _LARGE:
        if size >= floor:
            return _plain(value / divisor) + suffix
    return _plain(value)


def format_value(value: float, unit: str) -> str:
    """A value with its unit: `1.2 s`, `0.8 %`, `52.1k tokens/s`; `no data` for NaN."""
    if not math.isfinite(value):
        return UNKNOWN
    scale = scale_for(unit, value)
    return format_number(value * scale.factor) + scale.suffix


def format_range(lower: float, upper: float, unit: str) -> str:
    """A range in one unit: `3.1 to 5.4 calls/s`; `no data` when either end is NaN."""
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return UNKNOWN
    scale = scale_for(unit, max(abs(lower), abs(upper)))
    return f"{format_number(lower * scale.factor)} to {format_number(upper * scale.factor)}{scale.suffix}"


def format_bytes(count: int) -> str:
    """`3.2 MB`, of 1,000 bytes to the kB."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{format_number(size)} {unit}"


def unit_words(unit: str) -> str:
    """The unit for a chart's heading: `%` for a ratio, the unit itself otherwise."""
    return "%" if unit == "1" else unit


def format_span(duration: timedelta) -> str:
    """A duration in its two largest units: `45 s`, `12 min`, `3 h 20 min`, `14 d`."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    parts = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2])


def format_time(moment: datetime, zone: tzinfo = UTC) -> str:
    """`2026-03-01 14:05` in `zone`."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _plain(value: float) -> str:
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
    text = f"{value:,.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
