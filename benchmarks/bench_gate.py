"""Whether the gate is right: `python -m benchmarks.bench_gate [--pairs N] [--data FOLDER] [--seed SEED]`.

Pairs of simulated runs whose truth is known (`benchmarks/gate_runs.py`), 5,000 calls a side unless said otherwise: runs with
no difference, 15 % slower, with a slower tail, with another mix of unchanged routes, with more errors, and with too few
calls. Then real calls (TPSCOPE_SHARED_DATA or the sibling folder `shared/data`), split into halves: at random, by turns of an
hour, and the first half against the second. At last the time for five million calls a side.

The settings were chosen on seed 1 and its neighbours; the seed by default was looked at once.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from analytics.gating.counting import CallColumns, mix_of
from analytics.gating.judging import judge
from benchmarks.gate_real import real_sets, slower, some
from benchmarks.gate_runs import JUDGEMENT_SEED, Truth, columns, pair, strata
from core.gate_settings import GateSettings
from core.gating import GateReport, Outcome, Verdict
from core.mixes import CallMix, Stratum

_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
_SHIFTS = 20
_HALVINGS = 200
_MAIN_CASES = 3
"""The others are looked at with two fifths of the pairs."""
_MANY = 5_000_000

Made = Callable[[np.random.Generator], tuple[CallMix, CallMix]]


def main() -> None:
    parser = argparse.ArgumentParser(description="how often the gate is right")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TPSCOPE_SHARED_DATA", str(beside))))
    parser.add_argument("--pairs", type=int, default=500, help="of simulated runs; 0: only real calls and the time it takes")
    parser.add_argument("--seed", type=int, default=JUDGEMENT_SEED)
    options = parser.parse_args()
    if options.pairs:
        simulated(options.pairs, options.seed)
    for name, calls, groups in real_sets(options.data):
        real(name, calls, groups, options.seed)
    speed(options.seed)


def simulated(pairs: int, seed: int) -> None:
    whole = Truth()
    some_errors = {"errors": 0.02}
    cases: tuple[tuple[str, Made, str], ...] = (
        ("no_difference", lambda rng: pair(whole, rng), "at most 0.05"),
        ("slower_15_percent", lambda rng: pair(whole, rng, slower=1.15), "at least 0.9"),
        ("other_mix", lambda rng: pair(whole, rng, mix_tilt=0.7), "at most 0.05"),
        ("tail_slower_25_percent", lambda rng: pair(whole, rng, tail_slower=1.25), "at least 0.9"),
        ("other_mix_slower_15_percent", lambda rng: pair(whole, rng, mix_tilt=0.7, slower=1.15), "at least 0.9"),
        ("errors_2_points_more", lambda rng: pair(whole, rng, **some_errors), "at least 0.9"),
        ("300_calls", lambda rng: pair(Truth(calls=300), rng), "0"),
        ("300_calls_slower_15_percent", lambda rng: pair(Truth(calls=300), rng, slower=1.15), ""),
    )
    for number, (name, made, wanted) in enumerate(cases):
        count = pairs if number < _MAIN_CASES else -(-pairs * 2 // 5)
        tell(name, [judge(*made(np.random.default_rng([seed, number, at])), GateSettings()) for at in range(count)], wanted)


def real(name: str, calls: CallColumns, groups: tuple[Stratum, ...], seed: int) -> None:
    words = name.lower().replace(" ", "_")

    def report(one: CallColumns, other: CallColumns) -> GateReport:
        return judge(mix_of(one, groups, "one half"), mix_of(other, groups, "other half"), GateSettings())

    count, rng = len(calls.at_ms), np.random.default_rng([seed, 99])
    halves = [rng.random(count) < 0.5 for _ in range(_HALVINGS)]
    tell(f"{words}_random_halves", [report(some(calls, half), some(calls, ~half)) for half in halves], "at most 0.05")
    changed = [report(some(calls, half), slower(some(calls, ~half), 1.15)) for half in halves]
    tell(f"{words}_random_halves_slower_15_percent", changed, "at least 0.9")
    for title, span in (("a_minute", _MINUTE_MS), ("an_hour", _HOUR_MS)):
        turns = [((calls.at_ms + shift) // span) % 2 == 0 for shift in range(0, span, span // _SHIFTS)]
        if turns[0].any() and not turns[0].all():
            told = [report(some(calls, half), some(calls, ~half)) for half in turns]
            tell(f"{words}_by_turns_of_{title}", told, "at most 0.05")
    first = np.arange(count) < count // 2
    for title, one, other in (("second_half", first, ~first), ("first_half", ~first, first)):
        whole = report(some(calls, one), some(calls, other))
        changes = [
            f"{metric.metric} {metric.before:.4g} to {metric.after:.4g} ({metric.verdict})"
            for metric in whole.metrics
            if metric.verdict in (Verdict.REGRESSION, Verdict.IMPROVEMENT, Verdict.SMALL)
        ]
        why = "; ".join([*changes, *whole.reasons])
        print(f"{name}, {title} as the candidate: {whole.outcome.name.lower()}: {why or 'no change found'}")


def tell(name: str, reports: list[GateReport], wanted: str) -> None:
    outcomes = Counter(report.outcome for report in reports)
    failed, unclear = (outcomes[one] / len(reports) for one in (Outcome.REGRESSION, Outcome.CANNOT_JUDGE))
    blamed = Counter(one.metric for report in reports for one in report.metrics if one.verdict is Verdict.REGRESSION)
    print(f"{name}: {len(reports)} pairs, {failed:.1%} fail, {unclear:.1%} cannot be judged; {dict(blamed.most_common(4))}")
    print(f"RESULT name=gate_{name}_failed value={failed:.4f} unit=share reference={wanted.replace(' ', '_')}")
    print(f"RESULT name=gate_{name}_unclear value={unclear:.4f} unit=share reference=", flush=True)


def speed(seed: int) -> None:
    for calls in (5_000, _MANY):
        sides = [columns(Truth(calls=calls), np.random.default_rng([seed, 7, side])) for side in (0, 1)]
        began = time.process_time()
        mixes = [mix_of(side, strata(), "simulated") for side in sides]
        counted = time.process_time()
        judge(mixes[0], mixes[1], GateSettings())
        judged = time.process_time()
        print(f"{calls:,} calls a side: counted in {counted - began:.2f} s, judged in {judged - counted:.2f} s of a processor")
        print(f"RESULT name=gate_judged_{calls} value={judged - counted:.3f} unit=s reference=", flush=True)


if __name__ == "__main__":
    main()
