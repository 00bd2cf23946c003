"""A gate's verdict as a PNG picture, drawn in the process: each metric's change in floors, with its interval.

All metrics have one axis: the change divided by the least change that counts, bad to the right. Pillow draws at twice the size
and scales down.
"""

import io
import math

from PIL import Image, ImageColor, ImageDraw, ImageFont

from core.gating import GateReport, MetricVerdict, Outcome, Verdict
from render.gate_words import heading, relative_words, shown, value_words
from render.theme import theme_of

WIDTH = 1000
_TWICE = 2
_LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 470, 190, 96, 40, 52
_MOST = 6.0
"""Floors at the ends of the axis; what lies beyond is drawn there."""


def draw_gate(report: GateReport) -> bytes:
    """The picture."""
    return _Picture(report).png()


class _Picture:
    def __init__(self, report: GateReport) -> None:
        self._report, self._theme, self._rows = report, theme_of("light"), shown(report)
        self._height = _TOP + _ROW * max(len(self._rows), 1) + _BOTTOM
        self._image = Image.new("RGB", (WIDTH * _TWICE, self._height * _TWICE), self._theme.surface)
        self._pen = ImageDraw.Draw(self._image, "RGBA")

    def png(self) -> bytes:
        self._axis()
        for number, one in enumerate(self._rows):
            self._row(_TOP + _ROW * (number + 0.5), one)
        self._words()
        out = io.BytesIO()
        self._image.resize((WIDTH, self._height), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
        return out.getvalue()

    def _axis(self) -> None:
        top, bottom = _TOP * _TWICE, (self._height - _BOTTOM) * _TWICE
        self._pen.rectangle((self._x(1.0), top, self._x(_MOST), bottom), fill=_colour(self._theme.anomaly, 20))
        for value in (-6, -3, 0, 3, 6):
            self._pen.line((self._x(value), top, self._x(value), bottom), fill=self._theme.grid, width=_TWICE)
            self._text(self._x(value), bottom + 8 * _TWICE, f"{value:+d}" if value else "0", 13, self._theme.muted, "mt")
        self._pen.line((self._x(0), top, self._x(0), bottom), fill=self._theme.muted, width=_TWICE)
        for y in range(_TOP, self._height - _BOTTOM, 12):
            self._pen.line((self._x(1.0), y * _TWICE, self._x(1.0), (y + 6) * _TWICE), fill=self._theme.anomaly, width=_TWICE)
        words = "change in floors: from 1 on it counts; worse is right"
        self._text((self._x(-_MOST) + self._x(_MOST)) / 2, bottom + 28 * _TWICE, words, 13, self._theme.muted, "mt")

    def _row(self, y: float, one: MetricVerdict) -> None:
        at = y * _TWICE
        self._text(20 * _TWICE, at, one.title, 14, self._theme.text, "lm")
        values = f"{value_words(one, one.before)} to {value_words(one, one.after)}".replace("×", "x")  # the font lacks it
        self._text((_LEFT - 12) * _TWICE, at, values, 13, self._theme.muted, "rm")
        colour = self._verdict_colour(one.verdict)
        if math.isfinite(one.difference) and one.floor > 0:
            sign = -1.0 if one.metric == "tps" else 1.0
            ends = sorted(sign * value / one.floor for value in (one.lower, one.upper) if math.isfinite(value))
            if len(ends) == 2:
                self._pen.line((self._x(ends[0]), at, self._x(ends[1]), at), fill=colour, width=3 * _TWICE)
            x, r = self._x(sign * one.difference / one.floor), 5 * _TWICE
            self._pen.ellipse((x - r, at - r, x + r, at + r), fill=colour)
        relative = relative_words(one)
        words = f"{relative}  {one.verdict}" if relative else str(one.verdict)
        self._text((WIDTH - _RIGHT + 14) * _TWICE, at, words, 13, colour, "lm")

    def _words(self) -> None:
        report = self._report
        colour = {Outcome.PASSED: self._theme.series[1], Outcome.REGRESSION: self._theme.anomaly}
        self._text(20 * _TWICE, 14 * _TWICE, f"Gate {heading(report)}", 19, colour.get(report.outcome, self._theme.text), "la")
        sides = [(name, mix.words, mix.calls.sum()) for name, mix in (("candidate", report.after), ("baseline", report.before))]
        for line, (name, words, calls) in enumerate(sides):
            text = _short(f"{name}: {words}, {calls:,.0f} calls", 130)
            self._text(20 * _TWICE, (44 + 20 * line) * _TWICE, text, 13, self._theme.muted, "la")

    def _x(self, floors: float) -> float:
        share = (min(max(floors, -_MOST), _MOST) + _MOST) / (2 * _MOST)
        return (_LEFT + share * (WIDTH - _LEFT - _RIGHT)) * _TWICE

    def _text(self, x: float, y: float, text: str, size: int, colour: str, anchor: str) -> None:
        self._pen.text((x, y), text, font=ImageFont.load_default(size * _TWICE), fill=colour, anchor=anchor)

    def _verdict_colour(self, verdict: Verdict) -> str:
        if verdict is Verdict.REGRESSION:
            return self._theme.anomaly
        if verdict in (Verdict.TOO_FEW, Verdict.UNKNOWN, Verdict.TOLD):
            return self._theme.muted
        return self._theme.series[1] if verdict is Verdict.IMPROVEMENT else self._theme.series[0]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _colour(text: str, alpha: int) -> tuple[int, int, int, int]:
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue, alpha
