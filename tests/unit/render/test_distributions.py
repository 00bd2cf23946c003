import numpy as np
import pandas as pd
import pytest

from render.distributions import Curve, percentile_curves, time_map, week_map
from render.parts import Span
from render.theme import DARK, LIGHT


def test_a_week_has_a_cell_an_hour_and_says_its_unit() -> None:
    values = np.full((7, 24), np.nan)
    values[2, 5] = 0.25
    heat = week_map(values, "1", LIGHT).data[0]
    assert heat.z[2][5] == 25.0
    assert heat.z[0][0] is None
    assert heat.y[2] == "Wed"
    assert "%" in heat.hovertemplate


def test_a_distribution_is_drawn_in_the_readers_clock_with_its_percentiles() -> None:
    starts = pd.date_range("2026-03-02T12:00Z", periods=2, freq="1min")
    span = Span(start=starts[0].to_pydatetime(), end=(starts[1] + pd.Timedelta("1min")).to_pydatetime(), zone="Europe/Berlin")
    lines = (("P50", np.array([10.0, np.nan])), ("P99", np.array([100.0, 90.0])))
    figure = time_map(starts, np.array([1.0, 10.0, 100.0]), np.array([[0.5, np.nan], [0.5, np.nan]]), lines, span, DARK, "r")
    heat, middle, slow = figure.data
    assert heat.x[0] == "2026-03-02T13:00:00"
    assert heat.z == ([50.0, None], [50.0, None]) or list(map(list, heat.z)) == [[50.0, None], [50.0, None]]
    assert "1 to 10" in heat.customdata[0][0]
    assert (middle.name, list(middle.y)) == ("P50", [10.0, None])
    assert slow.name == "P99"
    assert figure.layout.yaxis.type == "log"


def test_percentile_curves_give_each_tenth_of_the_rest_the_same_room() -> None:
    curves = [Curve(name="a<b>", levels=(0.9, 0.99, 0.999), values=(1.0, 2.0, 3.0), link="/explore?service=a"),
              *(Curve(name=str(n), levels=(0.5,), values=(1.0,)) for n in range(6))]  # fmt: skip
    figure = percentile_curves(curves, LIGHT)
    assert list(figure.data[0].x) == pytest.approx([1.0, 2.0, 3.0])
    assert figure.data[0].meta == "/explore?service=a"
    assert "a&lt;b&gt;" in figure.data[0].hovertemplate
    assert figure.data[0].line.color == figure.data[6].line.color
    assert (figure.data[0].line.dash, figure.data[6].line.dash) == ("solid", "dash")
