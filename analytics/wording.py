"""Numbers and times as people write them, for explanations."""

from datetime import datetime

from core.series import METRICS


def number(value: float) -> str:
    """Three significant digits, no exponent: 1234567 → `1,230,000`, 0.0421 → `0.0421`."""
    if value != value:
        return "unknown"
    if value == 0 or abs(value) < 1e-4:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.6g}"


def quantity(metric: str, value: float) -> str:
    """A value of a metric with its unit: `42 %`, `2.1 s`, `850 ms`, `0.42 calls/s`."""
    unit = METRICS[metric].unit
    if unit == "1":
        return f"{_percent(value)} %"
    if unit == "ms":
        return f"{number(value / 1000.0)} s" if value >= 1000.0 else f"{number(value)} ms"
    return f"{number(value)} {unit}"


def span(metric: str, lower: float, upper: float) -> str:
    """A range of a metric, its unit once where both ends share it: `0.2–1.5 %`."""
    low, high = quantity(metric, lower), quantity(metric, upper)
    low_number, _, low_unit = low.partition(" ")
    _, _, high_unit = high.partition(" ")
    return f"{low_number}–{high}" if low_unit == high_unit else f"{low} – {high}"


def clock_time(at: datetime, beside: datetime | None = None) -> str:
    """`14:03`; with the date where it is not the date of `beside`."""
    return f"{at:%H:%M}" if beside is not None and at.date() == beside.date() else f"{at:%Y-%m-%d %H:%M}"


def _percent(value: float) -> str:
    if value != value:
        return "unknown"
    percent = value * 100.0
    return f"{percent:.0f}" if percent >= 10 or percent < 0.005 else f"{percent:.2g}"
