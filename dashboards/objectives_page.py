"""The objectives page as a whole: standings, the chosen objective's history and the chosen transaction's, drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from core.series import METRICS
from dashboards import objectives, transactions
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.objectives import Standing
from dashboards.quiet import quiet_marks
from dashboards.transactions import Counted, changes_in
from dashboards.window import Window, read_window
from render.figures import is_empty, timeseries
from render.parts import Limit, Line, Mark, MarkKind, Span
from render.theme import theme_of

DEFAULT_LAST = "7d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A figure for the page, or None where nothing is known, with its legend."""

    figure: go.Figure | None
    legend: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectivesData:
    """Everything on the page."""

    window: Window
    standings: tuple[Standing, ...]
    objective: Standing | None
    value: Drawn
    attained: Drawn
    budget: Drawn
    counted: tuple[Counted, ...]
    transaction: Counted | None
    volume: Drawn
    bad: Drawn


NOTHING = Drawn(figure=None)


def load_objectives(web: Web, query: Mapping[str, str], look: Look) -> ObjectivesData:
    """Read and draw the page. Raises BadWindow, and what the store raises."""
    window = read_window(query, web.now(), DEFAULT_LAST)
    found = objectives.standings(web)
    mine = objectives.chosen(found, query)
    counted = transactions.transactions(web, window)
    of = transactions.chosen(counted, query)
    value, attained, budget = (NOTHING, NOTHING, NOTHING) if mine is None else _objective(web, mine, look)
    volume, bad = (NOTHING, NOTHING) if of is None else _transaction(web, of, window, look)
    return ObjectivesData(
        window=window,
        standings=found,
        objective=mine,
        value=value,
        attained=attained,
        budget=budget,
        counted=counted,
        transaction=of,
        volume=volume,
        bad=bad,
    )


def _objective(web: Web, one: Standing, look: Look) -> tuple[Drawn, Drawn, Drawn]:
    first, last = objectives.hours_of(one.found.window)
    whole = Span(start=first, end=last, zone=web.zone.key)
    history = objectives.history_of(web, one.objective, one.found.window)
    quiet = quiet_marks(web, whole.start, whole.end, one.selector)
    most = objectives.limit_of(one.objective)
    target = most if most is not None else one.objective.at_least
    limit = Limit(name="target", value=target or 0.0, at_most=most is not None)
    common: dict[str, Any] = {"marks": quiet, "revision": one.objective.name}
    value = _drawn("objective", Line(name="by the hour", frame=history.value), whole, one.unit, look, limits=[limit], **common)
    attained = _drawn("attained", Line(name="hours that met the target", frame=history.attained), whole, "1", look, **common)
    if history.budget is None:
        return value, attained, NOTHING
    left = Line(name="budget left", frame=history.budget)
    return value, attained, _drawn("budget", left, whole, "1", look, **common)


def _transaction(web: Web, one: Counted, window: Window, look: Look) -> tuple[Drawn, Drawn]:
    span = Span(start=window.start, end=window.end, zone=web.zone.key)
    marks = [
        Mark(
            start=version.at,
            end=version.at + window.step,
            text=f"Version {version.version} of {one.definition.name}: counted by another rule from here on",
            kind=MarkKind.CHANGE,
        )
        for version in changes_in(one, window.start, window.end)
    ]
    common: dict[str, Any] = {"marks": marks, "revision": f"{one.definition.name} {window.query}"}
    volume = Line(name="transactions", frame=one.steps.rename(columns={"tps": "value"})[["ts", "value"]])
    bad = Line(name="not good", frame=one.steps.rename(columns={"bad": "value"})[["ts", "value"]])
    return (
        _drawn("volume", volume, span, METRICS["tps"].unit, look, **common),
        _drawn("bad", bad, span, "1", look, **common),
    )


def _drawn(chart: str, line: Line, span: Span, unit: str, look: Look, **parts: Any) -> Drawn:
    if is_empty(line.frame):
        return NOTHING
    figure = timeseries([line], span, unit, theme_of(look.mode), **parts)
    if chart == "attained":
        figure.layout.yaxis.range = (0, 102)  # in per cent; a day that met it always lies below the edge
    figure, legend = for_page(figure, chart, look)
    return Drawn(figure=figure, legend=legend)
