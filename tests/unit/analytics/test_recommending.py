"""The catalogue on small made-up estates, and what becomes of recommendations."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analytics.recommending.catalogue import RULES, recommend
from analytics.recommending.course import id_of, merged, outcome, to_check, verdict_of
from analytics.recommending.totals import Estate
from core.config import LimitSettings, ObjectiveSettings
from core.recommendations import Effect, Finding, Recommendation, RecommendationState, Verdict
from core.series import Selector
from tests.unit.analytics.replay.builders import START, logged

SIZE = 3000
NOW = datetime(2026, 3, 3, tzinfo=UTC)
SPAN = (NOW - timedelta(days=1), NOW)


def estate(**columns: object) -> Estate:
    rng = np.random.default_rng(3)
    latency = 100.0 * np.exp(0.2 * rng.standard_normal(SIZE))
    plain: dict[str, object] = {
        "service": "shop",
        "route": np.array([f"/r{number % 4}" for number in range(SIZE)]),
        "tenant": np.array([f"t{number % 7}" for number in range(SIZE)]),
        "gateway": np.array([f"gw{number % 3}" for number in range(SIZE)]),
        "latency_ms": latency,
        "upstream_ms": latency - 3.0,
        "retries": (rng.random(SIZE) < 0.02).astype(int),
    }
    return Estate.of(logged({**plain, **columns}, timedelta(hours=12)))


def only(found: list[Finding], rule: str) -> Finding:
    assert [one.rule for one in found] == [rule]
    return found[0]


def test_an_estate_in_order_gets_no_recommendation() -> None:
    assert recommend(estate()) == []


def test_a_tenant_that_repeats_is_told_of_the_tenant_and_not_of_its_service() -> None:
    tenant = np.array([f"t{number % 7}" for number in range(SIZE)])
    found = only(recommend(estate(retries=np.where(tenant == "t3", 2, 0))), "retry_storm")
    assert found.selector == Selector.of(tenant="t3")
    assert found.effect.before == 2.0
    assert found.effect.after == 0.0


def test_long_prompts_are_held_against_those_of_others_for_like_answers() -> None:
    tenant = np.array([f"t{number % 7}" for number in range(SIZE)])
    rng = np.random.default_rng(1)
    prompts = np.round(rng.uniform(80, 120, SIZE)) * np.where(tenant == "t2", 5, 1)
    answers = np.round(rng.uniform(10, 30, SIZE))
    costs = (prompts * 2.0 + answers * 8.0) / 1e6
    tokens = {"prompt_tokens": prompts.astype(int), "completion_tokens": answers.astype(int), "cost_usd": costs}
    found = [one for one in recommend(estate(**tokens)) if one.rule == "cut_prompts"]
    assert {one.selector.labels["tenant"] for one in found} == {"t2"}
    assert found[0].effect.after == pytest.approx((100 * 2.0 + 20 * 8.0) / 1e6, rel=0.05)


def test_a_route_that_waits_for_the_gateway_is_told() -> None:
    route = np.array([f"/r{number % 4}" for number in range(SIZE)])
    found = only(recommend(estate(upstream_ms=np.where(route == "/r1", 20.0, 98.0), latency_ms=100.0)), "gateway_bottleneck")
    assert found.selector == Selector.of(route="/r1")
    assert found.effect.before - found.effect.after == pytest.approx(78.0, abs=1.0)


def test_a_limit_far_above_need_is_lowered_and_an_objective_nobody_keeps_is_loosened() -> None:
    calls = estate().calls
    limit = LimitSettings(name="much", kind="calls_per_min", at_most=100)
    fitting = LimitSettings(name="fits", kind="calls_per_min", at_most=8)
    tight = ObjectiveSettings(name="tight", metric="latency_p95", at_most=90)
    found = recommend(Estate.of(calls, (limit, fitting), (tight,)))
    assert [(one.rule, one.about) for one in found] == [("limit_level", "much"), ("objective_level", "tight")]
    assert found[0].effect.after < 10
    assert found[1].effect.after > 130


def test_a_promise_of_a_transaction_is_left_to_its_budget() -> None:
    promise = ObjectiveSettings(name="fast", transaction="orders", target=0.99, under=timedelta(milliseconds=10))
    assert recommend(Estate.of(estate().calls, (), (promise,))) == []


def test_every_rule_of_the_catalogue_takes_an_estate_without_calls_of_its_kind() -> None:
    bare = Estate.of(logged({"latency_ms": [None] * 20}))
    assert all(rule(bare) == [] for rule in RULES.values())


def finding(before: float = 10.0, after: float = 5.0) -> Finding:
    effect = Effect(
        measure="mean_latency", scope=Selector.of(route="/x"), unit="ms", before=before, after=after, lower=4.5, upper=5.5
    )
    return Finding(
        rule="gateway_bottleneck", selector=Selector.of(route="/x"), about="/x", action="Do it.", evidence=("seen",),
        effect=effect,
        gain=0.1, gain_of="waiting", confidence=0.9, verify="look",
    )  # fmt: skip


def recommendation(state: RecommendationState, decided_at: datetime | None = None) -> Recommendation:
    return Recommendation(
        id=id_of(finding()), finding=finding(), start=SPAN[0], end=SPAN[1], found_at=NOW, state=state, decided_at=decided_at
    )


def test_what_was_dismissed_is_not_made_again_and_what_is_gone_may_come_back() -> None:
    dismissed = recommendation(RecommendationState.DISMISSED)
    assert merged([dismissed], [finding()], SPAN, NOW) == []
    gone = merged([recommendation(RecommendationState.OPEN)], [], SPAN, NOW)
    assert [one.state for one in gone] == [RecommendationState.GONE]
    assert [one.state for one in merged(gone, [finding()], SPAN, NOW)] == [RecommendationState.OPEN]


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (5.2, Verdict.KEPT),
        (3.0, Verdict.KEPT),
        (6.2, Verdict.KEPT),
        (8.0, Verdict.PARTLY),
        (9.9, Verdict.NOT_KEPT),
        (12.0, Verdict.NOT_KEPT),
    ],
)
def test_predictions_are_held_to_what_came(measured: float, verdict: Verdict) -> None:
    assert verdict_of(finding().effect, measured) is verdict


def test_what_was_accepted_is_measured_over_the_calls_since() -> None:
    accepted = recommendation(RecommendationState.ACCEPTED, NOW - timedelta(hours=7))
    assert to_check([accepted], NOW) == [accepted]
    assert to_check([replace(accepted, decided_at=NOW - timedelta(hours=1))], NOW) == []
    since = logged({"route": ["/x"] * 400 + ["/y"] * 400, "latency_ms": [5.0] * 400 + [90.0] * 400})
    found = outcome(accepted, since, NOW)
    assert found is not None
    assert (found.calls, found.measured, found.verdict) == (400, 5.0, Verdict.KEPT)
    assert outcome(accepted, logged({"route": ["/x"] * 50, "latency_ms": 5.0}), NOW) is None
    assert since.start == START
