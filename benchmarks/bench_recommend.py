"""Whether recommendations are right: `python -m benchmarks.bench_recommend [--seeds 801 802 …]`.

A day of a simulated estate with eight inefficiencies (`benchmarks/planted_estate.py`), drawn by seed. Of each estate at least
seven must be found and at most two findings may be wrong; the predicted gain of what is found is compared with what putting it
right really brings: the same estate is run again with that one put right. The reference is the same estate with nothing
planted, of which everything that is found is wrong. Seeds below 100 were looked at while this was built, others were not.
"""

import argparse
import math
import time
from datetime import timedelta

import numpy as np
import pyarrow as pa

from analytics.recommending.catalogue import recommend
from analytics.recommending.measures import measure
from analytics.recommending.totals import Estate
from analytics.replay.calls import LoggedCalls, logged_calls
from benchmarks.planted_estate import PLANTS, SPAN, START, Particulars, estate, provisioned, repaired, truly
from core.recommendations import Finding
from core.series import Selector

SEEDS = tuple(range(801, 807))
_LIMIT_ROOM = 1.3
_CLOSE = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description="planted inefficiencies, found and put right")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    options = parser.parse_args()
    began = time.process_time()
    found, wrong, nothing, errors = list[int](), list[int](), list[int](), list[float]()
    for seed in options.seeds:
        findings = recommend(Estate.of(_logged(estate(seed)), provisioned(), seed=seed))
        hits = _hits(findings, Particulars.of(seed))
        found.append(len(hits))
        wrong.append(len(findings) - len(hits))
        for name, one in hits.items():
            errors.append(_gain_error(seed, name, one))
        bare = recommend(Estate.of(_logged(estate(seed, ())), provisioned(()), seed=seed))
        nothing.append(len(bare))
        _print(seed, findings, hits, errors[-len(hits) :], bare)
    close = float(np.mean([abs(error) <= _CLOSE for error in errors]))
    print(f"RESULT name=recommend_found_least value={min(found)} unit=of_8 reference={np.mean(found):.3g}")
    print(f"RESULT name=recommend_wrong_most value={max(wrong)} unit=findings reference={max(nothing)}")
    print(
        f"RESULT name=recommend_gain_within_25 value={100 * close:.4g} unit=% reference={100 * np.median(np.abs(errors)):.3g}"
    )
    print(f"{time.process_time() - began:.0f} s of processor time")


def _logged(table: pa.Table, day: int = 0) -> LoggedCalls:
    start = START + timedelta(days=day)
    return logged_calls(table, start, start + SPAN)


def _hits(findings: list[Finding], where: Particulars) -> dict[str, Finding]:
    """For each plant the finding that is about it."""
    return {
        plant: one
        for plant in PLANTS
        for one in findings
        if one.rule == plant and one.selector == Selector.of(truly(plant, where))
    }


def _gain_error(seed: int, plant: str, one: Finding) -> float:
    """By how much of the true gain the predicted one is too large."""
    predicted = one.effect.before - one.effect.after
    if plant == "limit_level":
        tomorrow = _logged(estate(seed, day=1), day=1)
        used = np.bincount(((tomorrow.ts_s - tomorrow.ts_s[0]) // 300)[tomorrow.matching(one.effect.scope)].astype(int)) / 300.0
        return predicted / (one.effect.before - _LIMIT_ROOM * float(used.max())) - 1.0
    true = one.effect.before - measure(_logged(repaired(seed, plant)), one.effect.measure, one.effect.scope)
    return predicted / true - 1.0 if true else math.inf


def _print(seed: int, findings: list[Finding], hits: dict[str, Finding], errors: list[float], bare: list[Finding]) -> None:
    print(f"seed {seed}: {len(hits)} of {len(PLANTS)} found, {len(findings) - len(hits)} wrong, without plants {len(bare)}")
    for (name, one), error in zip(hits.items(), errors, strict=True):
        effect = one.effect
        print(
            f"  {name}: {effect.measure} {effect.before:.4g} to {effect.after:.4g} ({effect.lower:.4g} to {effect.upper:.4g}); "
            f"gain {one.gain:.1%} of {one.gain_of}, confidence {one.confidence:.2f}, {error:+.1%} off the truth"
        )
    for one in (*(one for one in findings if one not in hits.values()), *bare):
        print(f"  WRONG {one.rule}, {one.selector.words}: {one.action}")
    for name in PLANTS:
        if name not in hits:
            print(f"  MISSED {name}")


if __name__ == "__main__":
    main()
