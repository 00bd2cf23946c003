"""The gate as a whole, on mixes whose truth is known."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from analytics.gating.judging import Asked, judge
from analytics.gating.targets import Target
from core.errors import ConfigError
from core.gate_settings import GateFloor, GateSettings
from core.gating import GateReport, MetricVerdict, Outcome, Verdict
from core.mixes import CallMix
from render.gate_words import change_words, heading
from tests.unit.analytics.gating.builders import HOUR_MS, START_MS, mix, route, spread

FAST, SLOW = route("/fast"), route("/slow")
SETTINGS = GateSettings()
DAY_MS = 24 * HOUR_MS
TIGHT = Target(name="tight", metric="latency_p95", value=1.0, at_most=True)


def metric(report: GateReport, name: str) -> MetricVerdict:
    return next(one for one in report.metrics if one.metric == name)


def run(fast: int, slow: int, seed: int, factor: float = 1.0, errors: float = 0.01, cost: float = 0.002) -> CallMix:
    """A run on a day of its own."""
    return mix(
        {FAST: factor * spread(fast, 20.0, seed), SLOW: factor * spread(slow, 500.0, seed + 1)},
        errors={FAST: round(fast * errors), SLOW: round(slow * errors)},
        cost=cost,
        start_ms=START_MS + seed * DAY_MS,
    )


@pytest.fixture(scope="module")
def before() -> CallMix:
    return run(3000, 2000, 10)


def test_what_did_not_change_passes(before: CallMix) -> None:
    report = judge(before, run(3000, 2000, 20), SETTINGS)
    assert (report.outcome, report.reasons) == (Outcome.PASSED, ())
    assert metric(report, "route_p95").verdict is Verdict.UNCHANGED
    assert metric(report, "ttft_p95").verdict is Verdict.UNKNOWN
    assert report.strata == 2


def test_slower_calls_fail_and_the_change_is_within_its_interval(before: CallMix) -> None:
    report = judge(before, run(3000, 2000, 20, factor=1.2), SETTINGS)
    assert report.outcome is Outcome.REGRESSION
    for name, ratio in (("latency_p50", 1.2), ("route_p95", 1.2)):
        one = metric(report, name)
        assert one.verdict is Verdict.REGRESSION, name
        assert one.lower <= (ratio - 1) * one.before <= one.upper
        assert one.adjusted >= one.p_value
    assert metric(report, "route_p95").where


def test_faster_calls_are_an_improvement(before: CallMix) -> None:
    report = judge(before, run(3000, 2000, 20, factor=0.8), SETTINGS)
    assert report.outcome is Outcome.PASSED
    assert metric(report, "route_p95").verdict is Verdict.IMPROVEMENT


def test_another_mix_of_unchanged_routes_passes_though_its_own_percentiles_rise(before: CallMix) -> None:
    report = judge(before, run(1000, 4000, 20), SETTINGS)
    half = metric(report, "latency_p50")
    assert half.raw_after > 10 * half.raw_before
    assert report.outcome is Outcome.PASSED
    assert half.after == pytest.approx(half.before, rel=0.25)


def test_more_errors_and_dearer_calls_fail(before: CallMix) -> None:
    report = judge(before, run(3000, 2000, 20, errors=0.04, cost=0.003), SETTINGS)
    assert {one.metric for one in report.metrics if one.verdict is Verdict.REGRESSION} == {"error_rate", "cost_per_call"}


def test_what_is_below_the_floor_does_not_count(before: CallMix) -> None:
    lenient = replace_floor("error_rate", GateFloor(absolute=0.1))
    report = judge(before, run(3000, 2000, 20, errors=0.04), lenient)
    assert report.outcome is Outcome.PASSED
    assert metric(report, "error_rate").verdict is Verdict.SMALL


def test_too_few_calls_are_told_with_how_many_it_would_take() -> None:
    report = judge(run(60, 40, 10), run(60, 40, 20), SETTINGS)
    assert report.outcome is Outcome.CANNOT_JUDGE
    one = metric(report, "route_p95")
    assert one.verdict is Verdict.TOO_FEW
    assert one.calls_needed > 100
    assert "too few calls to find a change that matters" in report.reasons[0]


def test_mixes_that_do_not_overlap_cannot_be_judged(before: CallMix) -> None:
    other = mix({route("/new"): 10 * spread(3000, 20.0, 1), FAST: spread(500, 20.0, 2)})
    report = judge(before, other, SETTINGS)
    assert report.outcome is Outcome.CANNOT_JUDGE
    assert report.shared_after == pytest.approx(500 / 3500)
    assert "GET /new of shop (3,000)" in report.reasons[0]


def test_nothing_in_common_at_all_is_no_crash() -> None:
    report = judge(mix({FAST: spread(200, 20.0, 1)}), mix({SLOW: spread(200, 20.0, 2)}), SETTINGS)
    assert (report.outcome, report.strata) == (Outcome.CANNOT_JUDGE, 0)
    assert all(math.isnan(one.before) for one in report.metrics if one.metric != "tps")


def test_throughput_counts_only_where_it_was_driven(before: CallMix) -> None:
    fewer = run(1500, 1000, 20)
    assert judge(before, fewer, SETTINGS).outcome is not Outcome.REGRESSION
    driven = judge(before, fewer, SETTINGS, Asked(throughput=True))
    assert metric(driven, "tps").verdict is Verdict.REGRESSION


def test_objectives_are_kept_broken_or_open(before: CallMix) -> None:
    after = run(3000, 2000, 20)
    half = float(np.median(np.concatenate([spread(3000, 20.0, 20), spread(2000, 500.0, 21)])))
    targets = [
        Target(name="wide", metric="latency_p50", value=2 * half, at_most=True),
        Target(name="tight", metric="error_rate", value=0.001, at_most=True),
        Target(name="close", metric="error_rate", value=0.0101, at_most=True),
        Target(name="load", metric="tps", value=0.5, at_most=False),
    ]
    report = judge(before, after, SETTINGS, Asked(targets=[(one, after) for one in targets]))
    assert [one.kept for one in report.targets] == [True, False, None, True]
    assert report.outcome is Outcome.REGRESSION
    assert report.reasons == ("objective tight is broken",)


def test_sides_of_one_time_share_what_befell_both() -> None:
    rng = np.random.default_rng(3)
    minute = np.repeat(np.exp(rng.normal(0.0, 0.5, 48)), 100)  # the level of all calls jumps from block to block

    def half(seed: int, start_ms: int) -> CallMix:
        made = mix({FAST: minute * spread(4800, 20.0, seed, 0.3)}, start_ms=start_ms)
        order = np.argsort(made.latency.block)
        return replace(made, latency=replace(made.latency, block=np.sort(made.latency.block[order])))

    apart = judge(half(1, START_MS), half(2, START_MS + DAY_MS), SETTINGS)
    together = judge(half(1, START_MS), half(2, START_MS), SETTINGS)
    widths = [metric(one, "latency_p50").upper - metric(one, "latency_p50").lower for one in (apart, together)]
    assert widths[1] <= widths[0]
    assert any("same times" in note for note in together.notes)


def test_what_counts_differently_is_refused(before: CallMix) -> None:
    with pytest.raises(ConfigError, match="cannot be compared"):
        judge(before, replace(before, transaction="pay"), SETTINGS)
    with pytest.raises(ConfigError, match="count different things"):
        judge(replace(before, transaction="pay", version="a"), replace(before, transaction="pay", version="b"), SETTINGS)


def test_the_same_calls_and_seed_give_the_same_answer(before: CallMix) -> None:
    after = run(3000, 2000, 20)
    assert judge(before, after, SETTINGS).metrics[0] == judge(before, after, SETTINGS).metrics[0]


def replace_floor(name: str, floor: GateFloor) -> GateSettings:
    return GateSettings(floors={name: floor})


def test_spans_are_told(before: CallMix) -> None:
    assert before.spans[0][1] - before.spans[0][0] == timedelta(hours=1)


def test_words_tell_a_broken_objective_from_a_change_for_the_worse_and_small_costs_from_none(before: CallMix) -> None:
    after = run(3000, 2000, 20, cost=0.00000242)
    broken = judge(run(3000, 2000, 10, cost=0.0000024), after, SETTINGS, Asked(targets=[(TIGHT, after)]))
    assert heading(broken) == "failed: no worse than the baseline, but an objective is broken"
    assert heading(judge(before, run(3000, 2000, 20, factor=1.2), SETTINGS)) == "failed: it got worse"
    assert change_words(metric(broken, "cost_per_call")).startswith("+2e-08 USD (")
