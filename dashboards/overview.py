"""What the overview page shows for one query of its address: read, judged and drawn, before any HTML."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import plotly.graph_objects as go

from core.changes import Change
from core.errors import TpscopeError
from core.series import METRICS, Direction, Selector
from core.types import Anomaly, Incident
from dashboards import queries
from dashboards.catalogue import CHARTS, METRIC_WORDS, TILES, Chart, Tile, line_name
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.queries import Freshness
from dashboards.selection import overlaps, read_selector
from dashboards.window import Window, read_window
from render.figures import is_empty, timeseries
from render.parts import Band, Instant, Limit, Line, Mark, Span
from render.theme import theme_of
from render.units import UNKNOWN, format_number, format_range, format_span, format_value, scale_for, unit_words

logger = logging.getLogger(__name__)

DEFAULT_LAST = "6h"
MAX_MARKS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CardData:
    """One chart: a figure, or in words why there is none."""

    chart: Chart
    subtitle: str
    figure: go.Figure | None = None
    legend: tuple[Entry, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TileData:
    """One number: `tone` is `good`, `bad` or `quiet`; `verdict` says the same in words."""

    tile: Tile
    value: str
    unit: str
    verdict: str
    expected: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewData:
    """Everything on the page."""

    window: Window
    selector: Selector
    freshness: Freshness
    cards: tuple[CardData, ...]
    tiles: tuple[TileData, ...]
    firing: tuple[Incident, ...]
    anomalies: tuple[Anomaly, ...]
    generated: bool


def load_overview(web: Web, query: Mapping[str, str], look: Look) -> OverviewData:
    """Read and draw the page. Raises BadWindow for a bad address, and what the store raises when nothing can be read."""
    window = read_window(query, web.now(), DEFAULT_LAST)
    selector = read_selector(query)
    fresh = queries.freshness(web)
    found = [one for one in queries.anomalies_in(web, window.start, window.end) if overlaps(selector, one.selector)]
    changed = instants_of(queries.changes_in(web, window.start, window.end), selector)
    revision = f"{sorted(query.items())}"
    cards = web.each(lambda chart: _card(web, chart, window, selector, fresh, found, changed, look, revision), CHARTS)
    tiles = web.each(lambda tile: _tile(web, tile, selector, fresh), TILES)
    return OverviewData(
        window=window,
        selector=selector,
        freshness=fresh,
        cards=tuple(cards),
        tiles=tuple(tiles),
        firing=tuple(one for one in queries.firing_incidents(web) if _concerns(one, selector)),
        anomalies=tuple(found),
        generated=queries.has_generated(web, window.start, window.end),
    )


def _card(
    web: Web,
    chart: Chart,
    window: Window,
    selector: Selector,
    fresh: Freshness,
    found: Sequence[Anomaly],
    changed: Sequence[Instant],
    look: Look,
    revision: str,
) -> CardData:
    subtitle = f"{unit_words(chart.unit)} · every {format_span(window.step)}"
    try:
        frames = queries.metric_frames(web, chart.metrics, window, selector, fresh.complete_until)
        lines = [Line(name=line_name(metric), frame=frame) for metric, frame in frames.items()]
        if all(is_empty(line.frame) for line in lines):
            return CardData(chart=chart, subtitle=subtitle, words=_why_empty(chart, fresh, window))
        band, remark = _band(web, chart, selector, lines, window)
    except TpscopeError as error:
        logger.warning("chart could not be read", extra={"chart": chart.id, "error": str(error)})
        return CardData(chart=chart, subtitle=subtitle, words="The store did not answer. This page tries again by itself.")
    figure = timeseries(
        lines,
        Span(start=window.start, end=window.end, zone=web.settings.time_zone),
        chart.unit,
        theme_of(look.mode),
        band=band,
        marks=marks_for(chart.metrics, selector, found),
        changes=changed,
        limits=limits_for(web, chart.metrics, selector),
        revision=revision,
    )
    figure, legend = for_page(figure, chart.id, look)
    return CardData(chart=chart, subtitle=f"{subtitle} · {remark}" if remark else subtitle, figure=figure, legend=legend)


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


def marks_for(metrics: Sequence[str], selector: Selector, found: Sequence[Anomaly]) -> list[Mark]:
    """The anomalies that concern a chart of `metrics`: led by one of them, or with one among what moved."""
    marks = []
    for anomaly in found:
        leads = anomaly.metric in metrics
        moved = any(part.metric in metrics and overlaps(selector, part.selector) for part in anomaly.contributions)
        if leads or moved:
            text = f"{headline(anomaly)}. {anomaly.explanation}"
            marks.append(Mark(start=anomaly.started_at, end=anomaly.ended_at, text=text, strong=leads))
    return marks[:MAX_MARKS]


def instants_of(changes: Sequence[Change], selector: Selector) -> list[Instant]:
    """The changes that calls of the selection may have met."""
    return [Instant(at=one.at, text=one.words) for one in changes if overlaps(selector, one.selector)][:MAX_MARKS]


def headline(anomaly: Anomaly) -> str:
    """`Latency P95 of provider openai: 812 ms, expected 150 to 240 ms`."""
    unit = METRICS[anomaly.metric].unit if anomaly.metric in METRICS else ""
    words = METRIC_WORDS.get(anomaly.metric, anomaly.metric)
    expected = format_range(anomaly.lower, anomaly.upper, unit)
    tail = f", expected {expected}" if expected != UNKNOWN else ""
    return f"{words} of {anomaly.selector.words}: {format_value(anomaly.observed, unit)}{tail}"


def limits_for(web: Web, metrics: tuple[str, ...], selector: Selector) -> list[Limit]:
    """The objectives of these metrics and this selection, as dashed lines."""
    limits = []
    for objective in queries.objectives_for(web, metrics, selector):
        name = objective.name if len(metrics) == 1 else f"{objective.name}, {line_name(objective.metric)}"
        value = objective.at_most if objective.at_most is not None else objective.at_least
        if value is not None:
            at_most = objective.at_most is not None
            limits.append(Limit(name=name, value=value, at_most=at_most, text=objective.description))
    return limits


def _tile(web: Web, tile: Tile, selector: Selector, fresh: Freshness) -> TileData:
    """The metric's last whole minute against its expected range."""
    if fresh.complete_until is None:
        return _silent(tile, "no calls yet")
    metric = METRICS[tile.metric]
    try:
        known = queries.recent_minutes(web, tile.metric, selector, fresh.complete_until).dropna(subset="value").tail(1)
        expected = None if known.empty else queries.expected_frame(web, tile.metric, selector, known["ts"], 60)
    except TpscopeError as error:
        logger.warning("tile could not be read", extra={"metric": tile.metric, "error": str(error)})
        return _silent(tile, "the store did not answer")
    if known.empty:
        return _silent(tile, "not reported lately")
    value = float(known["value"].iloc[0])
    scale = scale_for(metric.unit, value)
    number = format_number(value * scale.factor)
    if expected is None or expected[["lower", "upper"]].isna().any(axis=None):
        return TileData(tile=tile, value=number, unit=scale.label, verdict=_unjudged(web), expected="", tone="quiet")
    lower, upper = float(expected["lower"].iloc[0]), float(expected["upper"].iloc[0])
    verdict, tone = judge(value, lower, upper, metric.bad)
    words = f"{format_number(lower * scale.factor)} to {format_number(upper * scale.factor)}"
    return TileData(tile=tile, value=number, unit=scale.label, verdict=verdict, expected=words, tone=tone)


def _unjudged(web: Web) -> str:
    return "learning what is normal" if queries.latest_baseline(web) is None else "no expected range"


def _silent(tile: Tile, why: str) -> TileData:
    return TileData(tile=tile, value=UNKNOWN, unit="", verdict=why, expected="", tone="quiet")


def judge(value: float, lower: float, upper: float, bad: Direction) -> tuple[str, str]:
    """Where a value lies against its expected range, in words, and whether that is bad news."""
    if value > upper:
        return "above", "quiet" if bad == Direction.LOW else "bad"
    if value < lower:
        return "below", "quiet" if bad == Direction.HIGH else "bad"
    return "as expected", "good"


def _concerns(incident: Incident, selector: Selector) -> bool:
    """Whether an incident may be about this selection: its labels ask for no other value of a chosen dimension."""
    return all(incident.labels.get(name, value) == value for name, value in selector.pairs)


def since(moment: datetime, now: datetime) -> str:
    """`20 s ago`; `now` for what lies ahead or is less than a second away."""
    passed = now - moment
    return "now" if passed < timedelta(seconds=1) else f"{format_span(passed)} ago"
