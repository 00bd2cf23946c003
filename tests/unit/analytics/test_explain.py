"""The leading series is the smallest selection that accounts for the excess, by the metric that moved by itself."""

import numpy as np
import pytest

from analytics.detect import MinuteVerdict
from analytics.explain import Finding, explain
from core.series import ALL_CALLS, Direction, Selector
from tests.unit.analytics.builders import Point, minute_of

OPENAI, ANTHROPIC, MISTRAL = (Selector.of(provider=name) for name in ("openai", "anthropic", "mistral"))
CHAT, SEARCH = Selector.of(service="chat"), Selector.of(service="search")
LARGE, SMALL, OTHER = (Selector.of(model=name) for name in ("gpt-large", "gpt-small", "other"))
ONE_GATEWAY = Selector.of(gateway="gw")
CALLS = {
    ALL_CALLS: 300.0, OPENAI: 100.0, ANTHROPIC: 100.0, MISTRAL: 100.0, CHAT: 180.0, SEARCH: 120.0,
    LARGE: 60.0, SMALL: 40.0, OTHER: 200.0, ONE_GATEWAY: 300.0,
}  # fmt: skip


def found(minute: MinuteVerdict) -> Finding:
    return explain(minute, minute.score >= 1.0)


def lead_of(minute: MinuteVerdict) -> tuple[str, Selector]:
    finding = found(minute)
    return finding.lead.metric, minute.selectors[finding.lead.row]


def errors(share: float, strength: float) -> dict[str, Point]:
    return {"error_rate": Point(value=share, expected=0.01, strength=strength)}


def test_a_failing_provider_leads_not_what_it_touches() -> None:
    minute = minute_of(
        {
            ALL_CALLS: errors(0.3, 4.0), ONE_GATEWAY: errors(0.3, 4.0), OPENAI: errors(0.9, 8.0), ANTHROPIC: {}, MISTRAL: {},
            CHAT: errors(0.33, 4.0), SEARCH: errors(0.26, 3.0), LARGE: errors(0.9, 7.0), SMALL: errors(0.9, 6.0), OTHER: {},
        },
        CALLS,
    )  # fmt: skip
    assert lead_of(minute) == ("error_rate", OPENAI)
    lead = found(minute).lead
    assert lead.direction is Direction.HIGH
    assert lead.share == pytest.approx(1.0, abs=0.05)


def test_one_model_of_the_provider_leads_when_the_other_is_well() -> None:
    minute = minute_of(
        {
            ALL_CALLS: errors(0.19, 4.0), OPENAI: errors(0.55, 6.0), ANTHROPIC: {}, MISTRAL: {},
            LARGE: errors(0.9, 7.0), SMALL: {}, OTHER: {}, CHAT: errors(0.2, 4.0), SEARCH: errors(0.19, 3.0),
        },
        CALLS,
    )  # fmt: skip
    assert lead_of(minute) == ("error_rate", LARGE)


def test_when_all_fail_all_traffic_leads() -> None:
    everywhere = {selector: errors(0.5, 5.0) for selector in CALLS}
    assert lead_of(minute_of(everywhere, CALLS)) == ("error_rate", ALL_CALLS)


def test_a_surge_leads_by_calls_although_latency_explodes_and_tokens_follow() -> None:
    more = {
        "tps": Point(value=15.0, expected=5.0, strength=3.0),
        "tokens_per_s": Point(value=3000.0, expected=1000.0, strength=3.5),
        "cost_per_h": Point(value=30.0, expected=10.0, strength=3.5),
        "latency_p95": Point(value=9000.0, expected=900.0, strength=12.0),
    }

    def part(point: Point, calls: float) -> Point:
        return Point(value=point.value * calls / 300, expected=point.expected * calls / 300, strength=point.strength)

    rows = {selector: {name: part(point, calls) for name, point in more.items()} for selector, calls in CALLS.items()}
    assert lead_of(minute_of(rows, CALLS)) == ("tps", ALL_CALLS)


def test_dearer_calls_lead_by_tokens_of_their_model() -> None:
    dear = {
        "tokens_per_s": Point(value=5000.0, expected=1000.0, strength=2.5),
        "cost_per_h": Point(value=50.0, expected=10.0, strength=2.6),
    }
    whole = {"tokens_per_s": Point(value=8000.0, expected=4000.0, strength=1.5)}
    provider = {"tokens_per_s": Point(value=5600.0, expected=1600.0, strength=2.0)}
    well = {"tokens_per_s": Point(value=600.0, expected=600.0)}
    minute = minute_of(
        {ALL_CALLS: whole, OPENAI: provider, ANTHROPIC: well, MISTRAL: well, LARGE: dear, SMALL: well, OTHER: well}, CALLS
    )
    assert lead_of(minute) == ("tokens_per_s", LARGE)
    assert "cost_per_h" in {other.metric for other in found(minute).others}


def test_a_silent_route_is_named_rather_than_its_service_of_the_same_size() -> None:
    route, service = Selector.of(route="/search"), Selector.of(service="search")
    gone = {"tps": Point(value=0.0, expected=2.0, strength=5.0)}
    minute = minute_of(
        {ALL_CALLS: {"tps": Point(value=3.0, expected=5.0, strength=1.2)}, service: gone, CHAT: {}, route: gone},
        {ALL_CALLS: 300.0, service: 120.0, CHAT: 180.0, route: 120.0},
    )
    assert lead_of(minute) == ("tps", route)
    assert found(minute).lead.direction is Direction.LOW


def test_a_slow_provider_leads_although_the_mixture_moved_more() -> None:
    slow = {"latency_p95": Point(value=3000.0, expected=1000.0, strength=2.0)}
    mixed = {"latency_p95": Point(value=2800.0, expected=700.0, strength=3.0)}
    minute = minute_of({ALL_CALLS: mixed, OPENAI: slow, ANTHROPIC: {}, MISTRAL: {}, CHAT: mixed, SEARCH: mixed}, CALLS)
    assert lead_of(minute) == ("latency_p95", OPENAI)


def test_nothing_active_cannot_be_explained() -> None:
    minute = minute_of({ALL_CALLS: {}}, CALLS)
    with pytest.raises(ValueError, match="at least one active"):
        explain(minute, np.array([False]))


def test_an_active_row_that_no_metric_explains_still_gets_a_lead() -> None:
    minute = minute_of({ALL_CALLS: {}, OPENAI: {}}, CALLS, score={OPENAI: 1.2})
    finding = explain(minute, minute.score >= 1.0)
    assert minute.selectors[finding.lead.row] in (ALL_CALLS, OPENAI)
