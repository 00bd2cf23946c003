"""How calls are distributed: over a week, over time, and by percentile. Arrays in, Plotly figures out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from render.figures import tick_format, time_axis
from render.parts import Span
from render.plotly_text import clock_texts, safe_text
from render.theme import Theme, base_layout
from render.units import scale_for

Floats = npt.NDArray[np.float64]

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One distribution: `values` (ms) at `levels` in (0, 1). `link` is where a click leads; empty: nowhere."""

    name: str
    levels: Sequence[float]
    values: Sequence[float]
    link: str = ""


def week_map(values: Floats, unit: str, theme: Theme) -> go.Figure:
    """Cells of an hour and a weekday; `values` has shape (7, 24), Monday first, NaN where unknown."""
    largest = float(np.nanmax(values)) if np.isfinite(values).any() else float("nan")
    scale = scale_for(unit, largest)
    fig = go.Figure(layout=base_layout(theme))
    fig.add_heatmap(
        x=list(range(24)), y=list(WEEKDAYS), z=_cells(values * scale.factor), colorscale=_ramp(theme), showscale=True,
        xgap=1, ygap=1, colorbar=_bar(theme, scale.suffix, largest * scale.factor), showlegend=False, hoverongaps=False,
        hovertemplate=f"%{{y}} %{{x}}:00: %{{z:,.4~r}}{scale.suffix}<extra></extra>",
    )  # fmt: skip
    fig.update_layout(hovermode="closest", dragmode=False)
    fig.update_xaxes(tickvals=[0, 6, 12, 18, 23], ticksuffix=":00", fixedrange=True)
    fig.update_yaxes(autorange="reversed", rangemode="normal", fixedrange=True, showgrid=False, nticks=7)
    return fig


def time_map(
    starts: pd.DatetimeIndex,
    edges: Floats,
    shares: Floats,
    lines: Sequence[tuple[str, Floats]],
    span: Span,
    theme: Theme,
    revision: str,
) -> go.Figure:
    """Shares of a step's calls (`shares`, of shape (n_bins, n_steps)) by how long they took, with lines of percentiles (ms)."""
    scale = scale_for("ms", float(np.nanmax(edges)))
    fig = time_axis(span, scale, float("nan"), theme, revision)
    x = clock_texts(pd.Series(starts), span)
    words = [f"{a:,.4g} to {b:,.4g}{scale.suffix}" for a, b in _pairs(edges * scale.factor)]
    fig.add_heatmap(
        x=x, y=np.sqrt(edges[:-1] * edges[1:]) * scale.factor, z=_cells(shares * 100), colorscale=_ramp(theme), zmin=0,
        colorbar=_bar(theme, " %", 100.0), showlegend=False, hoverongaps=False, customdata=[[word] * len(x) for word in words],
        hovertemplate="%{x}<br>%{customdata}: %{z:.3~r} % of the calls<extra></extra>",
    )  # fmt: skip
    for (name, values), dash, color in zip(lines, ("solid", "dash"), (theme.text, theme.anomaly), strict=False):
        fig.add_scatter(
            x=x, y=_plain(values * scale.factor), name=name, mode="lines", connectgaps=False,
            line={"color": color, "width": 1.75, "dash": dash},
            hovertemplate=f"{name}: %{{y:,.4~r}}{scale.suffix}<extra></extra>",
        )  # fmt: skip
    fig.update_layout(hovermode="closest")
    fig.update_yaxes(type="log", rangemode="normal", showgrid=False, tickformat="~s", dtick=1, ticksuffix=scale.suffix)
    return fig


def percentile_curves(curves: Sequence[Curve], theme: Theme) -> go.Figure:
    """Latency at each percentile, one line a distribution; the slow end is stretched, where services differ."""
    largest = max((max(curve.values) for curve in curves), default=float("nan"))
    scale = scale_for("ms", largest)
    fig = go.Figure(layout=base_layout(theme))
    for index, curve in enumerate(curves):
        color, dash = theme.style(index)
        fig.add_scatter(
            x=[_stretched(level) for level in curve.levels], y=_plain(np.asarray(curve.values) * scale.factor), name=curve.name,
            mode="lines", line={"color": color, "width": 1.75, "dash": dash}, meta=curve.link or None,
            customdata=[f"P{100 * level:.6g}" for level in curve.levels],
            hovertemplate=f"{safe_text(curve.name)}, %{{customdata}}: %{{y:,.4~r}}{scale.suffix}<extra></extra>",
        )  # fmt: skip
    marks = (0.5, 0.9, 0.95, 0.99, 0.999)
    fig.update_layout(hovermode="closest", dragmode=False)
    fig.update_xaxes(
        tickvals=[_stretched(level) for level in (0.01, *marks)], ticktext=["P1", *(f"P{100 * level:.6g}" for level in marks)],
        showgrid=True, fixedrange=True, range=[0, _stretched(0.9992)],
    )  # fmt: skip
    fig.update_yaxes(
        ticksuffix=scale.suffix, tickformat=tick_format(largest * scale.factor), fixedrange=True, type="log",
        rangemode="normal", dtick="D2",
    )  # fmt: skip
    return fig


def _stretched(level: float) -> float:
    """Where a percentile stands: each factor of ten that is left above it takes the same room."""
    return float(-np.log10(1 - level))


def _pairs(edges: Floats) -> list[tuple[float, float]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _ramp(theme: Theme) -> list[list[Any]]:
    """From the ground to the strongest in one hue: lightness alone tells it, to any colour vision."""
    if theme.mode == "dark":
        return [[0, "#1a2230"], [0.25, "#1d4a6e"], [0.6, "#56B4E9"], [1, "#e8f6ff"]]
    return [[0, "#f1f6fa"], [0.25, "#a9d3ec"], [0.6, "#3b93c9"], [1, "#08324f"]]


def _bar(theme: Theme, suffix: str, largest: float) -> dict[str, Any]:
    return {
        "thickness": 10, "outlinewidth": 0, "tickfont": {"color": theme.muted, "size": 11}, "nticks": 5, "len": 1,
        "ticksuffix": suffix if len(suffix) <= 4 else "", "tickformat": tick_format(largest), "x": 1.01, "xpad": 4,
    }  # fmt: skip


def _cells(values: Floats) -> list[list[float | None]]:
    return [_plain(row) for row in values]


def _plain(values: Floats) -> list[float | None]:
    return [round(float(value), 6) if np.isfinite(value) else None for value in values]
