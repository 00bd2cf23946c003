"""Explanations are plain sentences with numbers and units."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analytics.narrative import Movement, describe
from analytics.wording import quantity, span
from core.series import ALL_CALLS, Direction, Selector

AT = datetime(2026, 11, 23, 14, 3, tzinfo=UTC)
OUTAGE = Movement(
    metric="error_rate", selector=Selector.of(provider="openai"), direction=Direction.HIGH, observed=0.42, expected=0.008,
    lower=0.002, upper=0.015, share=0.96, weight=10.0,
)  # fmt: skip
SLOW = Movement(
    metric="latency_p95", selector=Selector.of(model="gpt-4o"), direction=Direction.HIGH, observed=2100.0, expected=800.0,
    lower=500.0, upper=1300.0, share=0.5, weight=4.0,
)  # fmt: skip


def test_what_left_its_range_where_since_when_and_what_else_moved() -> None:
    assert describe(OUTAGE, [SLOW], AT, None) == (
        "Error rate of provider openai rose to 42 % (expected 0.2–1.5 %) since 2026-11-23 14:03 UTC; "
        "accounts for 96 % of the excess errors; latency P95 of model gpt-4o also up, 2.1 s against 800 ms."
    )


def test_when_it_is_over_both_ends_are_told() -> None:
    told = describe(OUTAGE, [], AT, AT + timedelta(minutes=9))
    assert "from 2026-11-23 14:03 to 14:12 UTC" in told
    assert "to 2026-11-24 01:03 UTC" in describe(OUTAGE, [], AT, AT + timedelta(hours=11))


def test_what_is_out_only_over_several_minutes_is_not_said_to_be_out_of_the_range_of_one() -> None:
    faint = replace(SLOW, observed=1200.0, share=0.3)
    assert describe(faint, [], AT, None).startswith(
        "Latency P95 of model gpt-4o rose to 1.2 s (about 800 ms expected over several minutes) since"
    )


def test_silence_has_words_of_its_own() -> None:
    silent = replace(
        OUTAGE,
        metric="tps",
        selector=Selector.of(route="/pay"),
        direction=Direction.LOW,
        observed=0.0,
        expected=0.42,
        share=0.9,
    )
    assert describe(silent, [], AT, None) == (
        "No calls at all of route /pay (about 25.2 a minute expected) since 2026-11-23 14:03 UTC; "
        "accounts for 90 % of the missing calls."
    )
    assert describe(replace(silent, selector=ALL_CALLS), [], AT, None).startswith("No calls at all (about 25.2 a minute")


def test_what_hardly_moved_or_moved_with_the_same_metric_is_left_out() -> None:
    same = replace(SLOW, metric="error_rate")
    weak = replace(SLOW, weight=0.5)
    assert describe(replace(OUTAGE, share=0.3), [same, weak], AT, None).count(";") == 0


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("error_rate", 0.421, "42 %"), ("error_rate", 0.0042, "0.42 %"), ("error_rate", 1e-14, "0 %"),
        ("latency_p95", 2134.0, "2.13 s"),
        ("latency_p95", 85.04, "85 ms"), ("tps", 0.4217, "0.422 calls/s"), ("tokens_per_s", 12345.0, "12,300 tokens/s"),
        ("cost_per_h", 0.0, "0 USD/h"), ("latency_p50", float("nan"), "unknown ms"), ("tps", 1.23e-5, "0 calls/s"),
    ],
)  # fmt: skip
def test_quantities(metric: str, value: float, text: str) -> None:
    assert quantity(metric, value) == text


def test_a_range_names_its_unit_once_where_it_can() -> None:
    assert span("latency_p95", 100.0, 900.0) == "100–900 ms"
    assert span("latency_p95", 100.0, 1900.0) == "100 ms – 1.9 s"
