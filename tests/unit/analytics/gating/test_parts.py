"""The pieces of the gate: strata and weights, the exact test, Holm, blocks."""

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from analytics.gating.counting import CallCounter
from analytics.gating.estimates import ratio_estimate
from analytics.gating.family import holm
from analytics.gating.overlap import paired, weights_of
from analytics.gating.percentiles import sides_of
from analytics.gating.shares import exact_tails
from core.mixes import UNKNOWN_SIZE, CallMix, Stratum, size_class, together
from core.prices import PriceTable, TokenPrice
from core.record import RECORD_SCHEMA
from core.series import Selector
from tests.unit.analytics.gating.builders import mix, route, spread
from tests.unit.storage.batches import at, batch

counts = st.integers(0, 40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bad=counts, good=counts, other_bad=counts, other_good=counts)
def test_with_one_stratum_the_exact_test_is_fishers(bad: int, good: int, other_bad: int, other_good: int) -> None:
    more, fewer = exact_tails(*(np.array([float(n)]) for n in (bad, bad + good, other_bad, other_bad + other_good)))
    table = [[other_bad, other_good], [bad, good]]
    if min(bad + good, other_bad + other_good, bad + other_bad, good + other_good) == 0:
        assert (more, fewer) == (1.0, 1.0)
    else:
        assert more == pytest.approx(fisher_exact(table, "greater")[1], abs=1e-9)
        assert fewer == pytest.approx(fisher_exact(table, "less")[1], abs=1e-9)


def test_the_exact_test_in_strata_is_not_fooled_by_the_mix() -> None:
    # Each route fails as often on both sides, but the candidate has more calls of the bad one.
    failed_before, known_before = np.array([10.0, 40.0]), np.array([1000.0, 400.0])
    failed_after, known_after = np.array([2.0, 200.0]), np.array([200.0, 2000.0])
    assert exact_tails(failed_before, known_before, failed_after, known_after)[0] > 0.4
    assert exact_tails(*(np.array([one.sum()]) for one in (failed_before, known_before, failed_after, known_after)))[0] < 1e-6


def test_the_exact_test_takes_millions() -> None:
    more, _ = exact_tails(np.array([50_000.0]), np.array([5e6]), np.array([50_700.0]), np.array([5e6]))
    assert more == pytest.approx(0.0133, abs=0.002)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_only_raises(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(value <= raised <= 1.0 for value, raised in zip(p_values, adjusted, strict=True))
    ranked = [raised for _, raised in sorted(zip(p_values, adjusted, strict=True))]
    assert all(one <= other for one, other in pairwise(ranked))


def test_holm_by_hand_and_unknown_values_are_not_counted() -> None:
    assert holm([0.01, math.nan, 0.04, 0.03])[:1] == [0.03]
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(holm([0.5, math.nan])[1])


def test_weights_are_those_of_mantel_and_haenszel() -> None:
    assert weights_of(np.array([10.0, 30.0, 2.0]), np.array([30.0, 10.0, 90.0])) == pytest.approx([0.5, 0.5, 0.0])


def test_neighbouring_sizes_are_joined_where_one_has_too_few_calls() -> None:
    sizes = {size: route("/chat", size) for size in (5, 6, 7, 10, 12)}
    before = mix({sizes[size]: spread(count, 20.0, size) for size, count in ((5, 50), (6, 2), (7, 50), (10, 3), (12, 50))})
    after = mix({sizes[size]: spread(count, 20.0, size) for size, count in ((5, 50), (6, 40), (7, 50), (10, 50), (12, 3))})
    pair = paired(before, after)
    assert [(one.size, one.last_size) for one in pair.after.strata] == [(5, 6), (7, 7)]
    assert pair.shared_after == pytest.approx(140 / 193)
    assert pair.missing_after == (("GET /chat of shop", 53.0),)


def test_a_prompt_and_a_call_without_one_are_not_neighbours() -> None:
    few = mix({route("/chat", UNKNOWN_SIZE): spread(50, 20.0, 1), route("/chat", 0): spread(2, 20.0, 2)})
    assert [one.size for one in paired(few, few).after.strata] == [UNKNOWN_SIZE]


def test_words_and_classes_of_sizes() -> None:
    assert [size_class(tokens) for tokens in (0, 1, 511, 512, 1023, 1024)] == [0, 0, 8, 9, 9, 10]
    assert route("/chat", 9).words == "GET /chat of shop, prompts of 512 to 1,023 tokens"
    assert Stratum(service="", method="", route="").words == "(no route)"


def test_blocks_that_are_alike_inside_make_an_estimate_less_sure() -> None:
    rng = np.random.default_rng(1)
    calls = np.full((48, 1), 100.0)
    alone = ratio_estimate(rng.binomial(100, 0.1, (48, 1)).astype(float), calls, np.ones(1))
    assert alone.error.se == pytest.approx(math.sqrt(0.09 / 4800), rel=0.5)
    level = np.repeat(rng.uniform(0.0, 0.2, 12), 4)[:, None]
    lasting = ratio_estimate(rng.binomial(100, level).astype(float), calls, np.ones(1))
    assert lasting.error.joined == 4
    assert lasting.error.se > 3 * alone.error.se


def test_weighted_shares_and_percentiles_are_those_of_the_weighted_calls() -> None:
    fast, slow = np.full(90, 10.0), np.full(10, 100.0)
    before = mix({route("/a"): fast, route("/b"): slow})
    after = mix({route("/a"): np.full(10, 10.0), route("/b"): np.full(90, 100.0)})
    pair = paired(before, after)
    sides = sides_of(pair.before, pair.after, "latency")
    assert sides is not None
    for side in sides:  # each stratum weighs 90 * 10 / 100
        assert side.share_below(50.0) == pytest.approx(0.5)
        assert float(side.quantile(0.4)) == pytest.approx(10.0, rel=0.003)
        assert float(side.quantile(0.6)) == pytest.approx(100.0, rel=0.003)


def counted(*rows: dict[str, object], selector: Selector | None = None, prices: PriceTable | None = None) -> CallMix:
    counter = CallCounter(selector or Selector(), prices or PriceTable())
    table = batch(rows).select(RECORD_SCHEMA.names)
    counter.add(table.slice(0, 1))
    counter.add(table.slice(1))
    return counter.mix("made")


def test_calls_of_a_table_are_counted_by_the_rules_of_the_store() -> None:
    price = TokenPrice(provider="openai", model="*", input=1.0, output=2.0)
    rows = [
        {"ts": at(0), "route": "/a", "status": 200, "latency_ms": 10.0, "cost_usd": 0.5},
        {"ts": at(10), "route": "/a", "status": 500, "latency_ms": None},
        {"ts": at(20), "route": "/a", "status": 429, "error_type": "rate_limit"},
        {"ts": at(30), "route": "/a", "status": None, "error_type": "timeout"},
        {"ts": at(40), "route": "/a", "status": None},
        {"ts": at(50), "route": "/b", "prompt_tokens": 1000, "completion_tokens": 500, "provider": "openai", "ttft_ms": 3.0},
        {"ts": at(60), "route": "/b", "prompt_tokens": 1500, "provider": "other"},
    ]
    found = counted(*rows, prices=PriceTable((price,)))
    assert [one.size for one in found.strata] == [-1, 9, 10]
    sums = {name: getattr(found, name).sum(axis=0).tolist() for name in ("calls", "known", "errors", "rate_limited", "priced")}
    assert sums["calls"] == [5, 1, 1]
    assert sums["known"] == [4, 0, 0]
    assert (sums["errors"], sums["rate_limited"]) == ([2, 0, 0], [1, 0, 0])
    assert found.cost_usd.sum(axis=0) == pytest.approx([0.5, 0.002, 0.0])
    assert (found.latency.value.tolist(), found.ttft.value.tolist()) == (
        [pytest.approx(10.0, rel=0.002)],
        [pytest.approx(3.0, rel=0.002)],
    )
    assert counted(*rows, selector=Selector.of(route="/a")).calls.sum() == 5


def test_a_table_without_calls_is_no_mix() -> None:
    counter = CallCounter()
    counter.add(pa.Table.from_batches([], schema=RECORD_SCHEMA))
    with pytest.raises(ValueError, match="no call"):
        counter.mix("nothing")


def test_several_spans_are_one_mix() -> None:
    one, other = (
        mix({route("/a"): spread(50, 20.0, 1)}),
        mix({route("/b"): spread(30, 20.0, 2), route("/a"): spread(5, 9.0, 3)}),
    )
    both = together("both", [one, other])
    assert [stratum.route for stratum in both.strata] == ["/a", "/b"]
    assert both.calls.sum(axis=0).tolist() == [55, 30]
    assert both.calls.shape == (96, 2)
    assert both.latency.calls.sum() == 85
    assert both.latency.block.max() >= 48
    assert both.words == "both"
