"""Anomalies on the incidents page: one with its explanation, and a table of a window's."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from core.masks import Mask
from core.series import METRICS
from core.types import Anomaly, AnomalyVerdict, Cause, Related
from dashboards.anomalies import AnomalyDetail
from dashboards.catalogue import metric_words
from dashboards.marking import headline
from dashboards.pages import acting
from dashboards.pages.cards import drawn
from dashboards.pages.shell import with_query
from dashboards.pages.words import extra, facts, legend, notice, percent, state_badge, table, when
from render.units import UNKNOWN, format_range, format_span, format_value, unit_words

MAX_PARTS = 8
MAX_ROWS = 30
PATH = "/incidents"


def listing(anomalies: tuple[Anomaly, ...], query: dict[str, str], zone: ZoneInfo) -> list[Any]:
    """Anomalies of the window, newest first."""
    if not anomalies:
        return [html.H2("Anomalies"), html.P("None of this choice in this window.", className="muted")]
    rows = [
        [
            when(one.started_at, zone),
            "ongoing" if one.ended_at is None else format_span(one.ended_at - one.started_at),
            [dcc.Link(headline(one), href=with_query(PATH, {**query, "anomaly": one.id})),
             html.Div([*_marks(one), one.hint or one.explanation], className="muted")],
            percent(one.severity),
        ]
        for one in anomalies[:MAX_ROWS]
    ]  # fmt: skip
    more = len(anomalies) - MAX_ROWS
    tail = [html.P(f"and {more} more; choose a shorter window to see them all", className="muted")] if more > 0 else []
    caption = "Anomalies in this window, newest first"
    return [
        html.H2(f"Anomalies ({len(anomalies)})"),
        table(("Began", "Lasted", "What", "Severity"), rows, caption=caption, numeric=(3,)),
        *tail,
    ]


def detail(one: AnomalyDetail, zone: ZoneInfo, now: datetime) -> list[Any]:
    """The opened anomaly."""
    anomaly = one.anomaly
    unit = METRICS[anomaly.metric].unit if anomaly.metric in METRICS else ""
    title = f"{metric_words(anomaly.metric)} of {anomaly.selector.words} ({unit_words(unit)})"
    told = (
        dcc.Link("Open its incident", href=with_query(PATH, {"incident": one.incident.id}))
        if one.incident is not None
        else "none was opened"
    )
    pairs: list[tuple[str, Any]] = [
        ("Began", when(anomaly.started_at, zone)),
        ("Ended", when(anomaly.ended_at, zone) if anomaly.ended_at else "not yet"),
        ("Observed", format_value(anomaly.observed, unit)),
        ("Expected", _expected(anomaly.lower, anomaly.upper, anomaly.expected, unit)),
        ("Score", f"{anomaly.score:.1f} (1 is the edge of normal)"),
        ("Severity", percent(anomaly.severity)),
        ("Incident", told),
        ("Judged by", f"model {anomaly.model_version}, baseline {anomaly.baseline_version}"),
    ]
    chart = (
        html.Section([html.H2(title), notice("No calls of this selection were recorded around it.")], className="card")
        if one.figure is None
        else drawn("incidents", "anomaly", title, one.figure, legend(one.legend))
    )
    head = html.Section(
        [
            html.Div([state_badge(anomaly.ended_at is None), *_marks(anomaly)], className="badges"),
            html.H2(headline(anomaly), className="incident-title"),
            html.P(anomaly.explanation, className="prose"),
            facts(pairs),
            *acting.on_anomaly(anomaly, one.mask),
        ],
        className="panel",
    )
    return [head, chart, *explanation(anomaly, one.mask, zone)]


def explanation(anomaly: Anomaly, mask: Mask | None, zone: ZoneInfo) -> list[Any]:
    """Why it may have happened: hint with its evidence, causes by rank, what moved along, what did not, what people said."""
    found: list[Any] = []
    if anomaly.hint:
        found.append(_hint(anomaly))
    if anomaly.causes:
        found.append(_causes(anomaly))
    if anomaly.contributions:
        found.append(_contributions(anomaly))
    if anomaly.related:
        found.append(_related(anomaly.related))
    if mask is not None:
        until = when(mask.end, zone) if mask.end else "it is ended"
        said = [mask.why, " (", mask.who, ", ", when(mask.made_at, zone), "); until ", until]
        found.append(html.Section([html.H2(f"Marked as {mask.kind.value}"), html.P(said)], className="panel"))
    return found


def _hint(anomaly: Anomaly) -> Any:
    unmoved = ", ".join(metric_words(name) for name in anomaly.unmoved)
    still = [html.P(f"Within their ranges: {unmoved}.", className="muted")] if unmoved else []
    return html.Section(
        [html.H2(f"It looks like: {anomaly.hint}"), html.P(anomaly.evidence, className="prose"), *still], className="panel"
    )


def _causes(anomaly: Anomaly) -> Any:
    unit = METRICS[anomaly.metric].unit if anomaly.metric in METRICS else ""
    rows = [[str(rank), *_cause(cause, unit)] for rank, cause in enumerate(anomaly.causes[:MAX_PARTS], start=1)]
    head = ("#", "Where", "Observed", "Before", "Share")
    caption = "Selections that explain it, the likeliest first"
    return html.Section([html.H2("Where it comes from"), table(head, rows, caption=caption, numeric=(2, 3))], className="panel")


def _cause(cause: Cause, unit: str) -> list[Any]:
    return [cause.selector.words, format_value(cause.observed, unit), format_value(cause.expected, unit), share(cause.share)]


def _contributions(anomaly: Anomaly) -> Any:
    rows = []
    ranked = sorted(anomaly.contributions, key=lambda one: -one.share)
    for rank, part in enumerate(ranked[:MAX_PARTS], start=1):
        unit = METRICS[part.metric].unit if part.metric in METRICS else ""
        name = [html.Div(metric_words(part.metric)), html.Div(part.selector.words, className="muted")]
        expected = _expected(part.lower, part.upper, part.expected, unit)
        rows.append([str(rank), name, format_value(part.observed, unit), expected, share(part.share)])
    head = ("#", "Series", "Observed", "Expected", "Share")
    ranking = table(head, rows, caption="Series by their share of the anomaly's score", numeric=(2, 3))
    more = len(ranked) - MAX_PARTS
    tail = [html.P(f"and {more} more with smaller shares", className="muted")] if more > 0 else []
    return html.Section([html.H2("What moved"), ranking, *tail], className="panel")


def _related(related: tuple[Related, ...]) -> Any:
    rows = [
        [
            [html.Div(metric_words(one.metric)), html.Div(one.selector.words, className="muted")],
            _lag(one.lag_minutes),
            f"{one.correlation:.2f}",
        ]
        for one in related[:MAX_PARTS]
    ]
    caption = "Other series that moved with it, by their correlation"
    return html.Section(
        [html.H2("Moved along"), table(("Series", "When", "Correlation"), rows, caption=caption, numeric=(2,))],
        className="panel",
    )


def _lag(minutes: int) -> str:
    if minutes == 0:
        return "at the same time"
    return f"{abs(minutes)} min {'before' if minutes > 0 else 'after'}"


def _marks(anomaly: Anomaly) -> list[Any]:
    """Badges of what people or late data made of it."""
    found = []
    if anomaly.muted:
        found.append(html.Span("Muted", className="badge badge-info"))
    if anomaly.verdict is AnomalyVerdict.WITHDRAWN:
        found.append(html.Span("Withdrawn: late data made it normal", className="badge badge-info"))
    if anomaly.verdict is AnomalyVerdict.AMENDED:
        found.append(html.Span("Amended by late data", className="badge badge-info"))
    return found


def _expected(lower: float, upper: float, expected: float, unit: str) -> str:
    found = format_range(lower, upper, unit)
    return found if found != UNKNOWN else format_value(expected, unit)


def share(part: float) -> Any:
    """A share as a bar with its number."""
    percent = max(0.0, min(1.0, part)) * 100
    fill = html.Div(className="bar-fill", style={"width": f"{percent:.0f}%"})
    return html.Div(
        [html.Div(fill, className="bar", **extra(aria_hidden="true")), html.Span(f"{percent:.0f} %")], className="share"
    )
