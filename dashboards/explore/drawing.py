"""The explore page's cards: what `reading` found, as figures."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.series import METRICS
from dashboards import queries
from dashboards.cards import Card, NotShownError
from dashboards.catalogue import METRIC_WORDS
from dashboards.context import Web
from dashboards.explore.asked import COMPARED, Asked
from dashboards.explore.reading import Row, read_lines, read_week
from dashboards.explore.spread import CURVE, level_name, read_curves, read_distribution, timed
from dashboards.look import Entry, Look, for_page
from render.distributions import Curve, percentile_curves, time_map, week_map
from render.figures import is_empty, timeseries
from render.parts import Line, Span
from render.theme import theme_of
from render.units import format_span, unit_words

CHARTS: tuple[str, ...] = ("lines", "week", "distribution", "curves")


def cards(web: Web, asked: Asked, look: Look) -> list[tuple[Card, Callable[[], Card]]]:
    """The empty card and how it is filled, of each chart."""
    found: list[tuple[Card, Callable[[], Card]]] = []
    for name, draw in (("lines", _lines), ("week", _week), ("distribution", _distribution), ("curves", _curves)):
        empty = _empty(name, web, asked)
        found.append((empty, partial(draw, web, asked, look, empty)))
    return found


def title_of(asked: Asked) -> str:
    """`Latency P95 by service and route of provider openai`."""
    split = f" by {' and '.join(asked.by)}" if asked.by else ""
    narrowed = f" of {asked.selector.words}" if asked.selector.pairs or not asked.by else ""
    return f"{METRIC_WORDS[asked.metric]}{split}{narrowed}"


def _empty(name: str, web: Web, asked: Asked) -> Card:
    unit, step = unit_words(asked.unit), format_span(asked.window.step)
    timing = METRIC_WORDS[timed(asked)].rsplit(" P", 1)[0]
    split = f" by {' and '.join(asked.by)}" if asked.by else ""
    words = {
        "lines": (title_of(asked), f"{unit} · every {step} · {_most(asked)}"),
        "week": (
            f"{METRIC_WORDS[asked.metric]} by hour and weekday",
            f"{unit} · median of the four weeks to the window's end · {web.zone.key}",
        ),
        "distribution": (f"{timing} over time", "share of each step's calls, %, by ms · P50 and P99 as lines"),
        "curves": (f"{timing} percentiles{split}", "ms; at P95, 95 % of the calls were faster"),
    }
    title, subtitle = words[name]
    return Card(id=name, title=title, subtitle=subtitle, file=asked.file(name))


def _most(asked: Asked) -> str:
    if not asked.by:
        return "all calls of the selection"
    return f"the {asked.top} {'highest' if asked.by_value else 'busiest'}"


def _lines(web: Web, asked: Asked, look: Look, empty: Card) -> Card:
    rows = read_lines(web, asked)
    if all(is_empty(row.frame) for row in rows):
        raise NotShownError(why_empty(web, asked))
    figure = timeseries(
        [_line(row, asked) for row in rows],
        Span(start=asked.window.start, end=asked.window.end, zone=web.zone.key),
        asked.unit,
        theme_of(look.mode),
        revision=f"{sorted(asked.query.items())}",
    )
    if asked.by:  # the line under the pointer is the one that a click opens
        figure.update_layout(hovermode="closest")
        for trace in figure.data:
            trace.hovertemplate = f"{trace.hovertemplate.replace('<extra>', '<br>%{x}<extra>')}"
    figure, legend = for_page(figure, "lines", look)
    return _filled(empty, figure, legend)


def _line(row: Row, asked: Asked) -> Line:
    if not row.values:
        if not row.name:
            before = asked.query.get("compare", "")
            return Line(name=f"all of these, {COMPARED[before]}", frame=row.frame, dash="dot", quiet=True)
        return Line(name=row.name, frame=row.frame, dash="dash" if asked.by else "", quiet=bool(asked.by))
    return Line(name=row.name, frame=row.frame, link=asked.narrowed(row.values))


def _week(web: Web, asked: Asked, look: Look, empty: Card) -> Card:
    frame = read_week(web, asked)
    if is_empty(frame):
        raise NotShownError(why_empty(web, asked))
    values = np.full((7, 24), np.nan)
    values[frame["weekday"], frame["hour"]] = frame["value"]
    return _filled(empty, *for_page(week_map(values, asked.unit, theme_of(look.mode)), "week", look))


def _distribution(web: Web, asked: Asked, look: Look, empty: Card) -> Card:
    found = read_distribution(web, asked)
    if found is None:
        raise NotShownError("No call of this selection in this window says how long it took.")
    figure = time_map(
        found.starts,
        found.edges,
        found.shares,
        (("P50", found.middle), ("P99", found.slow)),
        Span(start=asked.window.start, end=asked.window.end, zone=web.zone.key),
        theme_of(look.mode),
        f"{sorted(asked.query.items())}",
    )
    figure, legend = for_page(figure, "distribution", look)
    return _filled(empty, figure, legend, f"{empty.subtitle} · every {format_span(found.step)}")


def _curves(web: Web, asked: Asked, look: Look, empty: Card) -> Card:
    frame = read_curves(web, asked)
    if frame.empty:
        raise NotShownError("No call of this selection in this window says how long it took.")
    names = [level_name(level) for level in CURVE]
    curves = [_curve(row, asked, names) for _, row in frame.iterrows()]
    return _filled(empty, *for_page(percentile_curves(curves, theme_of(look.mode)), "curves", look))


def _curve(row: pd.Series, asked: Asked, names: list[str]) -> Curve:
    values = tuple(str(row[name]) for name in asked.by)
    name = " · ".join(value or "(none)" for value in values) or asked.selector.words
    return Curve(
        name=name, levels=CURVE, values=[float(row[one]) for one in names], link=asked.narrowed(values) if values else ""
    )


def _filled(empty: Card, figure: go.Figure, legend: tuple[Entry, ...], subtitle: str = "") -> Card:
    return replace(empty, figure=figure, legend=legend, subtitle=subtitle or empty.subtitle)


def why_empty(web: Web, asked: Asked) -> str:
    """Why a chart of the window has nothing to show."""
    fresh, window = queries.freshness(web), asked.window
    if fresh.newest is None:
        return "No calls have been recorded yet."
    if fresh.newest < window.start or (fresh.first is not None and fresh.first >= window.end):
        return "No calls in this window."
    if window.whole_until(fresh.complete_until) - window.start < timedelta(seconds=window.step_s):
        return "No step of this window is over yet."
    if METRICS[asked.metric].zero_when_idle:
        return "No calls of this selection in this window, or none that report it."
    return "These calls do not report it, or there were none in this window."
