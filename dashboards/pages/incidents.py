"""The incidents page: layout, and the HTML of what `dashboards.incidents` has read."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.series import METRICS
from core.types import Anomaly, DeliveryState, Incident, Notification, NotifyReason
from dashboards.catalogue import METRIC_WORDS
from dashboards.incidents import IncidentDetail, IncidentsData, without_urls
from dashboards.pages.cards import drawn
from dashboards.pages.controls import updated
from dashboards.pages.shell import with_query
from dashboards.pages.words import extra, facts, legend, notice, severity_badge, state_badge, table, when
from render.units import UNKNOWN, format_range, format_span, format_value, unit_words

MAX_PARTS = 8
_REASONS = {
    NotifyReason.OPENED: "opened",
    NotifyReason.REPEATED: "reminder",
    NotifyReason.RESOLVED: "resolved",
    NotifyReason.AMENDED: "amended",
    NotifyReason.WITHDRAWN: "withdrawn",
}
_STATES = {
    DeliveryState.SENT: ("✓ delivered", "good"),
    DeliveryState.PENDING: ("… waiting to be sent", "quiet"),
    DeliveryState.FAILED: ("✕ failed", "bad"),
}


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            html.Div([html.H1("Incidents"), html.Div(id="incidents-span", className="muted")], className="heading"),
            html.Div(
                [
                    html.Div(notice("Loading …"), id="incidents-list", className="incident-list"),
                    html.Div(id="incident-detail", className="incident-detail"),
                ],
                className="incidents",
            ),
        ]
    )


def summary(data: IncidentsData, zone: ZoneInfo) -> list[Any]:
    firing = sum(1 for one in data.incidents if one.state.is_open)
    words = f"{firing} firing, {len(data.incidents) - firing} resolved" if data.incidents else "none so far"
    return [html.Span(words), *updated(zone, data.now)]


def listing(data: IncidentsData, zone: ZoneInfo) -> Any:
    """The list on the left."""
    if not data.incidents:
        return notice("No incident has been opened. Rules look at every minute; what they find appears here.")
    opened = data.opened.incident.id if data.opened else ""
    return html.Ul([html.Li(_entry(one, one.id == opened, zone, data.now)) for one in data.incidents])


def _entry(incident: Incident, opened: bool, zone: ZoneInfo, now: datetime) -> Any:
    firing = incident.state.is_open
    return dcc.Link(
        [
            html.Div([severity_badge(incident.severity), state_badge(firing)], className="badges"),
            html.Div(incident.title, className="entry-title"),
            html.Div([when(incident.started_at, zone), f" · {lasting(incident, now)}"], className="muted"),
        ],
        href=with_query("/incidents", {"incident": incident.id}),
        className="entry open" if opened else "entry",
    )


def lasting(incident: Incident, now: datetime) -> str:
    """`for 12 min so far`, or `lasted 12 min`."""
    if incident.resolved_at is None:
        return f"for {format_span(now - incident.started_at)} so far"
    return f"lasted {format_span(incident.resolved_at - incident.started_at)}"


def detail(data: IncidentsData, zone: ZoneInfo) -> list[Any]:
    """The opened incident."""
    if data.opened is None:
        return (
            [notice("There is no incident of this name; it may be older than what is kept.", tone="bad")] if data.asked else []
        )
    one = data.opened
    return [
        _head(one.incident, zone, data.now),
        _chart(one),
        *([_contributions(one.anomaly)] if one.anomaly is not None and one.anomaly.contributions else []),
        _notifications(one.notifications, zone),
    ]


def _head(incident: Incident, zone: ZoneInfo, now: datetime) -> Any:
    pairs: list[tuple[str, Any]] = [
        ("Began", when(incident.started_at, zone)),
        ("Ended", when(incident.resolved_at, zone) if incident.resolved_at else "not yet"),
        ("Length", lasting(incident, now)),
        ("Rule", f"{incident.rule} ({incident.kind})"),
    ]
    if incident.threshold == incident.threshold:
        pairs.append(("Value", _value(incident)))
    pairs += [(name, value or "(none)") for name, value in sorted(incident.labels.items())]
    if incident.runbook.startswith(("http://", "https://")):
        pairs.append(("Runbook", html.A("Open the runbook", href=incident.runbook, target="_blank", rel="noopener noreferrer")))
    elif incident.runbook:
        pairs.append(("Runbook", incident.runbook))
    return html.Section(
        [
            html.Div([severity_badge(incident.severity), state_badge(incident.state.is_open)], className="badges"),
            html.H2(incident.title, className="incident-title"),
            html.P(incident.summary, className="prose"),
            facts(pairs),
        ],
        className="panel",
    )


def _value(incident: Incident) -> str:
    """`97 %, expected at most 18 %`: what was observed and the edge that it crossed."""
    judged = "expected" if incident.kind == "anomaly" else "allowed"
    side = "at most" if incident.value >= incident.threshold else "at least"
    observed = format_value(incident.value, incident.unit)
    return f"{observed}, {judged} {side} {format_value(incident.threshold, incident.unit)}"


def _chart(one: IncidentDetail) -> Any:
    unit = unit_words(METRICS[one.metric].unit) if one.metric in METRICS else ""
    title = f"{METRIC_WORDS.get(one.metric, one.metric)} of {one.selector.words} ({unit})"
    if one.figure is None:
        return html.Section(
            [html.H2(title), notice("No calls of this selection were recorded around this incident.")], className="card"
        )
    return drawn("incidents", "incident", title, one.figure, legend(one.legend))


def _contributions(anomaly: Anomaly) -> Any:
    rows = []
    ranked = sorted(anomaly.contributions, key=lambda one: -one.share)
    for rank, part in enumerate(ranked[:MAX_PARTS], start=1):
        unit = METRICS[part.metric].unit if part.metric in METRICS else ""
        expected = format_range(part.lower, part.upper, unit)
        rows.append(
            [
                str(rank),
                [html.Div(METRIC_WORDS.get(part.metric, part.metric)), html.Div(part.selector.words, className="muted")],
                format_value(part.observed, unit),
                expected if expected != UNKNOWN else format_value(part.expected, unit),
                _share(part.share),
            ]
        )
    head = ("#", "Series", "Observed", "Expected", "Share")
    ranking = table(head, rows, caption="Series by their share of the anomaly's score", numeric=(2, 3))
    more = len(ranked) - MAX_PARTS
    tail = [html.P(f"and {more} more with smaller shares", className="muted")] if more > 0 else []
    return html.Section([html.H2("What moved"), ranking, *tail], className="panel")


def _share(share: float) -> Any:
    percent = max(0.0, min(1.0, share)) * 100
    return html.Div(
        [
            html.Div(
                html.Div(className="bar-fill", style={"width": f"{percent:.0f}%"}), className="bar", **extra(aria_hidden="true")
            ),
            html.Span(f"{percent:.0f} %"),
        ],
        className="share",
    )


def _notifications(sent: tuple[Notification, ...], zone: ZoneInfo) -> Any:
    if not sent:
        return html.Section(
            [html.H2("Notifications"), html.P("Nobody was told: no receiver is configured for this rule.", className="muted")],
            className="panel",
        )
    rows = []
    for one in sent:
        words, tone = _STATES[one.state]
        outcome: list[Any] = [html.Span(words, className=f"verdict verdict-{tone}")]
        if one.error and one.state != DeliveryState.SENT:
            outcome.append(html.Div(without_urls(one.error)[:300], className="muted"))
        if one.next_attempt_at is not None and one.state == DeliveryState.PENDING and one.attempts:
            outcome.append(html.Div(["next attempt ", when(one.next_attempt_at, zone)], className="muted"))
        rows.append([one.receiver, _REASONS[one.reason], outcome, str(one.attempts), when(one.updated_at, zone)])
    head = ("Receiver", "Message", "State", "Attempts", "When")
    return html.Section(
        [html.H2("Notifications"), table(head, rows, caption="Messages sent about this incident", numeric=(3,))],
        className="panel",
    )
