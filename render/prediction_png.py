"""A what-if prediction as a PNG picture: how much each figure changes, with its interval, around "as it is"."""

import io
import math

from PIL import Image, ImageColor, ImageDraw, ImageFont

from core.predictions import PredictedMetric, Prediction
from render.theme import theme_of
from render.units import format_value

WIDTH = 1000
_ROW, _TOP, _BOTTOM = 46, 96, 56
_LEFT, _RIGHT = 250, 250
_TWICE = 2
_LEAST_SPAN = 0.02


def draw_prediction(found: Prediction) -> bytes:
    """The picture; raises ValueError where nothing was predicted."""
    rows = [one for one in found.metrics if math.isfinite(one.relative[0])]
    if not rows:
        raise ValueError("there is nothing to draw")
    return _Picture(found, rows).png()


class _Picture:
    """Drawn at twice the size and scaled down: Pillow's lines have steps."""

    def __init__(self, found: Prediction, rows: list[PredictedMetric]) -> None:
        self._found, self._rows, self._theme = found, rows, theme_of("light")
        self._height = _TOP + _ROW * len(rows) + _BOTTOM
        self._image = Image.new("RGB", (WIDTH * _TWICE, self._height * _TWICE), self._theme.surface)
        self._pen = ImageDraw.Draw(self._image, "RGBA")
        ends = [value for row in rows for value in row.relative if math.isfinite(value)]
        widest = max(*(abs(value) for value in ends), _LEAST_SPAN)
        self._low, self._high = min(0.0, *ends) - widest * 0.1, max(0.0, *ends) + widest * 0.1

    def png(self) -> bytes:
        self._words()
        self._axis()
        for place, row in enumerate(self._rows):
            self._row(row, (_TOP + _ROW * (place + 0.5)) * _TWICE)
        out = io.BytesIO()
        self._image.resize((WIDTH, self._height), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
        return out.getvalue()

    def _x(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return (_LEFT + share * (WIDTH - _LEFT - _RIGHT)) * _TWICE

    def _words(self) -> None:
        found, theme = self._found, self._theme
        self._pen.text((20 * _TWICE, 14 * _TWICE), found.name[:90], font=_font(19), fill=theme.text)
        span = f"{found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC"
        words = f"change against what was logged, with the {found.level:.0%} interval · {found.calls:,} calls · {span}"
        self._pen.text((20 * _TWICE, 42 * _TWICE), words, font=_font(13), fill=theme.muted)

    def _axis(self) -> None:
        theme, small = self._theme, _font(13)
        top, bottom = (_TOP - 8) * _TWICE, (self._height - _BOTTOM + 4) * _TWICE
        for value in _ticks(self._low, self._high):
            x = self._x(value)
            nought = abs(value) < 1e-12
            self._pen.line((x, top, x, bottom), fill=theme.axis if nought else theme.grid, width=(2 if nought else 1) * _TWICE)
            text = "as it is" if nought else f"{100 * value:+.3g} %"
            self._pen.text((x, bottom + 6 * _TWICE), text, font=small, fill=theme.muted, anchor="mt")

    def _row(self, row: PredictedMetric, y: float) -> None:
        theme, (change, low, high) = self._theme, row.relative
        better, worse = (low > 0, high < 0) if row.more_is_better else (high < 0, low > 0)
        colour = theme.series[1] if better else theme.anomaly if worse else theme.muted
        self._pen.text(((_LEFT - 16) * _TWICE, y), row.title, font=_font(13), fill=theme.text, anchor="rm")
        self._pen.line((self._x(low), y, self._x(high), y), fill=_colour(colour, 130), width=8 * _TWICE)
        x, r = self._x(change), 6 * _TWICE
        self._pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        words = f"{format_value(row.before, row.unit)} to {format_value(row.after, row.unit)}"
        self._pen.text(((WIDTH - _RIGHT + 16) * _TWICE, y), words, font=_font(13), fill=theme.text, anchor="lm")


def _ticks(low: float, high: float) -> list[float]:
    """About five round shares, nought among them."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    return [number * step for number in range(math.ceil(low / step - 1e-9), int(high / step + 1e-9) + 1)]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _TWICE)


def _colour(text: str, alpha: int) -> tuple[int, int, int, int]:
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue, alpha
