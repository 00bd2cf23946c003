"""Frames of what happened when, in lanes: anomalies and incidents by the selection that they are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import plotly.graph_objects as go

from render.figures import time_axis
from render.parts import MarkKind, Span
from render.plotly_text import clock_texts, wrapped
from render.theme import Theme
from render.units import scale_for

MOST_LANES = 10
OTHERS = "others"
MARKED = "marked"
"""`meta` of a trace whose lines have a symbol each, by which a legend names it."""

_LONGEST = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One anomaly or incident; `quiet` where nobody was to be told of it, or it was withdrawn. No end: it lasts."""

    kind: MarkKind
    lane: str
    start: datetime
    end: datetime | None
    text: str
    quiet: bool = False


def timeline(found: Sequence[Happening], span: Span, theme: Theme, *, revision: str = "") -> go.Figure:
    """A lane a selection, the busiest above; those beyond `MOST_LANES` share the lowest."""
    lanes = _lanes(found)
    fig = time_axis(span, scale_for("", 1.0), 1.0, theme, revision)
    styles = {MarkKind.ANOMALY: ("triangle-down", theme.anomaly), MarkKind.INCIDENT: ("diamond", theme.incident)}
    for kind, (symbol, color) in styles.items():
        for quiet in (False, True):
            mine = [one for one in found if one.kind is kind and one.quiet is quiet]
            name, shade = (f"{kind.value}, muted", theme.muted) if quiet else (kind.value, color)
            if mine:
                _add(fig, mine, lanes, span, name, symbol, shade)
    names = _names(lanes)
    fig.layout.yaxis.update(
        tickvals=list(range(len(names))),
        ticktext=[_short(name) for name in names],
        range=[len(names) - 0.4, -0.6],
        rangemode=None,
        tickformat=None,
        ticksuffix="",
        fixedrange=True,
    )
    fig.update_layout(hovermode="closest", showlegend=True)
    return fig


def _lanes(found: Sequence[Happening]) -> dict[str, int]:
    """The place of each lane, from the top."""
    counts = pd.Series([one.lane for one in found], dtype=object).value_counts()
    alone = MOST_LANES if len(counts) <= MOST_LANES else MOST_LANES - 1
    return {str(name): min(place, alone) for place, name in enumerate(counts.index)}


def _names(lanes: dict[str, int]) -> list[str]:
    """What stands beside each place."""
    by_place: dict[int, list[str]] = {}
    for name, place in lanes.items():
        by_place.setdefault(place, []).append(name)
    return [held[0] if len(held) == 1 else OTHERS for _, held in sorted(by_place.items())]


def _add(
    fig: go.Figure, found: Sequence[Happening], lanes: dict[str, int], span: Span, name: str, symbol: str, color: str
) -> None:
    """One trace: a thick line a happening, with a symbol where it begins; a gap parts them."""
    starts = clock_texts(pd.Series([max(one.start, span.start) for one in found]), span)
    ends = clock_texts(pd.Series([min(one.end or span.end, span.end) for one in found]), span)
    x: list[str | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    offset = -0.12 if symbol == "diamond" else 0.12  # an incident stands above its anomaly
    for one, start, end in zip(found, starts, ends, strict=True):
        at = lanes[one.lane] + offset
        x += [start, end, None]
        y += [at, at, None]
        texts += [wrapped(one.text)] * 3
    fig.add_scatter(
        x=x,
        y=y,
        name=name,
        mode="lines+markers",
        meta=MARKED,
        cliponaxis=False,
        line={"color": color, "width": 5},
        marker={"color": color, "symbol": [symbol, "line-ns", "line-ns"] * len(found), "size": 9},
        customdata=texts,
        hovertemplate=f"%{{customdata}}<extra>{name}</extra>",
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
