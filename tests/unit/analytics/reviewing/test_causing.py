"""In which part a change lies, and which incident, change or anomaly explains it."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analytics.reviewing.causing import explains, incident_of, main_part, touching
from core.changes import Change, ChangeKind
from core.reviews import Compared
from core.series import Selector
from tests.unit.alerts.builders import incident

AT = datetime(2026, 3, 9, tzinfo=UTC)


def compared(metric: str, calls: int, value: float, before: float, **labels: str) -> Compared:
    return Compared(metric=metric, selector=Selector.of(labels), calls=calls, calls_before=calls, value=value, before=before)


def test_the_part_with_the_errors_is_named_with_its_share() -> None:
    whole = compared("error_rate", 1000, 0.05, 0.01, service="pay")
    parts = [
        compared("error_rate", 200, 0.21, 0.01, service="pay", provider="a"),
        compared("error_rate", 800, 0.01, 0.01, service="pay", provider="b"),
    ]
    found = main_part(whole, parts)
    assert found is not None
    assert found.selector.labels["provider"] == "a"
    assert found.share == pytest.approx(1.0)


@pytest.mark.parametrize("metric", ["error_rate", "latency_p95", "cost_per_h"])
def test_what_is_spread_over_all_parts_names_none(metric: str) -> None:
    whole = compared(metric, 1000, 0.04, 0.02, service="pay")
    parts = [compared(metric, 500, 0.04, 0.02, service="pay", route=name) for name in "ab"]
    if metric == "cost_per_h":
        parts = [compared(metric, 500, 0.02, 0.01, service="pay", route=name) for name in "ab"]
    assert main_part(whole, parts) is None


def test_a_part_that_is_all_of_it_says_nothing() -> None:
    whole = compared("latency_p95", 1000, 200.0, 100.0, service="pay")
    assert main_part(whole, [compared("latency_p95", 990, 200.0, 100.0, service="pay", route="/x")]) is None
    slow = compared("latency_p95", 300, 400.0, 100.0, service="pay", route="/x")
    rest = compared("latency_p95", 700, 101.0, 100.0, service="pay", route="/y")
    found = main_part(whole, [slow, rest])
    assert found is not None
    assert found.selector == slow.selector


def test_a_change_must_make_most_of_the_step_in_the_same_way() -> None:
    whole = compared("latency_p95", 1000, 200.0, 100.0, service="pay")
    assert explains(whole, 105.0, 200.0)
    assert not explains(whole, 150.0, 200.0)
    assert not explains(whole, 200.0, 100.0)
    assert not explains(whole, math.nan, 200.0)


def test_changes_and_incidents_of_other_selections_explain_nothing() -> None:
    def change(name: str, hours: int, **labels: str) -> Change:
        at = AT + timedelta(hours=hours)
        of = Selector.of(labels)
        return Change(id=name, at=at, kind=ChangeKind.DEPLOY, what=name, selector=of, who="", found=False, made_at=at)

    found = touching(
        [change("all", 1), change("own", 2, service="pay"), change("other", 3, service="x")], Selector.of(service="pay")
    )
    assert [one.id for one in found] == ["own", "all"]
    whole = compared("latency_p95", 1000, 200.0, 100.0, service="pay")
    own = replace(incident(labels={"service": "pay"}, metric="latency_p95"), id="own")
    other = replace(own, id="other", labels={"service": "x"})
    errors = replace(own, id="errors", metric="error_rate")
    assert incident_of(whole, None, [other, errors, own]) == own
    assert incident_of(whole, None, [other, errors]) is None
