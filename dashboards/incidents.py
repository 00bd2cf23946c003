"""What the incidents page shows: what happened in a window, and one incident or anomaly with what is known about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import plotly.graph_objects as go

from core.series import ALL_CALLS, Selector, selection_of
from core.types import Anomaly, Incident, IncidentAction, Notification
from dashboards import queries
from dashboards.anomalies import AnomalyDetail, draw_timeline, load_anomaly
from dashboards.context import Web
from dashboards.look import Entry, Look
from dashboards.selection import overlaps, read_selector
from dashboards.series_chart import SeriesChart, draw_around
from dashboards.window import Window, read_window
from render.parts import Limit, Mark, MarkKind
from storage.silences import read_actions

DEFAULT_LAST = "7d"
FILTERS: tuple[str, ...] = ("state", "kind", "service", "provider", "model", "tenant")
KINDS = ("anomaly", "threshold", "objective", "absence", "forecast", "budget", "pipeline", "change")
CHOICES = {"state": ["firing", "resolved", "muted"], "kind": list(KINDS)}

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDetail:
    """One incident and what is known about it.

    Attributes
    ----------
    metric, selector : str, Selector
        The leading series, which the figure shows.
    figure : Figure or None
        None where no call was recorded around the incident.
    history : tuple of Incident
        Its states, oldest first.
    said : tuple of IncidentAction
        What people said of it, oldest first.
    """

    incident: Incident
    anomaly: Anomaly | None
    notifications: tuple[Notification, ...]
    metric: str
    selector: Selector
    figure: go.Figure | None
    legend: tuple[Entry, ...]
    history: tuple[Incident, ...] = ()
    said: tuple[IncidentAction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsData:
    """The page.

    Attributes
    ----------
    asked : str
        What the address opens; empty: the first there is.
    ever : bool
        Whether there has been an incident at all.
    """

    incidents: tuple[Incident, ...]
    opened: IncidentDetail | None
    asked: str
    now: datetime
    window: Window | None = None
    anomalies: tuple[Anomaly, ...] = ()
    anomaly: AnomalyDetail | None = None
    timeline: go.Figure | None = None
    legend: tuple[Entry, ...] = ()
    ever: bool = False
    query: Mapping[str, str] = field(default_factory=dict)


def load_incidents(web: Web, query: Mapping[str, str], look: Look) -> IncidentsData:
    """What happened in the window and meets the filters, firing ones first; what the query opens, or the first incident.

    Raises BadWindow, and what the store raises.
    """
    window = read_window(query, web.now(), DEFAULT_LAST)
    incidents = [one for one in queries.incidents_in(web, window.start, window.end) if wanted(one, query)]
    incidents.sort(key=lambda one: (not one.state.is_open, -one.started_at.timestamp()))
    anomalies = [one for one in queries.anomalies_in(web, window.start, window.end) if anomaly_wanted(one, query)]
    asked, asked_anomaly = query.get("incident", "")[:200], query.get("anomaly", "")[:200]
    figure, legend = draw_timeline(web, anomalies, incidents, window, look)
    opened, anomaly = None, None
    if asked_anomaly:
        anomaly = load_anomaly(web, asked_anomaly, queries.recent_incidents(web), look)
    else:
        chosen = queries.incident_by_id(web, asked) if asked else next(iter(incidents), None)
        opened = None if chosen is None else load_detail(web, chosen, look)
    return IncidentsData(
        incidents=tuple(incidents),
        opened=opened,
        asked=asked or asked_anomaly,
        now=web.now(),
        window=window,
        anomalies=tuple(anomalies),
        anomaly=anomaly,
        timeline=figure,
        legend=legend,
        ever=bool(queries.recent_incidents(web)),
        query=dict(query),
    )


def wanted(incident: Incident, query: Mapping[str, str]) -> bool:
    """Whether an incident meets the filters of an address."""
    state = query.get("state")
    if state and (state == "muted" or incident.state.is_open is not (state == "firing")):
        return False
    return query.get("kind", incident.kind) == incident.kind and _selected(selection_of(incident.labels), query)


def anomaly_wanted(anomaly: Anomaly, query: Mapping[str, str]) -> bool:
    """The same of an anomaly: one that lasts is firing."""
    state = query.get("state")
    if state == "muted" and not anomaly.muted:
        return False
    if state in ("firing", "resolved") and (anomaly.ended_at is None) is not (state == "firing"):
        return False
    return query.get("kind", "anomaly") == "anomaly" and _selected(anomaly.selector, query)


def _selected(selector: Selector, query: Mapping[str, str]) -> bool:
    chosen = read_selector(query)
    return chosen == ALL_CALLS or (selector != ALL_CALLS and overlaps(chosen, selector))


def load_detail(web: Web, incident: Incident, look: Look) -> IncidentDetail:
    """Everything about one incident."""
    anomaly = queries.anomaly_of(web, incident)
    metric = anomaly.metric if anomaly is not None else incident.metric
    selector = anomaly.selector if anomaly is not None else selection_of(incident.labels)
    figure, legend = draw_around(web, _chart(incident, metric, selector), look)
    return IncidentDetail(
        incident=incident,
        anomaly=anomaly,
        notifications=tuple(queries.notifications_of(web, incident.id)),
        metric=metric,
        selector=selector,
        figure=figure,
        legend=legend,
        history=tuple(queries.incident_states(web, incident.id)),
        said=tuple(one for one in read_actions(web.store, incident.started_at) if one.incident_id == incident.id),
    )


def _chart(incident: Incident, metric: str, selector: Selector) -> SeriesChart:
    limits = []
    if incident.threshold == incident.threshold and incident.metric == metric and incident.kind == "threshold":
        limits.append(Limit(name="threshold", value=incident.threshold, at_most=incident.value >= incident.threshold))
    mark = Mark(start=incident.started_at, end=incident.resolved_at, text=incident.title, kind=MarkKind.ANOMALY)
    return SeriesChart(
        name="incident",
        metric=metric,
        selector=selector,
        start=incident.started_at,
        end=incident.resolved_at,
        marks=(mark,),
        limits=tuple(limits),
    )


def without_urls(text: str) -> str:
    """A delivery's error with addresses left out: a webhook's address is a secret."""
    return _URL.sub("(address)", text)
