"""The days of a review as bars in SVG: this period filled, the one before in outline, so that it reads without colours."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

from core.reviews import Review
from render.theme import LIGHT
from render.units import format_value

_WIDE, _HIGH, _BELOW, _ABOVE = 900, 190, 24, 26


def days_chart(made: Review) -> str:
    """An SVG element; empty where no day had calls."""
    known = [value for _, value in made.days if math.isfinite(value)]
    if not known:
        return ""
    most, wide = max(max(known), 1e-9), _WIDE / len(made.days)
    zone = ZoneInfo(made.period.zone)
    every = 1 if len(made.days) <= 14 else 7
    bars = [
        _bar(day.astimezone(zone), value, place * wide, wide, value / most, now=day >= made.period.start)
        + (_label(day.astimezone(zone), place * wide + wide / 2) if place % every == 0 else "")
        for place, (day, value) in enumerate(made.days)
    ]
    top = f"<text x=0 y=13 font-size=13 fill='{LIGHT.muted}'>busiest day {format_value(most, 'calls/s')}</text>"
    key = (
        f"<rect x={_WIDE - 290} y=3 width=12 height=12 fill=none stroke='{LIGHT.muted}'/>"
        f"<text x={_WIDE - 272} y=13 font-size=13 fill='{LIGHT.muted}'>the {made.period.kind} before</text>"
        f"<rect x={_WIDE - 130} y=3 width=12 height=12 fill='{LIGHT.series[0]}'/>"
        f"<text x={_WIDE - 112} y=13 font-size=13 fill='{LIGHT.muted}'>this {made.period.kind}</text>"
    )
    label = "Mean calls a second of each day"
    return f"<svg viewBox='0 0 {_WIDE} {_HIGH}' role=img aria-label='{label}'>{top}{key}{''.join(bars)}</svg>"


def _bar(day: datetime, value: float, x: float, wide: float, share: float, *, now: bool) -> str:
    if not math.isfinite(value):
        return ""
    high = max(share * (_HIGH - _BELOW - _ABOVE), 1.0)
    look = f"fill='{LIGHT.series[0]}'" if now else f"fill=none stroke='{LIGHT.muted}'"
    place = f"x={x + wide * 0.12:.1f} y={_HIGH - _BELOW - high:.1f} width={wide * 0.76:.1f} height={high:.1f}"
    return f"<rect {place} {look}><title>{day:%a %d %b %Y}: {format_value(value, 'calls/s')}</title></rect>"


def _label(day: datetime, x: float) -> str:
    return f"<text x={x:.1f} y={_HIGH - 7} font-size=13 text-anchor=middle fill='{LIGHT.muted}'>{day:%a} {day.day}</text>"
