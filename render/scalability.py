"""Throughput against concurrency: what was measured, the law that was fitted to it, and where its peak lies."""

import numpy as np
import plotly.graph_objects as go

from core.capacity import Ceiling, CeilingState, Fit
from render.theme import Theme, base_layout
from render.units import format_number

_POINTS = 80
_BEYOND = 1.3
"""The curve goes on for this many times the largest concurrency that was measured, or the peak's, if that is not far off."""
_FAR = 3.0


def scalability(fit: Fit, theme: Theme) -> go.Figure:
    """Points and, where the ceiling could be told, the curve, the peak's interval and the latency objective's end."""
    fig = go.Figure(layout=base_layout(theme))
    n, x = [point[0] for point in fit.points], [point[1] for point in fit.points]
    measured = {"color": theme.series[0], "size": 5, "opacity": 0.55}
    words = "%{x:.3~s} in flight: %{y:.3~s} calls/s<extra></extra>"
    fig.add_scatter(x=n, y=x, mode="markers", name="measured minutes", marker=measured, hovertemplate=words)
    if fit.ceiling.state is not CeilingState.UNIDENTIFIED and n:
        _add_curve(fig, fit.ceiling, max(n), theme)
        _add_peak(fig, fit.ceiling, theme)
    if fit.objective_tps is not None and fit.objective_failed:
        _add_level(fig, fit.objective_tps, "latency objective held up to here", theme.objective, "dot")
    fig.update_layout(hovermode="closest", showlegend=len(fig.data) > 1)
    fig.update_xaxes(title_text="calls in flight", rangemode="tozero")
    fig.update_yaxes(title_text="calls/s")
    return fig


def _add_curve(fig: go.Figure, ceiling: Ceiling, largest: float, theme: Theme) -> None:
    at = ceiling.peak_concurrency.value
    end = max(largest, at if at < _FAR * largest else 0.0) * _BEYOND
    n = np.linspace(end / _POINTS, end, _POINTS)
    x = [ceiling.throughput(one) for one in n.tolist()]
    fig.add_scatter(
        x=n.tolist(), y=x, mode="lines", name="fitted law", line={"color": theme.series[5], "width": 2}, hoverinfo="skip"
    )


def _add_peak(fig: go.Figure, ceiling: Ceiling, theme: Theme) -> None:
    peak = ceiling.peak_tps
    name = "peak" if ceiling.state is CeilingState.PEAK else "flattens towards"
    if np.isfinite(peak.lower) and np.isfinite(peak.upper):
        fig.add_hrect(y0=peak.lower, y1=peak.upper, fillcolor=theme.band, line_width=0, layer="below")
    _add_level(fig, peak.value, f"{name} {format_number(peak.value)} calls/s", theme.series[5], "dash")


def _add_level(fig: go.Figure, value: float, text: str, color: str, dash: str) -> None:
    fig.add_hline(
        y=value,
        line={"color": color, "width": 1.25, "dash": dash},
        annotation={"text": text, "font": {"color": color, "size": 11}, "yanchor": "bottom"},
        annotation_position="top left",
    )
