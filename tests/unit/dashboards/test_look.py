from datetime import timedelta

import pandas as pd
import pytest

from dashboards.look import Look, for_page, read_look
from render.figures import forecast_fan, timeseries
from render.parts import Band, Limit, Line, Mark, Span
from render.theme import LIGHT
from tests.unit.dashboards.builders import NOON

TIMES = pd.Series(pd.date_range(NOON, periods=3, freq="min"))
SPAN = Span(start=NOON, end=NOON + timedelta(minutes=3))


def figure() -> object:
    frame = pd.DataFrame({"ts": TIMES, "lower": 0.0, "expected": 1.0, "upper": 2.0})
    return timeseries(
        [Line(name=name, frame=pd.DataFrame({"ts": TIMES, "value": 1.0})) for name in ("P50", "P99")],
        SPAN,
        "ms",
        LIGHT,
        band=Band(name="expected range", frame=frame),
        marks=[Mark(start=NOON, end=None, text="x")],
        limits=[Limit(name="fast", value=2.0, at_most=True)],
    )


def test_the_page_draws_the_legend_itself() -> None:
    drawn, entries = for_page(figure(), "latency", Look())
    assert drawn.layout.showlegend is False
    assert [(entry.name, entry.kind) for entry in entries] == [
        ("expected range", "area"),
        ("P50", "line"),
        ("P99", "line"),
        ("anomaly", "marker"),
        ("fast (at most 2 ms)", "line"),
    ]
    assert entries[1].key == "latency/P50"
    assert entries[-1].dash == "dash"
    assert not any(entry.hidden for entry in entries)


def test_what_was_clicked_away_is_hidden_with_all_its_parts() -> None:
    look = Look(hidden=frozenset({"latency/P99", "latency/expected range", "latency/anomaly", "other/P50"}))
    drawn, entries = for_page(figure(), "latency", look)
    hidden = {trace.name for trace in drawn.data if trace.visible == "legendonly"}
    assert hidden == {"P99", "expected range", "expected range, low", "expected", "anomaly"}
    assert drawn.layout.shapes == ()
    assert [entry.name for entry in entries if entry.hidden] == ["expected range", "P99", "anomaly"]


def test_a_line_that_starts_hidden_is_brought_by_a_click() -> None:
    quantiles = dict.fromkeys(("mean", "q05", "q10", "q25", "q50", "q75", "q90", "q95"), 1.0)
    history = Line(name="observed", frame=pd.DataFrame({"ts": TIMES, "value": 1.0}))

    def mean(look: Look) -> object:
        fan = forecast_fan(history, pd.DataFrame({"ts": TIMES, **quantiles}), SPAN, "ms", LIGHT)
        drawn, _ = for_page(fan, "forecast", look)
        return next(trace.visible for trace in drawn.data if trace.name == "mean")

    assert mean(Look()) == "legendonly"
    assert mean(Look(hidden=frozenset({"forecast/mean"}))) is True


def test_a_narrow_screen_scrolls_by_touch() -> None:
    drawn, _ = for_page(figure(), "latency", Look(narrow=True))
    assert drawn.layout.dragmode is False
    assert drawn.layout.margin.l < for_page(figure(), "latency", Look())[0].layout.margin.l


def test_what_a_browser_says_is_not_trusted() -> None:
    assert read_look(None) == Look()
    assert read_look({"mode": "<script>", "narrow": "yes", "hidden": "all"}) == Look()
    assert read_look({"mode": "dark", "narrow": True, "hidden": ["a/b", 3]}) == Look(
        mode="dark", narrow=True, hidden=frozenset({"a/b"})
    )
    assert len(read_look({"hidden": [str(n) for n in range(1000)]}).hidden) == 50


@pytest.mark.parametrize(
    ("named", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("", ""),
        ("Mars/Olympus", ""),
        ("../../etc/passwd", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_zone_is_one_that_there_is(named: object, zone: str) -> None:
    assert read_look({"zone": named}).zone == zone
