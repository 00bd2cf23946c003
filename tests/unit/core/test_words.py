"""Durations, selectors and the clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import FakeClock, floor_to
from core.durations import format_duration, parse_duration
from core.record import CALL_SCHEMA, DIMENSIONS
from core.series import ALL_CALLS, METRICS, Selector


@given(st.integers(min_value=0, max_value=10**10))
def test_a_duration_reads_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("2w", 1_209_600), ("250ms", 0.25)]
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "5y", "h", "1h-3m", "m5"])
def test_what_is_no_duration_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


@given(st.dictionaries(st.sampled_from(DIMENSIONS), st.text()))
def test_a_selector_reads_back_from_its_text(labels: dict[str, str]) -> None:
    selector = Selector.of(labels)
    assert Selector.parse(str(selector)) == selector
    assert selector.labels == labels


def test_selectors_are_canonical() -> None:
    assert Selector.of(service="a", provider="b") == Selector.of({"provider": "b", "service": "a"})
    assert str(Selector.of(service="a", provider="b")) == 'provider="b",service="a"'
    assert str(ALL_CALLS) == ""
    assert ALL_CALLS.scope == "global"
    assert Selector.of(model="").words == "model (none)"


@pytest.mark.parametrize("text", ["service=chat", 'service="a" provider="b"', 'service="a', 'colour="red"'])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"selector|dimension"):
        Selector.parse(text)


def test_every_dimension_is_a_column() -> None:
    assert set(DIMENSIONS) < set(CALL_SCHEMA.names)
    assert all(metric.unit for metric in METRICS.values())


def test_a_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.advance(timedelta(seconds=90))
    assert floor_to(clock.now(), timedelta(minutes=1)) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
