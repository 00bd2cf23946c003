from datetime import timedelta

import pytest

from render.units import format_bytes, format_number, format_range, format_span, format_value, scale_for

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0123, "0.0123"),
        (4.8, "4.8"),
        (9.999, "10"),
        (182.4, "182"),
        (1234.4, "1,234"),
        (9_999.6, "10k"),
        (52_123, "52.1k"),
        (999_499, "999k"),
        (999_600, "1M"),
        (3.4e6, "3.4M"),
        (2.5e9, "2.5G"),
        (-1234.4, "-1,234"),
        (NAN, "no data"),
        (float("inf"), "no data"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.008, "1", "0.8 %"),
        (182.0, "ms", "182 ms"),
        (9_999.0, "ms", "9,999 ms"),
        (12_345.0, "ms", "12.3 s"),
        (2_500_000.0, "B/s", "2.5 MB/s"),
        (900.0, "B/s", "900 B/s"),
        (3.4, "USD/h", "3.4 USD/h"),
        (7.0, "", "7"),
        (NAN, "ms", "no data"),
    ],
)
def test_values_carry_their_unit(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_a_range_is_in_one_unit() -> None:
    assert format_range(500.0, 12_000.0, "ms") == "0.5 to 12 s"
    assert format_range(NAN, 1.0, "ms") == "no data"


def test_the_scale_of_nothing_is_the_plain_one() -> None:
    assert scale_for("ms", NAN).suffix == " ms"
    assert scale_for("", 1.0).label == "value"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=12, seconds=30), "12 min"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(days=14), "14 d"),
        (timedelta(days=2, minutes=5), "2 d"),
    ],
)
def test_durations_have_two_parts_at_most(duration: timedelta, text: str) -> None:
    assert format_span(duration) == text


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (3_240, "3.24 kB"), (20_200_000, "20.2 MB"), (7 * 10**15, "7,000 TB")]
)
def test_bytes_are_told_in_the_unit_that_fits(count: int, words: str) -> None:
    assert format_bytes(count) == words
