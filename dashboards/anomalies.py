"""What the incidents page shows of anomalies: those of a window, and one with its chart and what people said of it."""

from dataclasses import dataclass

import plotly.graph_objects as go

from core.masks import Mask
from core.series import selection_of
from core.types import Anomaly, AnomalyVerdict, Incident
from dashboards.context import Web
from dashboards.look import Entry, Look, for_page
from dashboards.marking import headline
from dashboards.series_chart import SeriesChart, draw_around
from dashboards.window import Window
from render.parts import Mark, MarkKind, Span
from render.theme import theme_of
from render.timeline import Happening, timeline
from storage.masks import anomaly_by_id, read_masks


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyDetail:
    """One anomaly, the mask that speaks of it, and the incident that was opened for it."""

    anomaly: Anomaly
    mask: Mask | None
    incident: Incident | None
    figure: go.Figure | None
    legend: tuple[Entry, ...]


def load_anomaly(web: Web, anomaly_id: str, incidents: list[Incident], look: Look) -> AnomalyDetail | None:
    """Everything about one anomaly; None where there is none of this name."""
    anomaly = anomaly_by_id(web.store, anomaly_id)
    if anomaly is None:
        return None
    text = f"{headline(anomaly)}. {anomaly.explanation}"
    chart = SeriesChart(
        name="anomaly",
        metric=anomaly.metric,
        selector=anomaly.selector,
        start=anomaly.started_at,
        end=anomaly.ended_at,
        marks=(Mark(start=anomaly.started_at, end=anomaly.ended_at, text=text),),
    )
    figure, legend = draw_around(web, chart, look)
    return AnomalyDetail(
        anomaly=anomaly,
        mask=mask_of(web, anomaly),
        incident=next((one for one in incidents if one.anomaly_id == anomaly.id), None),
        figure=figure,
        legend=legend,
    )


def mask_of(web: Web, anomaly: Anomaly) -> Mask | None:
    """The mask that speaks of an anomaly."""
    found = read_masks(web.store, mask_id=anomaly.mask_id) if anomaly.mask_id else []
    return found[0] if found else None


def quieted(anomaly: Anomaly) -> bool:
    """Whether nobody was to be told of it, or late data took it back."""
    return anomaly.muted or anomaly.verdict is AnomalyVerdict.WITHDRAWN


def draw_timeline(
    web: Web, anomalies: list[Anomaly], incidents: list[Incident], window: Window, look: Look
) -> tuple[go.Figure | None, tuple[Entry, ...]]:
    """Anomalies and incidents of a window; None where there is neither."""
    found = [
        *(
            Happening(
                kind=MarkKind.ANOMALY,
                lane=one.selector.words,
                start=one.started_at,
                end=one.ended_at,
                text=f"{headline(one)}. {one.explanation}",
                quiet=quieted(one),
            )
            for one in anomalies
        ),
        *(
            Happening(
                kind=MarkKind.INCIDENT,
                lane=selection_of(one.labels).words,
                start=one.started_at,
                end=one.resolved_at,
                text=f"{one.title} ({one.severity}, {one.state})",
            )
            for one in incidents
        ),
    ]
    if not found:
        return None, ()
    span = Span(start=window.start, end=window.end, zone=web.zone.key)
    figure = timeline(found, span, theme_of(look.mode), revision=f"{window.query}")
    return for_page(figure, "timeline", look)
