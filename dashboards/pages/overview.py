"""The overview page: layout, and the HTML of what `dashboards.overview` has read."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.types import Anomaly, Incident
from dashboards.catalogue import CHARTS
from dashboards.comparing import PARAMETER
from dashboards.marking import headline
from dashboards.overview import DEFAULT_LAST, OverviewData, TileData
from dashboards.pages.cards import card
from dashboards.pages.controls import filters, windows
from dashboards.pages.shell import with_query
from dashboards.pages.words import notice, percent, severity_badge, table, tile_value, when
from dashboards.selection import FILTERS
from render.units import format_span

MAX_ROWS = 8

_TONES = {"above": "▲", "below": "▼", "as expected": "●"}


def layout(query: Mapping[str, str], choices: Mapping[str, list[Any]]) -> Any:
    """The page before its data; `query` sets what is chosen."""
    return html.Div(
        [
            html.Div([html.H1("Overview"), html.Div(id="overview-span", className="muted")], className="heading"),
            html.Div([windows("/", DEFAULT_LAST), filters(query, choices, (*FILTERS, PARAMETER))], className="controls"),
            html.Div(id="overview-notes"),
            html.Div(id="tiles"),
            html.Div([card(chart.id, chart.title) for chart in CHARTS], className="grid"),
            html.Section(id="overview-anomalies", className="panel"),
        ]
    )


def tiles(data: OverviewData, zone: ZoneInfo) -> list[Any]:
    """The numbers at the top, and which minute they are of."""
    until = data.freshness.complete_until
    minute = (until - timedelta(minutes=1)).astimezone(zone) if until else None
    words = f"Minute of {minute:%H:%M} on {minute:%a %d %b}, against what is expected then" if minute else ""
    return [html.Div(words, className="muted tiles-head"), html.Div([_tile(tile) for tile in data.tiles], className="tiles")]


def _tile(data: TileData) -> Any:
    shape = _TONES.get(data.verdict, "")
    below = [html.Span(f"{shape} {data.verdict}".strip(), className=f"verdict verdict-{data.tone}")]
    if data.expected:
        below.append(html.Span(f"expected {data.expected}", className="muted"))
    return html.Div(
        [
            html.Div(data.tile.title, className="tile-title"),
            tile_value(data.value, data.unit),
            html.Div(below, className="tile-foot"),
        ],
        className=f"tile tile-{data.tone}",
    )


def notes(data: OverviewData, query: Mapping[str, str], zone: ZoneInfo) -> list[Any]:
    """What a reader must know before the charts: firing incidents, no data, simulated history."""
    found: list[Any] = [_banner(incident, zone) for incident in data.firing[:3]]
    if len(data.firing) > 3:
        found.append(notice(dcc.Link(f"and {len(data.firing) - 3} more firing incidents", href="/incidents"), tone="bad"))
    fresh, window = data.freshness, data.window
    if fresh.newest is None:
        found.append(
            notice(
                "No calls have been recorded yet. Set ", html.Code("kafka.brokers"), " to your broker, or read a log with ",
                html.Code("tpscope import FILE"), "."
            )
        )  # fmt: skip
    elif fresh.newest < window.start or (fresh.first is not None and fresh.first >= window.end):
        found.append(_elsewhere(data, query, zone))
    if data.comparison is not None and data.comparison.words:
        found.append(notice(data.comparison.words))
    if data.generated:
        found.append(notice("This window holds generated history: simulated calls, not your gateways' traffic."))
    return found


def _elsewhere(data: OverviewData, query: Mapping[str, str], zone: ZoneInfo) -> Any:
    newest = data.freshness.newest
    assert newest is not None
    length = data.window.end - data.window.start
    kept = {name: value for name, value in query.items() if name not in ("last", "from", "to")}
    end = newest + data.window.step
    href = with_query("/", {"from": _iso(end - length), "to": _iso(end), **kept})
    return notice(
        "There are no calls in this window. The newest are from ", when(newest, zone), ". ", dcc.Link("Show them", href=href)
    )


def _banner(incident: Incident, zone: ZoneInfo) -> Any:
    return html.Div(
        [
            severity_badge(incident.severity),
            html.Span(incident.title, className="banner-title"),
            html.Span(["since ", when(incident.started_at, zone)], className="muted"),
            dcc.Link("Open", href=with_query("/incidents", {"incident": incident.id}), className="button"),
        ],
        className=f"banner banner-{incident.severity}",
        role="alert",
    )


def anomaly_list(data: OverviewData, zone: ZoneInfo) -> list[Any]:
    """The newest anomalies of the window, as a table."""
    if not data.anomalies:
        return [html.H2("Anomalies"), html.P("None in this window.", className="muted")]
    rows = [_anomaly_row(anomaly, zone) for anomaly in data.anomalies[:MAX_ROWS]]
    more = len(data.anomalies) - MAX_ROWS
    tail = [html.P(f"and {more} more; choose a shorter window to see them all", className="muted")] if more > 0 else []
    head = ("Began", "Lasted", "What", "Severity")
    return [
        html.H2(f"Anomalies ({len(data.anomalies)})"),
        table(head, rows, caption="Anomalies in this window, newest first", numeric=(3,)),
        *tail,
    ]


def _anomaly_row(anomaly: Anomaly, zone: ZoneInfo) -> list[Any]:
    lasted = "ongoing" if anomaly.ended_at is None else format_span(anomaly.ended_at - anomaly.started_at)
    link = dcc.Link(headline(anomaly), href=with_query("/incidents", {"anomaly": anomaly.id}))
    what = [link, html.Div(anomaly.explanation, className="muted")]
    return [when(anomaly.started_at, zone), lasted, what, percent(anomaly.severity)]


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
