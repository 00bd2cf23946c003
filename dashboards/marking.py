"""What charts carry besides their lines: anomalies and incidents that concern them, and targets."""

from collections.abc import Sequence

from core.series import METRICS, Selector
from core.types import Anomaly, Incident
from dashboards import queries
from dashboards.catalogue import line_name, metric_words
from dashboards.context import Web
from dashboards.selection import overlaps
from dashboards.window import Window
from render.parts import Limit, Mark, MarkKind
from render.units import UNKNOWN, format_range, format_value

MAX_MARKS = 60


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


def incident_marks(web: Web, window: Window, selector: Selector) -> list[tuple[str, Mark]]:
    """Incidents that may concern the selection, each with the metric that it is about."""
    found = [one for one in queries.incidents_in(web, window.start, window.end) if concerns(one, selector)]
    return [
        (
            one.metric,
            Mark(
                start=one.started_at,
                end=one.resolved_at,
                text=f"{one.title} ({one.severity}, {one.state})",
                kind=MarkKind.INCIDENT,
            ),
        )
        for one in found[:MAX_MARKS]
    ]


def concerns(incident: Incident, selector: Selector) -> bool:
    """Whether an incident may be about this selection: its labels ask for no other value of a chosen dimension."""
    return all(incident.labels.get(name, value) == value for name, value in selector.pairs)


def headline(anomaly: Anomaly) -> str:
    """`Latency P95 of provider openai: 812 ms, expected 150 to 240 ms`."""
    unit = METRICS[anomaly.metric].unit if anomaly.metric in METRICS else ""
    words = metric_words(anomaly.metric)
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
