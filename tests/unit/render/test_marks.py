from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from render.figures import timeseries
from render.parts import Line, Mark, MarkKind, Span
from render.theme import theme_of
from render.timeline import MOST_LANES, OTHERS, Happening, timeline

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN = Span(start=NOON, end=NOON + 6 * HOUR)
THEME = theme_of("light")


def marked(*marks: Mark) -> tuple[dict[str, Any], list[Any]]:
    """Traces by name, and shapes, of a chart with these marks."""
    frame = pd.DataFrame({"ts": pd.date_range(NOON, periods=6, freq="1h"), "value": [1.0] * 6})
    figure = timeseries([Line(name="observed", frame=frame)], SPAN, "calls/s", THEME, marks=marks)
    return {trace.name: trace for trace in figure.data}, list(figure.layout.shapes)


def test_each_kind_has_a_trace_and_shapes_of_its_name() -> None:
    traces, drawn = marked(
        Mark(start=NOON + HOUR, end=None, text="slow"),
        Mark(start=NOON + HOUR, end=NOON + 2 * HOUR, text="told", kind=MarkKind.INCIDENT, strong=False),
        Mark(start=NOON - HOUR, end=NOON + HOUR, text="moved", kind=MarkKind.QUIET),
        Mark(start=NOON + 3 * HOUR, end=NOON + 4 * HOUR, text="v2", kind=MarkKind.CHANGE),
    )
    assert {"anomaly", "incident", "maintenance or silence", "new version"} <= set(traces)
    shapes = {shape.name: shape for shape in drawn}
    assert shapes["maintenance or silence"].x0 == "2026-03-02T12:00:00"  # cut where the chart begins
    assert shapes["new version"].x0 == shapes["new version"].x1
    assert traces["incident"].marker.symbol == ("diamond-open",)


def test_what_lies_outside_is_not_drawn() -> None:
    before = Mark(start=NOON - 2 * HOUR, end=NOON - HOUR, text="before")
    traces, shapes = marked(before, Mark(start=NOON + 7 * HOUR, end=None, text="after"))
    assert list(traces) == ["observed"]
    assert shapes == []


def test_a_lane_is_a_selection_and_the_rarest_share_one() -> None:
    found = [
        Happening(kind=MarkKind.ANOMALY, lane=f"route {number}", start=NOON, end=NOON + HOUR, text="<b>", quiet=number == 0)
        for number in range(MOST_LANES + 5)
        for _ in range(MOST_LANES + 5 - number)
    ]
    figure = timeline(found, SPAN, THEME)
    assert list(figure.layout.yaxis.ticktext) == [*(f"route {number}" for number in range(MOST_LANES - 1)), OTHERS]
    assert {trace.name for trace in figure.data} == {"anomaly", "anomaly, muted"}
    assert set(figure.data[0].customdata) == {"&lt;b&gt;"}


def test_an_incident_lies_beside_its_anomaly_and_lasts_to_the_edge() -> None:
    found = [
        Happening(kind=kind, lane="all traffic", start=NOON + HOUR, end=None, text="x")
        for kind in (MarkKind.ANOMALY, MarkKind.INCIDENT)
    ]
    anomaly, incident = timeline(found, SPAN, THEME).data
    assert anomaly.y[0] != incident.y[0]
    assert anomaly.x[1] == "2026-03-02T18:00:00"
