"""Times of calls: texts and numbers, at once and one by one."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.formats.times import LAST_MS, time_column, time_ms
from tests.unit.ingest.builders import NOON, NOON_MS


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2025-03-01T12:00:00Z", NOON_MS),
        ("2025-03-01t12:00:00z", NOON_MS),
        ("2025-03-01 12:00:00", NOON_MS),  # no zone: UTC
        ("2025-03-01T12:00Z", NOON_MS),
        ("2025-03-01 12:00:00 UTC", NOON_MS),
        ("2025-03-01T13:00:00+01:00", NOON_MS),
        ("2025-03-01T06:30:00-0530", NOON_MS),
        ("2025-03-01T13:00:00+01", NOON_MS),
        ("2025-03-01T12:00:00.5Z", NOON_MS + 500),
        ("2025-03-01T12:00:00,123Z", NOON_MS + 123),
        ("2025-03-01T12:00:00.123999999Z", NOON_MS + 123),
        ("2025-03-01T12:00:00.1239999999999Z", NOON_MS + 123),
        ("2025-03-01 12:00:00.6805900", NOON_MS + 680),  # seven digits, as .NET writes them
        (" 2025-03-01T12:00:00Z ", NOON_MS),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),  # a leap second
        ("1740830400", NOON_MS),
        ("1740830400.25", NOON_MS + 250),
        ("1970-01-01T00:00:00Z", 0),
        ("2106-02-07T06:28:15.999Z", LAST_MS - 1),
    ],
)
def test_texts(text: str, milliseconds: int) -> None:
    assert time_ms(text) == milliseconds
    assert _column([text]) == [milliseconds]
    assert _column([text, text]) == [milliseconds] * 2


@pytest.mark.parametrize(
    ("number", "milliseconds"),
    [
        (1_740_830_400, NOON_MS),
        (1_740_830_400.123, NOON_MS + 123),
        (NOON_MS, NOON_MS),
        (NOON_MS + 0.9, NOON_MS),
        (NOON_MS * 1000 + 999, NOON_MS),
        (NOON_MS * 1_000_000 + 999_999, NOON_MS),
        (0, 0),
        (4_294_967_295, LAST_MS - 1000),
        (10**11, 10**11),  # the first number that counts milliseconds
        (10**14, 10**11),  # microseconds
        (10**17, 10**11),  # nanoseconds
    ],
)
def test_numbers_by_magnitude(number: float, milliseconds: int) -> None:
    assert time_ms(number) == milliseconds
    assert _column([number]) == [milliseconds]
    assert _column([number, "2025-03-01T12:00:00Z"])[0] == milliseconds


@pytest.mark.parametrize(
    "value",
    ["", " ", "2025-03-01", "20250301T120000Z", "2025-13-01T00:00:00Z", "2025-03-01T24:00:00Z", "2025-03-01T12:00:61Z", "noon",
     "2025-03-01T12:00:00+25:00", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "-5", "1e30", -1, 2**32, 10**30, 1e300,
     float("nan"), float("inf"), True, [1], {}, b"2025"],
)  # fmt: skip
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ValueError):
        time_ms(value)
    array, bad = time_column([value])
    assert list(bad) == [0]
    assert bad[0].startswith("ts: ")
    array, bad = time_column([value, NOON_MS])
    assert list(bad) == [0]
    assert array.cast(pa.int64())[1].as_py() == NOON_MS


def test_units_and_formats() -> None:
    assert time_ms(NOON_MS * 1000, unit="us") == NOON_MS
    assert time_ms(17, unit="s") == 17_000
    assert time_ms("17", unit="s") == 17_000
    assert _column([17, 18], unit="s") == [17_000, 18_000]
    assert time_ms("01/Mar/2025:13:00:00 +0100", time_format="%d/%b/%Y:%H:%M:%S %z") == NOON_MS
    assert time_ms("2025.03.01 12:00", time_format="%Y.%m.%d %H:%M") == NOON_MS
    assert time_ms(NOON) == NOON_MS
    with pytest.raises(ValueError, match="does not fit the time format"):
        time_ms("2025-03-01T12:00:00Z", time_format="%d/%b/%Y")


moments = st.integers(86_400, 2**32 - 86_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
texts = st.builds(
    lambda moment, separator, digits, zone: moment.strftime(f"%Y-%m-%d{separator}%H:%M:%S") + digits + zone,
    moments,
    st.sampled_from("T t"),
    st.sampled_from(["", ".1", ".123456", ".1234567"]),
    st.sampled_from(["", "Z", "z", "+02:00"]),
)
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.integers(0, 5 * 10**9), st.floats(0, 5e9))


@settings(deadline=None)
@given(st.lists(st.one_of(texts, numbers, st.text(max_size=30), moments), min_size=1, max_size=8), st.booleans())
def test_a_column_says_the_same_as_its_values(values: list[Any], alike: bool) -> None:
    if alike:
        values = [value for value in values if type(value) is type(values[0])]
    array, bad = time_column(values)
    for place, value in enumerate(values):
        try:
            expected = time_ms(value)
        except ValueError:
            assert place in bad
        else:
            assert array.cast(pa.int64())[place].as_py() == expected
            assert place not in bad


def _column(values: list[Any], unit: str | None = None) -> list[int]:
    array, bad = time_column(values, unit)
    assert not bad
    found: list[int] = array.cast(pa.int64()).to_pylist()
    return found
