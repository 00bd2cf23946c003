"""The incidents page: layout, and the HTML of what `dashboards.incidents` has read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.series import METRICS
from core.types import Action, DeliveryState, Incident, Notification, NotifyReason
from dashboards.catalogue import metric_words
from dashboards.incidents import CHOICES, DEFAULT_LAST, FILTERS, IncidentDetail, IncidentsData, without_urls
from dashboards.pages import acting, anomalies
from dashboards.pages.cards import drawn
from dashboards.pages.controls import filters, span_words, updated, windows
from dashboards.pages.shell import with_query
from dashboards.pages.words import facts, legend, notice, severity_badge, state_badge, table, when
from render.units import format_span, format_value, unit_words

PATH = "/incidents"
_SAID = {Action.ACKNOWLEDGE: "acknowledged", Action.SNOOZE: "snoozed", Action.EXPECTED: "said to be expected"}
_REASONS = {
    NotifyReason.OPENED: "opened",
    NotifyReason.REPEATED: "reminder",
    NotifyReason.RESOLVED: "resolved",
    NotifyReason.AMENDED: "amended",
    NotifyReason.WITHDRAWN: "withdrawn",
    NotifyReason.REVIEW: "review",
}
_STATES = {
    DeliveryState.SENT: ("✓ delivered", "good"),
    DeliveryState.PENDING: ("… waiting to be sent", "quiet"),
    DeliveryState.FAILED: ("✕ failed", "bad"),
}


def layout(query: Mapping[str, str], choices: Mapping[str, list[str]]) -> Any:
    """The page before its data; `query` sets what is chosen."""
    known = {**choices, **CHOICES}
    return html.Div(
        [
            html.Div(
                [html.H1("Anomalies and incidents"), html.Div(id="incidents-span", className="muted")], className="heading"
            ),
            html.Div([windows(PATH, DEFAULT_LAST), filters(query, known, FILTERS)], className="controls"),
            acting.dialog(),
            html.Div(id="incidents-timeline"),
            html.Div(
                [
                    html.Div(notice("Loading …"), id="incidents-list", className="incident-list"),
                    html.Div(id="incident-detail", className="incident-detail"),
                ],
                className="incidents",
            ),
            html.Section(id="incidents-anomalies", className="panel"),
        ]
    )


def summary(data: IncidentsData, zone: ZoneInfo) -> list[Any]:
    firing = sum(1 for one in data.incidents if one.state.is_open)
    words = f"{firing} firing, {len(data.incidents) - firing} resolved" if data.incidents else "none"
    span = span_words(data.window, zone, data.now) if data.window is not None else updated(zone, data.now)
    return [html.Span(words), *span]


def what_happened(data: IncidentsData) -> Any:
    """The timeline's card."""
    title = "Anomalies and incidents by selection"
    if data.timeline is None:
        return html.Section([html.H2(title), notice("Nothing of this choice happened in this window.")], className="card")
    return drawn("incidents", "timeline", title, data.timeline, legend(data.legend))


def anomaly_list(data: IncidentsData, zone: ZoneInfo) -> list[Any]:
    return anomalies.listing(data.anomalies, _kept(data), zone)


def listing(data: IncidentsData, zone: ZoneInfo) -> Any:
    """The list on the left."""
    if not data.incidents:
        words = (
            "No incident of this choice in this window."
            if data.ever
            else "No incident has been opened. Rules look at every minute; what they find appears here."
        )
        return notice(words)
    opened = data.opened.incident.id if data.opened else ""
    return html.Ul([html.Li(_entry(one, one.id == opened, zone, data)) for one in data.incidents])


def _kept(data: IncidentsData) -> dict[str, str]:
    """The address without what it opens."""
    return {name: value for name, value in data.query.items() if name not in ("incident", "anomaly")}


def _entry(incident: Incident, opened: bool, zone: ZoneInfo, data: IncidentsData) -> Any:
    firing = incident.state.is_open
    return dcc.Link(
        [
            html.Div([severity_badge(incident.severity), state_badge(firing)], className="badges"),
            html.Div(incident.title, className="entry-title"),
            html.Div([when(incident.started_at, zone), f" · {lasting(incident, data.now)}"], className="muted"),
        ],
        href=with_query(PATH, {**_kept(data), "incident": incident.id}),
        className="entry open" if opened else "entry",
    )


def lasting(incident: Incident, now: datetime) -> str:
    """`for 12 min so far`, or `lasted 12 min`."""
    if incident.resolved_at is None:
        return f"for {format_span(now - incident.started_at)} so far"
    return f"lasted {format_span(incident.resolved_at - incident.started_at)}"


def detail(data: IncidentsData, zone: ZoneInfo) -> list[Any]:
    """The opened incident or anomaly."""
    if data.anomaly is not None:
        return anomalies.detail(data.anomaly, zone, data.now)
    if data.opened is None:
        words = "There is no incident of this name; it may be older than what is kept."
        return [notice(words, tone="bad")] if data.asked else []
    one = data.opened
    return [
        _head(one.incident, zone, data.now),
        _chart(one),
        *(anomalies.explanation(one.anomaly, None, zone) if one.anomaly is not None else []),
        _course(one, zone),
        _notifications(one.notifications, zone),
    ]


def _course(one: IncidentDetail, zone: ZoneInfo) -> Any:
    """How it went: its states, and what people said of it."""
    rows: list[tuple[datetime, list[Any]]] = []
    for before, state in zip([None, *one.history], one.history, strict=False):
        if before is None or (before.state, before.severity) != (state.state, state.severity):
            rows.append((state.updated_at, [f"{state.state.value}, {state.severity.value}", _observed(state)]))
    for said in one.said:
        until = ["until ", when(said.until, zone)] if said.until else ""
        rows.append((said.at, [f"{_SAID[said.action]} (by {said.receiver})", until]))
    if not rows:
        return html.Section([html.H2("How it went"), html.P("Nothing is kept of it.", className="muted")], className="panel")
    shown = [[when(at, zone), *cells] for at, cells in sorted(rows, key=lambda row: row[0])]
    caption = "States of this incident and what people said of it"
    return html.Section([html.H2("How it went"), table(("When", "What", "Value"), shown, caption=caption)], className="panel")


def _observed(incident: Incident) -> str:
    return format_value(incident.value, incident.unit)


def _head(incident: Incident, zone: ZoneInfo, now: datetime) -> Any:
    pairs: list[tuple[str, Any]] = [
        ("Began", when(incident.started_at, zone)),
        ("Ended", when(incident.resolved_at, zone) if incident.resolved_at else "not yet"),
        ("Length", lasting(incident, now)),
        ("Rule", incident.rule if incident.rule == incident.kind else f"{incident.rule} ({incident.kind})"),
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
            *acting.on_incident(incident),
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
    title = f"{metric_words(one.metric)} of {one.selector.words} ({unit})"
    if one.figure is None:
        return html.Section(
            [html.H2(title), notice("No calls of this selection were recorded around this incident.")], className="card"
        )
    return drawn("incidents", "incident", title, one.figure, legend(one.legend))


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
