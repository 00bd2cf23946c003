"""Frames in, Plotly figures out: a metric over time with what was expected of it, and a forecast as a fan of quantiles.

Plotly draws wall clocks, not instants: times are shifted to the span's zone before they are handed over. In the hour that a
clock is set back, two hours of data therefore share the axis.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from render.marks import add_marks
from render.parts import Band, Limit, Line, Mark, Span
from render.plotly_text import as_column, clock_texts, safe_text, wrapped
from render.theme import Theme, base_layout
from render.thinning import thinned
from render.units import Scale, format_range, format_value, scale_for

_FAR = 2.0
"""A limit beyond this many times the largest value is written at the edge instead of being drawn: it would flatten the data."""

_TICKS = [
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S\n%a %d %b"},
    {"dtickrange": [60_000, 43_200_000], "value": "%H:%M\n%a %d %b"},
    {"dtickrange": [43_200_000, 604_800_000], "value": "%a %d\n%b %Y"},
    {"dtickrange": [604_800_000, "M1"], "value": "%d %b\n%Y"},
    {"dtickrange": ["M1", None], "value": "%b\n%Y"},
]


def timeseries(
    lines: Sequence[Line],
    span: Span,
    unit: str,
    theme: Theme,
    *,
    title: str = "",
    band: Band | None = None,
    marks: Sequence[Mark] = (),
    limits: Sequence[Limit] = (),
    revision: str = "",
) -> go.Figure:
    """A metric over time.

    Parameters
    ----------
    lines : sequence of Line
        Drawn in order, in the theme's colours; NaN breaks a line, a lone point is drawn as a dot. Of more points than a
        chart can show, the lowest and the highest are drawn.
    band : Band, optional
        Shaded, with its expected value as a dotted line.
    marks : sequence of Mark
        What happened: see `render/marks.py`.
    limits : sequence of Limit
        Dashed lines; one far above the data is named at the upper edge instead.
    title : str
        Drawn above the figure; empty where the page around it has the heading.
    revision : str
        While it stays the same, a new figure keeps the reader's zoom and hidden series.
    """
    largest = _largest([line.frame["value"] for line in lines])
    scale = scale_for(unit, largest)
    fig = time_axis(span, scale, largest * scale.factor, theme, revision, title=title)
    if band is not None and not band.frame.empty:
        _add_band(fig, band, span, unit, scale, theme)
    for index, line in enumerate(lines):
        color, dash = theme.style(index)
        _add_line(fig, line, span, scale, theme.muted if line.quiet else color, dash=line.dash or dash)
    add_marks(fig, marks, span, theme)
    drawn = [line.frame["value"] for line in lines] + ([band.frame["upper"]] if band is not None else [])
    _add_limits(fig, limits, _largest(drawn), span, unit, scale, theme)
    fig.update_layout(showlegend=len(fig.data) > 1 and (len(lines) > 1 or band is not None or bool(limits)))
    return fig


def forecast_fan(
    history: Line,
    frame: pd.DataFrame,
    span: Span,
    unit: str,
    theme: Theme,
    *,
    title: str = "",
    limits: Sequence[Limit] = (),
    revision: str = "",
) -> go.Figure:
    """History and what is expected to follow it.

    Parameters
    ----------
    history : Line
        What was observed.
    frame : DataFrame
        `ts`, `mean` and the columns of `QUANTILE_COLUMNS`: the 5 to 95 % and 25 to 75 % ranges are shaded, the median is a
        line, the mean a dotted one.
    """
    largest = _largest([history.frame["value"], frame["q95"], frame["mean"]])
    scale = scale_for(unit, largest)
    fig = time_axis(span, scale, largest * scale.factor, theme, revision, title=title)
    first = frame["ts"].iloc[0] if not frame.empty else None
    frame = thinned(frame, "q05", "q95")
    x = as_column(clock_texts(frame["ts"], span))
    for low, high, name, fill in (
        ("q05", "q95", "5 to 95 % of outcomes", theme.fan_outer),
        ("q25", "q75", "25 to 75 % of outcomes", theme.fan_inner),
    ):
        words = [format_range(a, b, unit) for a, b in zip(frame[low], frame[high], strict=True)]
        _add_area(fig, x, frame[low] * scale.factor, frame[high] * scale.factor, name, fill, words)
    _add_line(fig, history, span, scale, theme.muted)
    median = Line(name="median", frame=pd.DataFrame({"ts": frame["ts"], "value": frame["q50"]}))
    _add_line(fig, median, span, scale, theme.series[0])
    mean = Line(name="mean", frame=pd.DataFrame({"ts": frame["ts"], "value": frame["mean"]}))
    _add_line(fig, mean, span, scale, theme.series[2], dash="dot", width=1.25)
    fig.data[-1].visible = "legendonly"
    if first is not None:
        _add_now(fig, first, span, theme)
    _add_limits(fig, limits, largest, span, unit, scale, theme)
    fig.update_layout(showlegend=True)
    return fig


def tick_format(largest: float) -> str:
    """How an axis that ends near `largest` writes its numbers (d3's notation): `k` and `M` only where numbers are long."""
    return "~s" if largest >= 10_000 else ",~g"


def is_empty(frame: pd.DataFrame) -> bool:
    """Whether a series' frame has no known value at all."""
    return frame.empty or bool(frame["value"].isna().all())


def time_axis(span: Span, scale: Scale, largest: float, theme: Theme, revision: str, *, title: str = "") -> go.Figure:
    """An empty figure over a span, for values up to `largest` in the unit of `scale`."""
    layout = base_layout(theme)
    start, end = clock_texts(pd.Series([span.start, span.end]), span)
    layout["xaxis"] |= {"type": "date", "range": [start, end], "tickformatstops": _TICKS, "nticks": 8}
    layout["yaxis"] |= {"ticksuffix": scale.suffix if len(scale.suffix) <= 3 else "", "tickformat": tick_format(largest)}
    if title:
        layout["title"] = {"text": title, "x": 0, "xanchor": "left", "font": {"size": 15, "color": theme.text}}
        layout["margin"] |= {"t": 64}
    layout["uirevision"] = revision or "kept"
    layout["xaxis"]["hoverformat"] = "%a %d %b %Y %H:%M"
    return go.Figure(layout=layout)


def _add_line(
    fig: go.Figure, line: Line, span: Span, scale: Scale, color: str, *, dash: str = "solid", width: float = 1.75
) -> None:
    frame = thinned(line.frame)
    values = frame["value"].to_numpy(dtype=float) * scale.factor
    lone = _lone(values)
    mode = "lines+markers" if lone.any() else "lines"
    fig.add_scatter(
        x=as_column(clock_texts(frame["ts"], span)),
        y=_plain(values),
        name=line.name,
        mode=mode,
        connectgaps=False,
        line={"color": color, "width": width, "dash": dash},
        meta=line.link or None,
        marker={"color": color, "size": np.where(lone, 5, 0).tolist()} if lone.any() else None,
        hovertemplate=f"%{{y:,.4~r}}{scale.suffix}<extra>{safe_text(line.name)}</extra>",
    )


def _add_band(fig: go.Figure, band: Band, span: Span, unit: str, scale: Scale, theme: Theme) -> None:
    frame = thinned(band.frame, "lower", "upper")
    x = as_column(clock_texts(frame["ts"], span))
    words = [format_range(a, b, unit) for a, b in zip(frame["lower"], frame["upper"], strict=True)]
    _add_area(fig, x, frame["lower"] * scale.factor, frame["upper"] * scale.factor, band.name, theme.band, words)
    fig.add_scatter(
        x=x,
        y=_plain(frame["expected"].to_numpy(dtype=float) * scale.factor),
        name="expected",
        mode="lines",
        line={"color": theme.expected, "width": 1, "dash": "dot"},
        showlegend=False,
        legendgroup=band.name,
        hoverinfo="skip",
    )


def _add_area(
    fig: go.Figure, x: np.ndarray, lower: pd.Series, upper: pd.Series, name: str, fill: str, words: list[str]
) -> None:
    """Two edges and the ground between them; the lower edge is silent, the upper one carries the legend and the text."""
    common = {"x": x, "mode": "lines", "line": {"width": 0}, "legendgroup": name}
    fig.add_scatter(**common, y=_plain(lower.to_numpy(dtype=float)), showlegend=False, hoverinfo="skip", name=f"{name}, low")
    fig.add_scatter(
        **common,
        y=_plain(upper.to_numpy(dtype=float)),
        name=name,
        fill="tonexty",
        fillcolor=fill,
        customdata=as_column(words),
        hovertemplate=f"%{{customdata}}<extra>{safe_text(name)}</extra>",
    )


def _add_limits(
    fig: go.Figure, limits: Sequence[Limit], largest: float, span: Span, unit: str, scale: Scale, theme: Theme
) -> None:
    far = []
    for limit in limits:
        if np.isfinite(largest) and largest > 0 and limit.value > largest * _FAR:
            far.append(f"{limit.name}, {format_value(limit.value, unit)}")
            continue
        words = f"{'at most' if limit.at_most else 'at least'} {format_value(limit.value, unit)}"
        fig.add_scatter(
            x=clock_texts(pd.Series([span.start, span.end]), span),
            y=[limit.value * scale.factor] * 2,
            name=f"{limit.name} ({words})",
            mode="lines",
            line={"color": theme.objective, "width": 1.5, "dash": "dash"},
            hovertemplate=wrapped(f"{limit.name}: {words}. {limit.text}".strip()) + "<extra>objective</extra>",
        )
    if far:
        fig.layout.margin.t += 18
        fig.add_annotation(
            text="▲ above this chart: " + safe_text("; ".join(far)),
            xref="paper",
            yref="paper",
            x=1,
            y=1,
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
            font={"size": 11, "color": theme.objective},
        )


def _add_now(fig: go.Figure, first: pd.Timestamp, span: Span, theme: Theme) -> None:
    at = clock_texts(pd.Series([first]), span)[0]
    fig.add_shape(
        type="line", xref="x", yref="paper", x0=at, x1=at, y0=0, y1=1, line={"width": 1, "color": theme.now, "dash": "dot"}
    )
    fig.add_annotation(
        text="forecast from here",
        x=at,
        xref="x",
        y=1,
        yref="paper",
        xanchor="left",
        yanchor="top",
        xshift=4,
        showarrow=False,
        font={"size": 11, "color": theme.muted},
    )


def _plain(values: np.ndarray) -> np.ndarray:
    """Numbers for a trace, with None where nothing is known."""
    column = np.round(values, 6).astype(object)
    column[~np.isfinite(values)] = None
    return column


def _lone(values: np.ndarray) -> np.ndarray:
    """Which known values have no known neighbour; shape (n,), bool. A line alone would not show them."""
    known = np.isfinite(values)
    before = np.concatenate([[False], known[:-1]])
    after = np.concatenate([known[1:], [False]])
    alone: np.ndarray = known & ~before & ~after
    return alone


def _largest(columns: Sequence[pd.Series]) -> float:
    values = [float(column.max()) for column in columns if column.notna().any()]
    return max(values, default=float("nan"))
