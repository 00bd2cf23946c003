"""Figures are judged by what they hold: traces, their values, the axes."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from core.types import QUANTILE_COLUMNS
from render.figures import forecast_fan, is_empty, tick_format, timeseries
from render.parts import Band, Limit, Line, Mark, Span
from render.theme import DARK, LIGHT, Theme

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTES = pd.Series(pd.date_range(START, periods=6, freq="min"))
SPAN = Span(start=START, end=START + timedelta(minutes=6))


def line(values: list[float], name: str = "observed") -> Line:
    return Line(name=name, frame=pd.DataFrame({"ts": MINUTES[: len(values)], "value": values}))


def band(lower: float, upper: float) -> Band:
    frame = pd.DataFrame({"ts": MINUTES, "lower": lower, "expected": (lower + upper) / 2, "upper": upper})
    return Band(name="expected range", frame=frame)


def test_unknown_is_a_gap_and_zero_is_a_zero() -> None:
    fig = timeseries([line([1.0, 0.0, np.nan, 2.0, 3.0, np.nan])], SPAN, "calls/s", LIGHT)
    trace = fig.data[0]
    assert tuple(trace.y) == (1.0, 0.0, None, 2.0, 3.0, None)
    assert trace.connectgaps is False
    assert trace.mode == "lines"


def test_a_lone_point_is_drawn_as_a_dot() -> None:
    fig = timeseries([line([np.nan, 4.0, np.nan, 1.0, 1.0, np.nan])], SPAN, "ms", LIGHT)
    assert fig.data[0].mode == "lines+markers"
    assert list(fig.data[0].marker.size) == [0, 5, 0, 0, 0, 0]


def test_times_are_the_wall_clock_of_the_zone() -> None:
    span = Span(start=START, end=START + timedelta(minutes=6), zone="Europe/Berlin")
    fig = timeseries([line([1.0])], span, "calls/s", LIGHT)
    assert fig.data[0].x == ("2026-03-02T13:00:00",)
    assert fig.layout.xaxis.range == ("2026-03-02T13:00:00", "2026-03-02T13:06:00")


def test_ratios_are_percentages_and_long_latencies_seconds() -> None:
    assert tuple(timeseries([line([0.05])], SPAN, "1", LIGHT).data[0].y) == (5.0,)
    slow = timeseries([line([12_000.0, 3_000.0])], SPAN, "ms", LIGHT)
    assert tuple(slow.data[0].y) == (12.0, 3.0)
    assert slow.layout.yaxis.ticksuffix == " s"


def test_the_band_lies_under_the_lines_and_is_named_once() -> None:
    fig = timeseries([line([1.0, 2.0])], SPAN, "calls/s", LIGHT, band=band(0.5, 2.5))
    lower, upper, expected, observed = fig.data
    assert (lower.y[0], upper.y[0], expected.y[0], observed.y[0]) == (0.5, 2.5, 1.5, 1.0)
    assert upper.fill == "tonexty"
    assert [trace.showlegend for trace in (lower, upper, expected)] == [False, None, False]
    assert upper.customdata[0] == "0.5 to 2.5 calls/s"
    assert fig.layout.showlegend is True


def test_a_mark_shades_its_span_up_to_the_edge_and_carries_its_text() -> None:
    marks = [
        Mark(start=START + timedelta(minutes=2), end=None, text="P95 of <b>openai</b> rose"),
        Mark(start=START - timedelta(hours=1), end=START + timedelta(minutes=1), text="before", strong=False),
        Mark(start=START - timedelta(hours=2), end=START - timedelta(hours=1), text="outside"),
    ]
    fig = timeseries([line([1.0, 2.0])], SPAN, "calls/s", LIGHT, marks=marks)
    assert [(shape.x0, shape.x1) for shape in fig.layout.shapes] == [
        ("2026-03-02T12:02:00", "2026-03-02T12:06:00"),
        ("2026-03-02T12:00:00", "2026-03-02T12:01:00"),
    ]
    marker = fig.data[-1]
    assert marker.marker.symbol == ("triangle-down", "triangle-down-open")
    assert marker.customdata[0] == "P95 of &lt;b&gt;openai&lt;/b&gt; rose"
    assert marker.yaxis == "y2"


def test_a_limit_is_a_dashed_line_across_the_span() -> None:
    limit = Limit(name="fast", value=3.0, at_most=True, text="Promise")
    fig = timeseries([line([1.0, 2.0])], SPAN, "ms", LIGHT, limits=[limit])
    trace = fig.data[-1]
    assert (trace.y, trace.line.dash) == ((3.0, 3.0), "dash")
    assert trace.name == "fast (at most 3 ms)"
    assert "Promise" in trace.hovertemplate


def test_a_limit_far_above_the_data_is_named_instead_of_flattening_them() -> None:
    limit = Limit(name="orders", value=5000.0, at_most=False)
    fig = timeseries([line([1.0, 2.0])], SPAN, "calls/s", LIGHT, limits=[limit])
    assert len(fig.data) == 1
    assert fig.layout.annotations[0].text == "▲ above this chart: orders, 5,000 calls/s"


def test_a_limit_below_all_data_is_drawn() -> None:
    fig = timeseries([line([100.0])], SPAN, "ms", LIGHT, limits=[Limit(name="low", value=1.0, at_most=True)])
    assert fig.data[-1].y == (1.0, 1.0)


def test_the_same_revision_keeps_the_readers_zoom() -> None:
    one, other = (timeseries([line([value])], SPAN, "ms", LIGHT, revision="a") for value in (1.0, 2.0))
    assert one.layout.uirevision == other.layout.uirevision == "a"


def test_a_title_makes_room_for_itself() -> None:
    fig = timeseries([line([1.0])], SPAN, "ms", LIGHT, title="Latency (ms)")
    assert fig.layout.title.text == "Latency (ms)"
    assert fig.layout.margin.t > timeseries([line([1.0])], SPAN, "ms", LIGHT).layout.margin.t


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_lines_take_the_theme_in_order_and_differ(theme: Theme) -> None:
    fig = timeseries([line([1.0], f"P{n}") for n in (50, 90, 95, 99)], SPAN, "ms", theme)
    colors = [trace.line.color for trace in fig.data]
    assert colors == list(theme.series[:4])
    assert len(set(colors)) == 4


def test_nothing_known_is_an_empty_figure_with_its_axes() -> None:
    fig = timeseries([line([np.nan, np.nan])], SPAN, "ms", LIGHT, limits=[Limit(name="fast", value=3.0, at_most=True)])
    assert tuple(fig.data[0].y) == (None, None)
    assert fig.layout.xaxis.range[0] == "2026-03-02T12:00:00"
    assert is_empty(line([np.nan]).frame)
    assert is_empty(pd.DataFrame({"ts": [], "value": []}))


def test_axes_write_thousands_only_where_numbers_are_long() -> None:
    assert tick_format(0.6) == tick_format(9_999) == ",~g"
    assert tick_format(50_000) == "~s"


def test_the_fan_nests_its_quantiles_and_begins_where_history_ends() -> None:
    ahead = pd.DataFrame({"ts": MINUTES + pd.Timedelta(minutes=6), "mean": 2.0})
    for index, name in enumerate(QUANTILE_COLUMNS):
        ahead[name] = 1.0 + index / 4
    span = Span(start=START, end=START + timedelta(minutes=12))
    fig = forecast_fan(line([1.0, 2.0]), ahead, span, "calls/s", LIGHT, limits=[Limit(name="cap", value=3.0, at_most=False)])
    by_name = {trace.name: trace for trace in fig.data}
    outer, inner = by_name["5 to 95 % of outcomes"], by_name["25 to 75 % of outcomes"]
    assert by_name["5 to 95 % of outcomes, low"].y[0] < by_name["25 to 75 % of outcomes, low"].y[0] < inner.y[0] < outer.y[0]
    assert by_name["median"].y[0] == 1.75
    assert by_name["observed"].x[-1] < by_name["median"].x[0]
    assert fig.layout.shapes[0].x0 == by_name["median"].x[0]
    assert "cap (at least 3 calls/s)" in by_name


def test_a_line_of_a_year_by_the_hour_has_a_thousand_points_and_its_peak() -> None:
    count = 366 * 24
    times = pd.Series(pd.date_range(START, periods=count, freq="h"))
    values = np.where(np.arange(count) == 5000, 80.0, 1.0)
    span = Span(start=START, end=START + timedelta(days=366))
    expected = Band(name="expected", frame=pd.DataFrame({"ts": times, "lower": 0.5, "expected": 1.0, "upper": 2.0}))
    fig = timeseries(
        [Line(name="observed", frame=pd.DataFrame({"ts": times, "value": values}))], span, "ms", LIGHT, band=expected
    )
    assert all(len(trace.x) <= 1000 for trace in fig.data)
    assert max(fig.data[-1].y) == 80.0
    fan = pd.DataFrame({"ts": times, "mean": values, **dict.fromkeys(QUANTILE_COLUMNS, values)})
    drawn = forecast_fan(line([1.0]), fan, span, "ms", LIGHT).data
    assert all(len(trace.x) <= 1000 for trace in drawn)
    assert max(drawn[1].y) == 80.0
