"""What the incidents page shows: the list, and one incident with its anomaly, its chart and its notifications."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import plotly.graph_objects as go

from core.clock import floor_to
from core.record import DIMENSIONS
from core.series import METRICS, Selector
from core.types import Anomaly, Incident, Notification
from dashboards import queries
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.overview import limits_for
from dashboards.window import Window, step_for
from render.figures import is_empty, timeseries
from render.parts import Band, Limit, Line, Mark, Span
from render.theme import theme_of

BEFORE = timedelta(hours=1)
AFTER = timedelta(minutes=30)

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
    """

    incident: Incident
    anomaly: Anomaly | None
    notifications: tuple[Notification, ...]
    metric: str
    selector: Selector
    figure: go.Figure | None
    legend: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsData:
    """The page."""

    incidents: tuple[Incident, ...]
    opened: IncidentDetail | None
    asked: str
    now: datetime


def load_incidents(web: Web, query: Mapping[str, str], look: Look) -> IncidentsData:
    """The newest incidents, firing ones first, and the one that `incident` of `query` names, or the first."""
    found = sorted(queries.recent_incidents(web), key=lambda one: (not one.state.is_open, -one.started_at.timestamp()))
    asked = query.get("incident", "")[:200]
    chosen = queries.incident_by_id(web, asked) if asked else next(iter(found), None)
    detail = None if chosen is None else load_detail(web, chosen, look)
    return IncidentsData(incidents=tuple(found), opened=detail, asked=asked, now=web.now())


def load_detail(web: Web, incident: Incident, look: Look) -> IncidentDetail:
    """Everything about one incident."""
    anomaly = queries.anomaly_of(web, incident)
    metric = anomaly.metric if anomaly is not None else incident.metric
    selector = anomaly.selector if anomaly is not None else selector_of(incident)
    figure, legend = _figure(web, incident, metric, selector, look)
    return IncidentDetail(
        incident=incident,
        anomaly=anomaly,
        notifications=tuple(queries.notifications_of(web, incident.id)),
        metric=metric,
        selector=selector,
        figure=figure,
        legend=legend,
    )


def selector_of(incident: Incident) -> Selector:
    """The selection that an incident's labels name."""
    return Selector.of({name: value for name, value in incident.labels.items() if name in DIMENSIONS})


def without_urls(text: str) -> str:
    """A delivery's error with addresses left out: a webhook's address is a secret."""
    return _URL.sub("(address)", text)


def around(incident: Incident, now: datetime) -> Window:
    """The window of an incident's chart: from an hour, or its own length, before to half an hour after."""
    end = incident.resolved_at or now
    lead = max(BEFORE, end - incident.started_at)
    start, stop = incident.started_at - lead, min(end + AFTER, max(now, end))
    step = step_for(stop - start)
    width = timedelta(seconds=step)
    return Window(start=floor_to(start, width), end=floor_to(stop, width) + width, step_s=step)


def _figure(
    web: Web, incident: Incident, metric: str, selector: Selector, look: Look
) -> tuple[go.Figure | None, tuple[Entry, ...]]:
    if metric not in METRICS:
        return None, ()
    window = around(incident, web.now())
    frame = queries.metric_frame(web, metric, window, selector, queries.freshness(web).complete_until)
    if is_empty(frame):
        return None, ()
    expected = queries.expected_frame(web, metric, selector, frame["ts"], window.step_s)
    limits = limits_for(web, (metric,), selector)
    if incident.threshold == incident.threshold and incident.metric == metric and incident.kind == "threshold":
        limits.append(Limit(name="threshold", value=incident.threshold, at_most=incident.value >= incident.threshold))
    figure = timeseries(
        [Line(name="observed", frame=frame)],
        Span(start=window.start, end=window.end, zone=web.zone.key),
        METRICS[metric].unit,
        theme_of(look.mode),
        band=Band(name="expected range" if window.step_s == 60 else "expected range by the minute", frame=expected)
        if expected is not None and expected["expected"].notna().any()
        else None,
        marks=[Mark(start=incident.started_at, end=incident.resolved_at, text=incident.title)],
        limits=limits,
        revision=incident.id,
    )
    return for_page(figure, "incident", look)
