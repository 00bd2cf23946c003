"""How the reader's browser wants figures, and figures made ready for a page: the legend is the page's own, which wraps."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import plotly.graph_objects as go

from render.timeline import MARKED

MAX_HIDDEN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The reader's mode, whether the screen is narrow and scrolls by touch, and which lines are hidden (`chart/line`).

    `zone` is the one that the reader has chosen for clocks; empty: the configured one.
    """

    mode: str = "light"
    narrow: bool = False
    hidden: frozenset[str] = frozenset()
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a legend.

    Attributes
    ----------
    key : str
        `chart/line`: what is hidden by it.
    kind : str
        `line`, `area` or `marker`.
    dash : str
        `solid`, `dash` or `dot`.
    """

    key: str
    name: str
    kind: str
    color: str
    dash: str
    hidden: bool


def read_look(look: Any) -> Look:
    """What the browser said about itself; anything unexpected is the default."""
    if not isinstance(look, dict):
        return Look()
    hidden = look.get("hidden")
    names = [name for name in hidden if isinstance(name, str)][:MAX_HIDDEN] if isinstance(hidden, list) else []
    return Look(
        mode="dark" if look.get("mode") == "dark" else "light",
        narrow=look.get("narrow") is True,
        hidden=frozenset(names),
        zone=_zone(look.get("zone")),
    )


def _zone(name: Any) -> str:
    try:
        return ZoneInfo(name).key if isinstance(name, str) and name else ""
    except (ValueError, OSError, ZoneInfoNotFoundError):  # as many errors as there are odd names
        return ""


def for_page(figure: go.Figure, chart: str, look: Look) -> tuple[go.Figure, tuple[Entry, ...]]:
    """The figure without its legend and without what is hidden, and the entries of its legend."""
    entries = tuple(_entry(trace, chart, look) for trace in figure.data if trace.showlegend is not False)
    hidden = {entry.name for entry in entries if entry.hidden}
    for trace in figure.data:
        trace.visible = "legendonly" if trace.name in hidden or trace.legendgroup in hidden else True
    figure.layout.shapes = [shape for shape in figure.layout.shapes if shape.name not in hidden]
    figure.update_layout(showlegend=False)
    if look.narrow:
        figure.update_layout(dragmode=False, xaxis_nticks=4, margin={"l": 40, "r": 8})
    return figure, entries


def _entry(trace: Any, chart: str, look: Look) -> Entry:
    key = f"{chart}/{trace.name}"
    if trace.fill:
        kind, color = "area", trace.fillcolor
    elif trace.mode == "markers" or trace.meta == MARKED:
        kind, color = "marker", trace.marker.color
    else:
        kind, color = "line", trace.line.color
    return Entry(
        key=key,
        name=trace.name,
        kind=kind,
        color=str(color),
        dash=(trace.line.dash if kind == "line" else None) or "solid",
        hidden=(key in look.hidden) != (trace.visible == "legendonly"),
    )
