"""A picture of one series with its expected band and its anomaly, as PNG, drawn in the process without a browser.

Pillow draws at twice the size and scales down, which smooths lines that it would draw with steps (docs/decisions/0050).
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

from core.clock import floor_to
from render.theme import theme_of
from render.units import format_number, scale_for

WIDTH, HEIGHT = 900, 380
_TWICE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 20, 84, 34
_TICK_STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440))

Values = npt.NDArray[np.float64]
Point = tuple[float, float]
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn.

    Attributes
    ----------
    times : sequence of datetime
        Start of each step, aware, rising, evenly spaced.
    observed, lower, upper : ndarray of shape (n_times,)
        In `unit`; NaN is a gap.
    marked_from, marked_to : datetime or None
        The anomaly; without an end it lasts.
    threshold : float
        A line across; NaN: none.
    """

    title: str
    subtitle: str
    unit: str
    zone: ZoneInfo
    times: Sequence[datetime]
    observed: Values
    lower: Values
    upper: Values
    marked_from: datetime | None = None
    marked_to: datetime | None = None
    threshold: float = math.nan


def draw_png(chart: Chart) -> bytes:
    """The picture. Raises ValueError for a chart of fewer than two times or without any known value."""
    if len(chart.times) < 2 or not np.isfinite(chart.observed).any():
        raise ValueError("there is nothing to draw")
    return _Drawing(chart).png()


class _Drawing:
    def __init__(self, chart: Chart) -> None:
        self._chart, self._theme = chart, theme_of("light")
        self._image = Image.new("RGB", (WIDTH * _TWICE, HEIGHT * _TWICE), self._theme.surface)
        self._pen = ImageDraw.Draw(self._image, "RGBA")
        self._low, self._high = _value_span(chart)
        self._first_s = chart.times[0].timestamp()
        self._span_s = max(chart.times[-1].timestamp() - self._first_s, 1.0)

    def png(self) -> bytes:
        self._mark()
        self._grid()
        self._band()
        self._threshold()
        self._line()
        self._words()
        out = io.BytesIO()
        self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
        return out.getvalue()

    def _x(self, at: datetime) -> float:
        share = (at.timestamp() - self._first_s) / self._span_s
        return (_LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT)) * _TWICE

    def _y(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return (HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)) * _TWICE

    def _mark(self) -> None:
        if self._chart.marked_from is None:
            return
        left = self._x(self._chart.marked_from)
        right = max(self._x(self._chart.marked_to or self._chart.times[-1]), left + 4 * _TWICE)
        top, bottom = _TOP * _TWICE, (HEIGHT - _BOTTOM) * _TWICE
        self._pen.rectangle((left, top, right, bottom), fill=_colour(self._theme.anomaly, 36))
        self._pen.line((left, top, left, bottom), fill=_colour(self._theme.anomaly, 255), width=_TWICE)

    def _grid(self) -> None:
        scale = scale_for(self._chart.unit, max(abs(self._low), abs(self._high)))
        small, grey = _font(13), self._theme.muted
        for value in _ticks(self._low * scale.factor, self._high * scale.factor):
            y = self._y(value / scale.factor)
            self._pen.line((_LEFT * _TWICE, y, (WIDTH - _RIGHT) * _TWICE, y), fill=self._theme.grid, width=_TWICE)
            self._pen.text(((_LEFT - 8) * _TWICE, y), format_number(value), font=small, fill=grey, anchor="rm")
        for at, text in _time_ticks(self._chart):
            x = self._x(at)
            self._pen.line((x, (HEIGHT - _BOTTOM) * _TWICE, x, (HEIGHT - _BOTTOM + 5) * _TWICE), fill=grey, width=_TWICE)
            self._pen.text((x, (HEIGHT - _BOTTOM + 8) * _TWICE), text, font=small, fill=grey, anchor="mt")

    def _band(self) -> None:
        chart = self._chart
        for start, end in _runs(np.isfinite(chart.lower) & np.isfinite(chart.upper)):
            upper = [(self._x(chart.times[i]), self._y(float(chart.upper[i]))) for i in range(start, end)]
            lower = [(self._x(chart.times[i]), self._y(float(chart.lower[i]))) for i in range(start, end)]
            if len(upper) > 1:
                self._pen.polygon([*upper, *reversed(lower)], fill=_colour(self._theme.series[0], 48))

    def _threshold(self) -> None:
        if math.isfinite(self._chart.threshold):
            y = self._y(self._chart.threshold)
            for left in range(_LEFT, WIDTH - _RIGHT, 12):
                self._pen.line((left * _TWICE, y, (left + 7) * _TWICE, y), fill=self._theme.anomaly, width=2 * _TWICE)

    def _line(self) -> None:
        chart, colour = self._chart, self._theme.series[0]
        for start, end in _runs(np.isfinite(chart.observed)):
            points: list[Point] = [(self._x(chart.times[i]), self._y(float(chart.observed[i]))) for i in range(start, end)]
            if len(points) == 1:
                (x, y), r = points[0], 2 * _TWICE
                self._pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
            else:
                self._pen.line(points, fill=colour, width=2 * _TWICE, joint="curve")

    def _words(self) -> None:
        chart = self._chart
        scale = scale_for(chart.unit, max(abs(self._low), abs(self._high)))
        wide = (WIDTH - 40) * _TWICE
        self._pen.text((20 * _TWICE, 16 * _TWICE), _fitted(chart.title, _font(19), wide), font=_font(19), fill=self._theme.text)
        words = f"{chart.subtitle} · {scale.label} · {chart.zone.key}"
        self._pen.text((20 * _TWICE, 42 * _TWICE), _fitted(words, _font(13), wide), font=_font(13), fill=self._theme.muted)
        x = 20.0 * _TWICE
        for colour, alpha, text in self._legend():
            self._pen.rectangle((x, 65 * _TWICE, x + 18 * _TWICE, 75 * _TWICE), fill=_colour(colour, alpha))
            x += 24 * _TWICE
            self._pen.text((x, 70 * _TWICE), text, font=_font(13), fill=self._theme.text, anchor="lm")
            x += self._pen.textlength(text, font=_font(13)) + 18 * _TWICE

    def _legend(self) -> list[tuple[str, int, str]]:
        chart = self._chart
        entries = [(self._theme.series[0], 255, "observed")]
        if np.isfinite(chart.lower).any():
            entries.append((self._theme.series[0], 48, "expected"))
        if math.isfinite(chart.threshold):
            entries.append((self._theme.anomaly, 255, "limit"))
        if chart.marked_from is not None:
            entries.append((self._theme.anomaly, 36, "incident"))
        return entries


def _value_span(chart: Chart) -> tuple[float, float]:
    """What the vertical axis covers: everything drawn, and zero; a band far above what was seen is cut."""
    seen = chart.observed[np.isfinite(chart.observed)]
    most = float(seen.max())
    others = [float(value) for value in (chart.threshold,) if math.isfinite(value)]
    band = np.concatenate([chart.lower, chart.upper])
    band = band[np.isfinite(band)]
    if band.size:
        others.append(min(float(band.max()), 4 * most if most > 0 else float(band.max())))
    low, high = min(0.0, float(seen.min())), max([most, *others])
    return low, high + (high - low) * 0.08 if high > low else low + 1.0


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers (1, 2 or 5 times a power of ten) within a span."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, int(high / step) + 1)]


def _time_ticks(chart: Chart) -> list[tuple[datetime, str]]:
    span = chart.times[-1] - chart.times[0]
    step = next((one for one in _TICK_STEPS if span / one <= 8), _TICK_STEPS[-1])
    at, found = floor_to(chart.times[0], step), []
    while at <= chart.times[-1]:
        if at >= chart.times[0]:
            local = at.astimezone(chart.zone)
            found.append((at, f"{local:%d %b}" if (local.hour, local.minute) == (0, 0) else f"{local:%H:%M}"))
        at += step
    return found[:12]


def _runs(known: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open spans of consecutive True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _font(size: int) -> _Font:
    return ImageFont.load_default(size * _TWICE)


def _fitted(text: str, font: _Font, wide: float) -> str:
    """`text`, cut where it would leave the picture."""
    line = " ".join(text.split())[:300]
    if font.getlength(line) <= wide:
        return line
    while line and font.getlength(line + "…") > wide:
        line = line[: int(len(line) * 0.95)]
    return line + "…"


def _colour(text: str, alpha: int) -> tuple[int, int, int, int]:
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue, alpha
