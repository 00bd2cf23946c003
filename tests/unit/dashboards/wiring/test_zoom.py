from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.wiring.zoom import zoomed
from tests.unit.dashboards.builders import NOON

UTC = ZoneInfo("UTC")


def test_a_dragged_span_is_read_in_the_pages_zone() -> None:
    change = {"xaxis.range[0]": "2026-03-02 13:00:00.1234", "xaxis.range[1]": "2026-03-02 13:30:00"}
    assert zoomed(change, ZoneInfo("Europe/Berlin")) == (NOON, NOON + timedelta(minutes=30))


def test_a_short_drag_is_widened_around_its_middle() -> None:
    change = {"xaxis.range[0]": "2026-03-02 12:00:00", "xaxis.range[1]": "2026-03-02 12:01:00"}
    assert zoomed(change, UTC) == (NOON - timedelta(minutes=2), NOON + timedelta(minutes=3))


@pytest.mark.parametrize("change", [None, {}, {"autosize": True}, {"xaxis.range[0]": "x", "xaxis.range[1]": "y"}, "text"])
def test_other_changes_of_a_chart_are_no_zoom(change: Any) -> None:
    assert zoomed(change, UTC) is None
