"""The picture in messages: what is in it, by its pixels."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from render.chart_png import HEIGHT, WIDTH, Chart, draw_png
from render.theme import LIGHT

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
COUNT = 180
LINE = tuple(int(LIGHT.series[0][place : place + 2], 16) for place in (1, 3, 5))


def chart(**more: Any) -> Chart:
    minutes = np.arange(float(COUNT))
    given: dict[str, Any] = {
        "title": "Error rate higher than expected: provider openai",
        "subtitle": "Error rate, provider openai",
        "unit": "1",
        "zone": ZoneInfo("Europe/Berlin"),
        "times": [START + timedelta(minutes=int(minute)) for minute in minutes],
        "observed": 0.01 + 0.1 * (minutes > 150),
        "lower": np.full(COUNT, 0.0),
        "upper": np.full(COUNT, 0.03),
        "marked_from": START + timedelta(minutes=150),
    }
    return Chart(**{**given, **more})


def pixels(one: Chart) -> np.ndarray[Any, Any]:
    image = Image.open(io.BytesIO(draw_png(one)))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    return np.asarray(image.convert("RGB"), dtype=int)


def columns_of_line(found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Columns below the legend in which the line's colour is."""
    near = np.abs(found[90:] - np.array(LINE)).sum(axis=2) < 60
    return np.flatnonzero(near.any(axis=0))


def test_the_line_goes_all_the_way_and_a_gap_stays_one() -> None:
    whole = columns_of_line(pixels(chart()))
    assert whole.min() < 80
    assert whole.max() > WIDTH - 25
    gap = chart().observed.copy()
    gap[60:90] = np.nan
    broken = columns_of_line(pixels(chart(observed=gap, marked_from=None)))
    assert np.diff(broken).max() > 100


def test_the_incident_and_the_band_are_marked() -> None:
    plain = pixels(chart(marked_from=None, lower=np.full(COUNT, np.nan), upper=np.full(COUNT, np.nan)))
    marked, banded = pixels(chart(lower=np.full(COUNT, np.nan), upper=np.full(COUNT, np.nan))), pixels(chart(marked_from=None))
    assert (plain[120, 830] != marked[120, 830]).any()
    assert (plain[120, 300] == marked[120, 300]).all()
    assert (plain[330, 300] != banded[330, 300]).any()


@pytest.mark.parametrize(
    "more",
    [
        {"title": "x" * 2000, "subtitle": "漢字 😀 \n\t" * 50},
        {"observed": np.zeros(COUNT), "unit": "calls/s"},
        {"observed": np.full(COUNT, 1e12), "unit": "B/s", "threshold": 5e11},
        {"observed": np.where(np.arange(COUNT) == 3, 5.0, np.nan), "unit": "ms"},
        {"times": [START, START + timedelta(days=2)], "observed": np.ones(2), "lower": np.zeros(2), "upper": np.ones(2) * 1e9},
        {"marked_from": START - timedelta(days=9), "marked_to": START - timedelta(days=8)},
    ],
)
def test_odd_values_are_drawn_as_well(more: dict[str, Any]) -> None:
    assert pixels(chart(**more)).shape == (HEIGHT, WIDTH, 3)


def test_nothing_known_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_png(chart(observed=np.full(COUNT, np.nan)))
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_png(chart(times=[START], observed=np.ones(1), lower=np.ones(1), upper=np.ones(1)))
