"""Whole replays: what is predicted, what stays as it was, and when there is no answer."""

import numpy as np
import pytest

from analytics.replay.calls import LoggedCalls
from analytics.replay.run import replay
from tests.unit.analytics.replay.builders import logged, scenario

SIZE = 6000


def estate() -> LoggedCalls:
    """Two providers on one route, `fast` at a third of the latency and twice the price; each prompt asked about six times."""
    rng = np.random.default_rng(5)
    fast = rng.random(SIZE) < 0.3
    return logged(
        {
            "provider": np.where(fast, "fast", "slow"),
            "tenant": np.where(rng.random(SIZE) < 0.5, "loud", "quiet"),
            "route": "/chat",
            "service": "chat",
            "latency_ms": np.where(fast, 100.0, 300.0) * np.exp(0.2 * rng.standard_normal(SIZE)),
            "upstream_ms": 50.0,
            "prompt_tokens": 200,
            "completion_tokens": 20,
            "cost_usd": np.where(fast, 0.02, 0.01),
            "prompt_hash": rng.integers(1, 1000, SIZE).astype(np.uint64),
            "status": np.where(rng.random(SIZE) < 0.02, 503, 200),
        }
    )


@pytest.fixture(scope="module")
def calls() -> LoggedCalls:
    return estate()


def test_a_move_changes_latency_and_cost_as_the_target_has_them(calls: LoggedCalls) -> None:
    found = replay(calls, scenario(moves=[{"share": 1.0, "to": {"provider": "fast"}}]), seed=1, resamples=40)
    cost, median = found.metric("cost_per_h"), found.metric("latency_p50")
    assert cost.after == pytest.approx(0.02 * SIZE, rel=0.02)
    assert cost.lower <= 0.02 * SIZE <= cost.upper
    assert median.after == pytest.approx(100.0, rel=0.05)
    assert median.before > 200.0


def test_what_a_change_does_not_touch_stays_exactly(calls: LoggedCalls) -> None:
    change = {"selector": {"tenant": "loud"}, "rate": 1000.0, "burst": 1000}
    found = replay(calls, scenario(rate_limits=[change]), seed=1, resamples=20)
    assert all(one.after == one.before == one.lower == one.upper for one in found.metrics)


def test_a_rate_limit_refuses_whom_it_is_for(calls: LoggedCalls) -> None:
    change = {"selector": {"tenant": "loud"}, "rate": 0.2, "burst": 2}
    found = replay(calls, scenario(rate_limits=[change]), seed=1, resamples=40)
    allowed = 0.2 * 3600 + 2
    loud = calls.labels["tenant"].equal("loud").sum()
    assert found.metric("rejected_rate").after == pytest.approx((loud - allowed) / SIZE, rel=0.02)
    assert found.metric("effective_tps").after < found.metric("effective_tps").before


def test_a_cache_saves_cost_and_hides_failures(calls: LoggedCalls) -> None:
    found = replay(calls, scenario(caches=[{"ttl": "2h"}]), seed=1, resamples=40)
    assert found.metric("cache_hit_rate").after == pytest.approx(1 - 999 / SIZE, abs=0.02)
    assert found.metric("cost_per_h").after < 0.3 * found.metric("cost_per_h").before
    assert found.metric("error_rate").after < found.metric("error_rate").before
    assert any("cache" in words for words in found.effects)


def test_a_fallback_turns_failures_into_later_answers(calls: LoggedCalls) -> None:
    change = {"selector": {"provider": "slow"}, "order": ["fast"], "on": ["error"]}
    found = replay(calls, scenario(fallbacks=[change]), seed=1, resamples=40)
    errors = found.metric("error_rate")
    assert errors.after < 0.6 * errors.before
    assert found.metric("cost_per_h").after > found.metric("cost_per_h").before


def test_a_timeout_alone_makes_failures(calls: LoggedCalls) -> None:
    found = replay(calls, scenario(fallbacks=[{"timeout": "300ms"}]), seed=1, resamples=40)
    assert found.metric("latency_p99").after == pytest.approx(300.0, rel=0.01)
    assert found.metric("error_rate").after > 0.3


def test_the_same_seed_predicts_the_same(calls: LoggedCalls) -> None:
    what = scenario(moves=[{"share": 0.5, "to": {"provider": "fast"}}])
    assert replay(calls, what, seed=3, resamples=10) == replay(calls, what, seed=3, resamples=10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"moves": [{"share": 0.5, "to": {"provider": "nobody"}}]}, "never served such calls"),
        ({"moves": [{"selector": {"route": "/x"}, "share": 0.5, "to": {"provider": "fast"}}]}, "no call in the window"),
        ({"fallbacks": [{"order": ["nobody"]}]}, "never served"),
        ({"caches": [{"key": ["account"]}]}, "is known of 0%"),
        ({"rate_limits": [{"per": "account", "rate": 1, "burst": 1}]}, "says its account"),
        ({"warm_up": "2h", "caches": [{}]}, "warm-up"),
    ],
)
def test_what_the_calls_cannot_tell_is_refused(calls: LoggedCalls, changes: dict[str, object], words: str) -> None:
    found = replay(calls, scenario(**changes), seed=1, resamples=5)
    assert not found.metrics
    assert any(words in reason for reason in found.refusals)


def test_few_calls_are_refused() -> None:
    few = logged({"provider": ["a"] * 100, "latency_ms": 1.0})
    found = replay(few, scenario(fallbacks=[{"timeout": "1s"}]), seed=1)
    assert "only 100 calls" in found.refusals[0]
