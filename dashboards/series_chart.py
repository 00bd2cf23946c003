"""The chart of one series around something that happened: what was observed, what was expected, targets and marks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go

from core.clock import floor_to
from core.series import METRICS, SAMPLE, Selector, is_sample, sample_series
from dashboards import queries
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.marking import limits_for
from dashboards.quiet import quiet_marks
from dashboards.window import Window, step_for
from render.figures import is_empty, timeseries
from render.parts import Band, Limit, Line, Mark, Span
from render.theme import theme_of
from storage.sample_series import read_sample_series

BEFORE = timedelta(hours=1)
AFTER = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChart:
    """What is to be drawn; no end: it lasts."""

    name: str
    metric: str
    selector: Selector
    start: datetime
    end: datetime | None
    marks: tuple[Mark, ...] = ()
    limits: tuple[Limit, ...] = ()


def around(start: datetime, end: datetime | None, now: datetime) -> Window:
    """From an hour, or the span's own length, before to half an hour after."""
    last = end or now
    lead = max(BEFORE, last - start)
    first, stop = start - lead, min(last + AFTER, max(now, last))
    step = step_for(stop - first)
    width = timedelta(seconds=step)
    return Window(start=floor_to(first, width), end=floor_to(stop, width) + width, step_s=step)


def draw_around(web: Web, chart: SeriesChart, look: Look) -> tuple[go.Figure | None, tuple[Entry, ...]]:
    """The figure and its legend; None where no call was recorded then."""
    if is_sample(chart.metric):
        return _draw_samples(web, chart, look)
    if chart.metric not in METRICS:
        return None, ()
    window = around(chart.start, chart.end, web.now())
    frame = queries.metric_frame(web, chart.metric, window, chart.selector, queries.freshness(web).complete_until)
    if is_empty(frame):
        return None, ()
    expected = queries.expected_frame(web, chart.metric, chart.selector, frame["ts"], window.step_s)
    name = "expected range" if window.step_s == 60 else "expected range by the minute"
    known = expected is not None and bool(expected["expected"].notna().any())
    figure = timeseries(
        [Line(name="observed", frame=frame)],
        Span(start=window.start, end=window.end, zone=web.zone.key),
        METRICS[chart.metric].unit,
        theme_of(look.mode),
        band=Band(name=name, frame=expected) if expected is not None and known else None,
        marks=[*chart.marks, *quiet_marks(web, window.start, window.end, chart.selector)],
        limits=[*limits_for(web, (chart.metric,), chart.selector), *chart.limits],
        revision=f"{chart.name} {chart.start.isoformat()}",
    )
    return for_page(figure, chart.name, look)


def _draw_samples(web: Web, chart: SeriesChart, look: Look) -> tuple[go.Figure | None, tuple[Entry, ...]]:
    """The samples of one series by the minute; what was expected of each is only kept of the worst."""
    window = around(chart.start, chart.end, web.now())
    name = chart.metric.removeprefix(SAMPLE)
    found = read_sample_series(web.store, window.start, window.end)
    one = next((series for series in found if sample_series(series.name, series.labels) == name), None)
    if one is None:
        return None, ()
    times = pd.DatetimeIndex((one.minutes * 60).view("datetime64[s]"), tz="UTC").as_unit("ms")
    figure = timeseries(
        [Line(name="observed", frame=pd.DataFrame({"ts": times, "value": one.means}))],
        Span(start=window.start, end=window.end, zone=web.zone.key),
        "",
        theme_of(look.mode),
        marks=list(chart.marks),
        limits=list(chart.limits),
        revision=f"{chart.name} {chart.start.isoformat()}",
    )
    return for_page(figure, chart.name, look)
