"""When a delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.retry import MAX_WAIT, parse_retry_after, wait_before

SECOND = timedelta(seconds=1)
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@given(st.integers(1, 1000), st.integers(1, 600), st.text(max_size=5))
def test_waits_double_up_to_the_most_and_are_jittered_by_at_most_half(attempt: int, backoff_s: int, key: str) -> None:
    full = min(backoff_s * 2.0 ** min(attempt - 1, 60), MAX_WAIT.total_seconds())
    wait = wait_before(attempt, backoff_s * SECOND, key).total_seconds()
    assert full / 2 - 1e-6 <= wait <= full + 1e-6
    assert wait == wait_before(attempt, backoff_s * SECOND, key).total_seconds()


def test_messages_that_failed_together_come_back_apart() -> None:
    waits = {wait_before(4, SECOND, f"key-{number}") for number in range(100)}
    assert len(waits) == 100
    assert max(waits) - min(waits) > 3 * SECOND


def test_a_receivers_wish_holds_within_bounds() -> None:
    assert wait_before(1, SECOND, "k", 90 * SECOND) == 90 * SECOND
    assert wait_before(1, SECOND, "k", timedelta(hours=9)) == MAX_WAIT
    assert wait_before(1, 100 * SECOND, "k", SECOND) >= 50 * SECOND


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", 86_400),
        ("Mon, 02 Mar 2026 12:01:30 GMT", 90),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("²", None),
        ("Mon, 99 Mar 2026 12:01:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_never_trusted(header: str | None, expected_s: int | None) -> None:
    expected = None if expected_s is None else expected_s * SECOND
    assert parse_retry_after(header, NOW) == expected
