"""A forecast's fan of quantiles as a PNG picture, drawn in the process without a browser.

Pillow draws at twice the size and scales down, which smooths lines that it would draw with steps.
"""

import io
import math
from datetime import UTC, timedelta

import pandas as pd
from PIL import Image, ImageColor, ImageDraw, ImageFont

from core.types import ForecastRun
from render.theme import theme_of
from render.units import format_number, scale_for

WIDTH, HEIGHT = 1000, 420
_TWICE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 24, 92, 40
_STEPS = tuple(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 168, 336, 672))
_MOST_LABELS = 9


def draw_forecast(run: ForecastRun, frame: pd.DataFrame) -> bytes:
    """The picture of `frame` (`ts`, `mean` and quantiles; two rows or more): 90 % and 50 % ranges and the median.

    Raises ValueError for fewer rows.
    """
    if len(frame) < 2:
        raise ValueError("there is nothing to draw")
    return _Picture(run, frame).png()


class _Picture:
    def __init__(self, run: ForecastRun, frame: pd.DataFrame) -> None:
        self._run, self._frame, self._theme = run, frame, theme_of("light")
        self._image = Image.new("RGB", (WIDTH * _TWICE, HEIGHT * _TWICE), self._theme.surface)
        self._pen = ImageDraw.Draw(self._image, "RGBA")
        self._low = min(0.0, float(frame["q05"].min()))
        self._high = float(frame["q95"].max()) * 1.05 or 1.0
        self._scale = scale_for(run.unit, max(abs(self._low), abs(self._high)))
        self._first = frame["ts"].iloc[0]
        self._span = frame["ts"].iloc[-1] - self._first

    def png(self) -> bytes:
        self._grid()
        for low, high, alpha in (("q05", "q95", 48), ("q25", "q75", 90)):
            self._pen.polygon([*self._points(high), *reversed(self._points(low))], fill=_colour(self._theme.series[0], alpha))
        self._pen.line(self._points("q50"), fill=self._theme.series[0], width=2 * _TWICE, joint="curve")
        self._words()
        out = io.BytesIO()
        self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
        return out.getvalue()

    def _points(self, column: str) -> list[tuple[float, float]]:
        return [(self._x(at), self._y(value)) for at, value in zip(self._frame["ts"], self._frame[column], strict=True)]

    def _x(self, at: pd.Timestamp) -> float:
        share = float((at - self._first) / self._span)
        return (_LEFT + share * (WIDTH - _LEFT - _RIGHT)) * _TWICE

    def _y(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return (HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)) * _TWICE

    def _grid(self) -> None:
        small, grey = ImageFont.load_default(13 * _TWICE), self._theme.muted
        for value in _round_numbers(self._low * self._scale.factor, self._high * self._scale.factor):
            y = self._y(value / self._scale.factor)
            self._pen.line((_LEFT * _TWICE, y, (WIDTH - _RIGHT) * _TWICE, y), fill=self._theme.grid, width=_TWICE)
            self._pen.text(((_LEFT - 8) * _TWICE, y), format_number(value), font=small, fill=grey, anchor="rm")
        step = next((one for one in _STEPS if self._span / one < _MOST_LABELS), _STEPS[-1])
        for at in pd.date_range(self._first.ceil(step), self._frame["ts"].iloc[-1], freq=step):
            text = f"{at:%d %b}" if at == at.floor("D") else f"{at:%H:%M}"
            x, bottom = self._x(at), (HEIGHT - _BOTTOM) * _TWICE
            self._pen.line((x, bottom, x, bottom + 5 * _TWICE), fill=grey, width=_TWICE)
            self._pen.text((x, bottom + 9 * _TWICE), text, font=small, fill=grey, anchor="mt")

    def _words(self) -> None:
        run, small = self._run, ImageFont.load_default(13 * _TWICE)
        title = _short(f"{run.metric}: {run.selector.words}", 90)
        self._pen.text((20 * _TWICE, 14 * _TWICE), title, font=ImageFont.load_default(19 * _TWICE), fill=self._theme.text)
        error = (
            f"back-tested error {run.error_mase:.2f} of last week's" if run.error_mase == run.error_mase else "not back-tested"
        )
        made = f"{self._scale.label} · UTC · made {run.made_at.astimezone(UTC):%Y-%m-%d %H:%M} · {error} · {run.model}"
        self._pen.text((20 * _TWICE, 40 * _TWICE), _short(made, 150), font=small, fill=self._theme.muted)
        x = 20.0 * _TWICE
        for alpha, text in ((255, "median"), (90, "25 to 75 %"), (48, "5 to 95 %")):
            self._pen.rectangle((x, 66 * _TWICE, x + 18 * _TWICE, 76 * _TWICE), fill=_colour(self._theme.series[0], alpha))
            self._pen.text((x + 24 * _TWICE, 71 * _TWICE), text, font=small, fill=self._theme.text, anchor="lm")
            x += 42 * _TWICE + self._pen.textlength(text, font=small)
        learned = f"learned from {run.trained_from.astimezone(UTC):%Y-%m-%d} to {run.trained_to.astimezone(UTC):%Y-%m-%d}"
        self._pen.text(((WIDTH - _RIGHT) * _TWICE, 71 * _TWICE), learned, font=small, fill=self._theme.muted, anchor="rm")


def _round_numbers(low: float, high: float) -> list[float]:
    """About five round numbers (1, 2 or 5 times a power of ten) within a span."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    return [number * step for number in range(math.ceil(low / step - 1e-9), int(high / step) + 1)]


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _colour(text: str, alpha: int) -> tuple[int, int, int, int]:
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue, alpha
