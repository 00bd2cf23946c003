"""A comparison finds what changed, is not certain of what did not, and refuses what cannot be compared."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from analytics.compare import Comparison, MetricChange, cliffs_delta, compare
from core.errors import ConfigError
from core.series import Selector
from core.windows import CallWindow
from tests.unit.core.test_masks import NOON

HOUR = timedelta(hours=1)


def window(seed: int = 1, *, slower: float = 1.0, errors: float = 0.01, rate: float = 200.0, blocks: int = 48) -> CallWindow:
    """Log-normal latencies of 100 ms, whose median wanders from block to block by 5 %."""
    rng = np.random.default_rng(seed)
    calls = rng.poisson(rate, blocks)
    values = [np.round(100.0 * slower * np.exp(rng.normal(0.0, 0.05)) * rng.lognormal(0.0, 0.5, count), 0) for count in calls]
    bins = np.unique(np.concatenate(values))
    held = np.zeros((blocks, len(bins)))
    for block, one in enumerate(values):
        np.add.at(held[block], np.searchsorted(bins, one), 1.0)
    nothing = np.zeros(blocks)
    return CallWindow(
        name="", made_at=NOON, who="", start=NOON, end=NOON + HOUR, selector=Selector(), transaction="", version="",
        calls=calls.astype(float), known=calls.astype(float), errors=rng.binomial(calls, errors).astype(float),
        rate_limited=nothing, tokens=nothing, tokens_known=nothing, cost_usd=nothing, priced=nothing,
        latency_ms=bins, latency_calls=held,
    )  # fmt: skip


ONE_BLOCK, TWO_BLOCKS = window(blocks=1), window(blocks=2)


def change(found: Comparison, metric: str) -> MetricChange:
    return next(one for one in found.changes if one.metric == metric)


def test_what_changed_is_found_with_its_size() -> None:
    found = compare(window(1), window(2, slower=1.3, errors=0.05), seed=7)
    for metric in ("latency_p50", "latency_p90", "latency_p95"):
        one = change(found, metric)
        assert (one.verdict, one.worse) == ("higher", True)
        assert one.after / one.before == pytest.approx(1.3, rel=0.08)
        assert one.lower < one.difference < one.upper
        assert 0.2 < one.effect < 0.5
    errors = change(found, "error_rate")
    assert (errors.verdict, errors.worse) == ("higher", True)
    assert errors.p_value < 1e-6
    assert change(found, "tps").verdict == "unchanged"
    assert change(found, "tokens_per_s").verdict == "unknown"
    assert np.isnan(change(found, "cost_per_h").before)


def test_the_true_difference_lies_in_most_intervals() -> None:
    """95 % of them would be ideal; of 48 with nothing changed a bootstrap over 48 blocks may miss a few more."""
    found = [compare(window(seed), window(1000 + seed), seed=7, resamples=300) for seed in range(12)]
    metrics = ("tps", "latency_p50", "latency_p90", "latency_p95")
    hits = [one.verdict == "unchanged" for each in found for one in each.changes if one.metric in metrics]
    assert len(hits) == 48
    assert np.mean(hits) > 0.88


def test_the_same_seed_brings_the_same_intervals() -> None:
    one, other = window(1), window(2)
    lower = [compare(one, other, seed=seed, resamples=200).changes[0].lower for seed in (3, 3, 4)]
    assert lower[0] == lower[1] != lower[2]


def test_percentiles_of_few_calls_are_not_told() -> None:
    found = compare(window(rate=5.0), window(2, rate=5.0), seed=1)
    assert change(found, "latency_p99").verdict == "unknown"
    assert change(found, "latency_p50").verdict in ("unchanged", "higher", "lower")


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=8),
    st.lists(st.integers(1, 6), min_size=1, max_size=8),
)
@settings(max_examples=30, deadline=None)
def test_cliffs_delta_is_what_counting_pairs_says(first: list[int], second: list[int]) -> None:
    def of(values: list[int]) -> CallWindow:
        bins, counts = np.unique(np.array(values, dtype=float), return_counts=True)
        return replace(ONE_BLOCK, latency_ms=bins, latency_calls=counts[None, :].astype(float))

    pairs = [np.sign(later - earlier) for earlier in first for later in second]
    assert cliffs_delta(of(first), of(second)) == pytest.approx(np.mean(pairs))


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50), st.integers(1, 50))
@settings(max_examples=15, deadline=None)
def test_error_rates_have_the_exact_test(bad: int, good: int, later_bad: int, later_good: int) -> None:
    def of(failed: int, fine: int) -> CallWindow:
        errors, known = np.array([failed, 0.0]), np.array([failed + fine, 0.0])
        return replace(TWO_BLOCKS, calls=known, known=known, errors=errors)

    found = change(compare(of(bad, good), of(later_bad, later_good), seed=1, resamples=20), "error_rate")
    assert found.p_value == pytest.approx(fisher_exact([[bad, good], [later_bad, later_good]])[1])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"selector": Selector.of(service="chat")}, "all traffic cannot be compared with service chat"),
        ({"transaction": "pay", "version": "a"}, "cannot be compared with transaction pay"),
    ],
)
def test_different_things_are_not_compared(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        compare(window(), replace(window(), **parts), seed=1)
    paid = replace(window(), transaction="pay", version="a")
    with pytest.raises(ConfigError, match="versions a and b"):
        compare(paid, replace(paid, version="b"), seed=1)


def test_a_window_without_a_call_is_unknown() -> None:
    nothing = np.zeros(48)
    empty = replace(
        window(), calls=nothing, known=nothing, errors=nothing, latency_ms=np.zeros(0), latency_calls=np.zeros((48, 0))
    )
    found = compare(window(), empty, seed=1)
    assert change(found, "latency_p50").verdict == change(found, "error_rate").verdict == "unknown"
    assert change(found, "tps").verdict == "lower"
