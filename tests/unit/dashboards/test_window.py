from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.window import POINTS, BadWindow, complete_until, iso, link, read_span, read_time, read_window, step_for
from tests.unit.dashboards.builders import NOON

NOW = NOON + timedelta(seconds=20)


def test_the_default_follows_the_clock() -> None:
    window = read_window({}, NOW, "6h")
    assert (window.start, window.end) == (NOON - timedelta(hours=6), NOON + timedelta(minutes=1))
    assert window.step_s == 60
    assert window.query == {"last": "6h"}


def test_from_and_to_stand_still_and_cover_whole_steps() -> None:
    window = read_window({"from": "2026-03-01T10:02:30Z", "to": "2026-03-02T10:00:30Z"}, NOW, "6h")
    assert window.step_s == 300
    assert iso(window.start) == "2026-03-01T10:00:00Z"
    assert iso(window.end) == "2026-03-02T10:05:00Z"
    assert window.query == {"from": "2026-03-01T10:00:00Z", "to": "2026-03-02T10:05:00Z"}
    assert window.last is None


def test_from_alone_reaches_to_now() -> None:
    assert read_window({"from": "2026-03-02T11:00:00Z"}, NOW, "6h").end == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("last", "step_s"), [("15m", 60), ("1h", 60), ("6h", 60), ("24h", 300), ("7d", 1800), ("14d", 3600), ("56d", 14_400)]
)
def test_the_windows_of_the_page_have_their_steps(last: str, step_s: int) -> None:
    assert read_window({"last": last}, NOW, "6h").step_s == step_s


@given(st.integers(min_value=60, max_value=5 * 366 * 86_400))
def test_no_span_has_too_many_points(seconds: int) -> None:
    step = step_for(timedelta(seconds=seconds))
    assert step % 60 == 0
    assert seconds / step <= POINTS


@pytest.mark.parametrize(
    ("query", "parameter", "readable"),
    [
        ({"last": "banana"}, "last", False),
        ({"last": "1s"}, "last", True),
        ({"last": "9999w"}, "last", True),
        ({"last": "1h", "from": "2026-03-02T11:00:00Z"}, "last", True),
        ({"to": "2026-03-02T11:00:00Z"}, "from", True),
        ({"from": "yesterday"}, "from", False),
        ({"from": "2026-03-02T11:00:00Z", "to": "2026-03-02T10:00:00Z"}, "from", True),
        ({"from": "1926-03-02T11:00:00Z"}, "from", True),
    ],
)
def test_a_bad_window_names_its_parameter(query: dict[str, str], parameter: str, readable: bool) -> None:
    with pytest.raises(BadWindow) as caught:
        read_window(query, NOW, "6h")
    assert (caught.value.parameter, caught.value.readable) == (parameter, readable)
    assert str(caught.value).startswith(f"{parameter}: ")


@pytest.mark.parametrize(
    "text", ["2026-03-02T12:00:00Z", "2026-03-02T12:00", "2026-03-02T13:00:00+01:00", "2026-03-02T13:00:00 01:00"]
)
def test_times_without_a_zone_are_utc_and_a_plus_may_come_as_a_space(text: str) -> None:
    assert read_time("from", text) == NOON


def test_a_day_is_its_first_instant() -> None:
    assert read_time("from", "2026-03-02") == datetime(2026, 3, 2, tzinfo=UTC)


def test_the_minute_in_progress_is_not_complete() -> None:
    delay = timedelta(seconds=5)
    minute = timedelta(minutes=1)
    assert complete_until(NOON + timedelta(seconds=30), NOON, delay) == NOON
    assert complete_until(NOON + timedelta(seconds=62), NOON, delay) == NOON  # late arrivals have 5 s
    assert complete_until(NOON + timedelta(seconds=65), NOON, delay) == NOON + minute
    assert complete_until(NOON + timedelta(hours=1), NOON, delay) == NOON + minute
    assert complete_until(NOON, None, delay) is None


def test_links_escape_their_values() -> None:
    assert link("/", {"route": "/a b&c"}) == "/?route=%2Fa+b%26c"
    assert link("/", {}) == "/"


def test_a_span_of_a_hundred_digits_is_no_crash() -> None:
    with pytest.raises(BadWindow):
        read_span("last", "9" * 100 + "w")
