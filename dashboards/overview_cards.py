"""The overview's charts: each read, judged and drawn for one window and selection."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pandas as pd
import plotly.graph_objects as go

from core.clock import floor_to
from core.errors import QuestionAbandoned, TpscopeError
from core.series import Selector
from core.types import Anomaly
from dashboards import queries
from dashboards.catalogue import Chart, line_name
from dashboards.comparing import Comparison, earlier
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.marking import limits_for, marks_for
from dashboards.queries import Freshness
from dashboards.window import Window
from render.figures import is_empty, timeseries
from render.parts import Band, Line, Mark, Span
from render.theme import theme_of
from render.units import format_span, unit_words
from storage.asking import unfinished

logger = logging.getLogger(__name__)

PEAKS_OF_STEPS = timedelta(days=1)
"""Longest window whose peaks are read from the seconds."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardData:
    """One chart: a figure, or in words why there is none."""

    chart: Chart
    subtitle: str
    figure: go.Figure | None = None
    legend: tuple[Entry, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What all charts of the page have in common; incidents are marked on each, faintly where they are about another metric."""

    window: Window
    selector: Selector
    fresh: Freshness
    anomalies: Sequence[Anomaly]
    incidents: Sequence[tuple[str, Mark]]
    quiet: Sequence[Mark]
    comparison: Comparison | None
    look: Look
    revision: str


def card_of(web: Web, chart: Chart, shown: Shown) -> CardData:
    window, selector = shown.window, shown.selector
    subtitle = f"{unit_words(chart.unit)} · every {format_span(window.step)}"
    try:
        frames = queries.metric_frames(web, chart.metrics, window, selector, shown.fresh.complete_until)
        lines = [Line(name=line_name(metric), frame=frame) for metric, frame in frames.items()]
        if all(is_empty(line.frame) for line in lines):
            return CardData(chart=chart, subtitle=subtitle, words=_why_empty(chart, shown.fresh, window))
        band, remark = _band(web, chart, selector, lines, window)
        lines += _peaks(web, chart, shown)
        lines += earlier(web, shown.comparison, chart.judged, window, selector)
    except QuestionAbandoned as error:
        unfinished()
        return CardData(chart=chart, subtitle=subtitle, words=error.sentence)
    except TpscopeError as error:
        unfinished()
        logger.warning("chart could not be read", extra={"chart": chart.id, "error": str(error)})
        return CardData(chart=chart, subtitle=subtitle, words="The store did not answer. This page tries again by itself.")
    figure = timeseries(
        lines,
        Span(start=window.start, end=window.end, zone=web.zone.key),
        chart.unit,
        theme_of(shown.look.mode),
        band=band,
        marks=[
            *marks_for(chart.metrics, selector, shown.anomalies),
            *(replace(mark, strong=metric in chart.metrics) for metric, mark in shown.incidents),
            *shown.quiet,
        ],
        limits=limits_for(web, chart.metrics, selector),
        revision=shown.revision,
    )
    figure, legend = for_page(figure, chart.id, shown.look)
    return CardData(chart=chart, subtitle=f"{subtitle} · {remark}" if remark else subtitle, figure=figure, legend=legend)


def _peaks(web: Web, chart: Chart, shown: Shown) -> list[Line]:
    """The busiest second of each step; over more than a day of each hour, which a job has found already."""
    if not chart.peaks:
        return []
    window, selector, until = shown.window, shown.selector, shown.fresh.complete_until
    if window.end - window.start <= PEAKS_OF_STEPS:
        return [_peak(queries.metric_frame(web, chart.peaks, window, selector, until))]
    end = min(window.end, until or window.end)
    hourly = queries.hourly_history(web, chart.peaks, selector, floor_to(window.start + _HOUR, _HOUR), floor_to(end, _HOUR))
    return [] if is_empty(hourly) else [_peak(hourly)]


def _peak(frame: pd.DataFrame) -> Line:
    return Line(name="busiest second", frame=frame, dash="dot")


def _band(web: Web, chart: Chart, selector: Selector, lines: Sequence[Line], window: Window) -> tuple[Band | None, str]:
    """The expected range of the judged metric, and what to say about it."""
    frame = queries.expected_frame(web, chart.judged, selector, lines[0].frame["ts"], window.step_s)
    if frame is not None and frame["expected"].notna().any():
        frame = _from_first_known(frame, lines)
        of_what = "" if len(chart.metrics) == 1 else f" of {line_name(chart.judged)}"
        name = f"expected range{of_what}" if window.step_s == 60 else f"expected range{of_what} by the minute"
        return Band(name=name, frame=frame), ""
    learning = queries.latest_baseline(web) is None
    return None, "still learning what is normal" if learning else "no expected range"


def _from_first_known(frame: pd.DataFrame, lines: Sequence[Line]) -> pd.DataFrame:
    """The expected range without the time before there was anything to expect."""
    starts = [line.frame.loc[line.frame["value"].notna(), "ts"] for line in lines]
    known: pd.DataFrame = frame[frame["ts"] >= min(one.iloc[0] for one in starts if not one.empty)]
    return known


def _why_empty(chart: Chart, fresh: Freshness, window: Window) -> str:
    if fresh.newest is None:
        return "No calls have been recorded yet."
    if fresh.newest < window.start or (fresh.first is not None and fresh.first >= window.end):
        return "No calls in this window."
    if chart.metrics[0] in ("tps", "concurrency"):
        return "No calls of this selection in this window."
    return "These calls do not report it, or there were none in this window."
