from datetime import timedelta

import pytest

from core.series import ALL_CALLS, Direction, Selector
from dashboards.marking import headline, marks_for
from dashboards.overview import judge, since
from tests.unit.dashboards.builders import NAN, NOON, OPENAI, a_contribution, an_anomaly


@pytest.mark.parametrize(
    ("value", "bad", "verdict", "tone"),
    [
        (1.0, Direction.BOTH, "as expected", "good"),
        (3.0, Direction.BOTH, "above", "bad"),
        (0.0, Direction.BOTH, "below", "bad"),
        (3.0, Direction.LOW, "above", "quiet"),
        (0.0, Direction.HIGH, "below", "quiet"),
        (0.0, Direction.LOW, "below", "bad"),
        (2.0, Direction.HIGH, "as expected", "good"),
    ],
)
def test_a_value_is_judged_by_its_range_and_by_which_side_is_bad(value: float, bad: Direction, verdict: str, tone: str) -> None:
    assert judge(value, 0.5, 2.0, bad) == (verdict, tone)


def test_a_chart_marks_the_anomalies_that_concern_it() -> None:
    leads = an_anomaly(id="leads")
    moved = an_anomaly(id="moved", metric="error_rate", contributions=(a_contribution("latency_p50"),))
    other = an_anomaly(id="other", metric="cost_per_h", contributions=(a_contribution("tps"),))
    marks = marks_for(("latency_p50", "latency_p95"), ALL_CALLS, [leads, moved, other])
    assert [mark.strong for mark in marks] == [True, False]


def test_what_moved_elsewhere_is_not_marked() -> None:
    elsewhere = an_anomaly(metric="error_rate", contributions=(a_contribution("latency_p50", OPENAI),))
    assert marks_for(("latency_p50",), Selector.of(provider="mistral"), [elsewhere]) == []


def test_a_headline_has_metric_selection_and_numbers_with_units() -> None:
    assert headline(an_anomaly()) == "Latency P95 of provider openai: 812 ms, expected 150 to 240 ms"
    assert headline(an_anomaly(lower=NAN)) == "Latency P95 of provider openai: 812 ms"
    assert headline(an_anomaly(metric="queue_depth", selector=ALL_CALLS)) == (
        "queue_depth of all traffic: 812, expected 150 to 240"
    )


def test_ages_are_words() -> None:
    assert since(NOON, NOON) == "now"
    assert since(NOON + timedelta(hours=1), NOON) == "now"
    assert since(NOON, NOON + timedelta(minutes=3)) == "3 min ago"
