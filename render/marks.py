"""What happened, marked on a chart of time: anomalies, incidents, spans that people have spoken about, changes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from render.parts import Mark, MarkKind, Span
from render.plotly_text import clock_texts, wrapped
from render.theme import Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """How a kind is drawn: a symbol at a height of its own (a share of the chart's), over a shaded span or a line."""

    symbol: str
    height: float
    faint: str
    shaded: bool = True
    dash: str = "solid"


_STYLES = {
    MarkKind.ANOMALY: _Style(symbol="triangle-down", faint="triangle-down-open", height=0.965),
    MarkKind.INCIDENT: _Style(symbol="diamond", faint="diamond-open", height=0.90, shaded=False),
    MarkKind.QUIET: _Style(symbol="square", faint="square-open", height=0.04),
    MarkKind.CHANGE: _Style(symbol="star", faint="star-open", height=0.965, shaded=False, dash="dot"),
    MarkKind.MADE: _Style(symbol="pentagon", faint="pentagon-open", height=0.03, shaded=False, dash="dot"),
}


def add_marks(fig: go.Figure, marks: Sequence[Mark], span: Span, theme: Theme) -> None:
    """Draw those of `marks` that lie in the span, each kind as one trace of its name, with shapes of its name below it."""
    shown = [mark for mark in marks if mark.start < span.end and (mark.end is None or mark.end > span.start)]
    for kind, style in _STYLES.items():
        mine = [mark for mark in shown if mark.kind is kind]
        if mine:
            _add_kind(fig, kind, style, mine, span, theme)
    if shown:
        fig.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})


def _add_kind(fig: go.Figure, kind: MarkKind, style: _Style, marks: Sequence[Mark], span: Span, theme: Theme) -> None:
    color = {MarkKind.ANOMALY: theme.anomaly, MarkKind.INCIDENT: theme.incident}.get(kind, theme.muted)
    fill = theme.anomaly_fill if kind is MarkKind.ANOMALY else theme.quiet_fill
    starts = [max(mark.start, span.start) for mark in marks]
    ends = [min(mark.end or span.end, span.end) for mark in marks]
    lefts, rights = clock_texts(pd.Series(starts), span), clock_texts(pd.Series(ends), span)
    shapes = []
    for mark, left, right in zip(marks, lefts, rights, strict=True):
        if style.shaded:
            shape = {"type": "rect", "x0": left, "x1": right, "y0": 0, "y1": 1, "fillcolor": fill, "line": {"width": 0}}
        elif kind is MarkKind.INCIDENT:
            shape = {
                "type": "line",
                "x0": left,
                "x1": right,
                "y0": style.height,
                "y1": style.height,
                "line": {"width": 2, "color": color},
            }
        else:
            shape = {
                "type": "line",
                "x0": left,
                "x1": left,
                "y0": 0,
                "y1": 1,
                "line": {"width": 1, "color": color, "dash": style.dash},
            }
        common = {"xref": "x", "yref": "paper", "name": kind.value, "layer": "below"}
        shapes.append({**shape, **common, "opacity": 1.0 if mark.strong else 0.55})
    fig.layout.shapes += tuple(shapes)  # at once: each assignment looks at all that are there
    fig.add_scatter(
        x=lefts,
        y=[style.height] * len(marks),
        yaxis="y2",
        name=kind.value,
        mode="markers",
        marker={
            "symbol": [style.symbol if mark.strong else style.faint for mark in marks],
            "size": 10 if kind is MarkKind.ANOMALY else 9,
            "color": color,
            "line": {"width": 1.5, "color": color},
        },
        cliponaxis=False,
        customdata=[wrapped(mark.text) for mark in marks],
        hovertemplate=f"%{{customdata}}<extra>{kind.value}</extra>",
    )
