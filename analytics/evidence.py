"""What speaks for a series being what an anomaly is about, gathered minute by minute."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.detect import MinuteVerdict
from analytics.explain import Suspect, explain
from analytics.narrative import Movement
from core.series import Direction, Selector

_MOST_EVIDENCE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One series of an anomaly, and its worst minute in the metric's unit.

    Attributes
    ----------
    led, moved : float
        Sums over the minutes of how far out of its range it was: while it led, and in all.
    strength, share : float
        Of the worst minute: how far out, and its share of the excess in its dimension.
    """

    metric: str
    selector: str
    direction: str
    led: float
    moved: float
    strength: float
    share: float
    observed: float
    expected: float
    lower: float
    upper: float


def weigh(before: Sequence[Evidence], minute: MinuteVerdict, names: Sequence[str], rows: Sequence[int]) -> tuple[Evidence, ...]:
    """Evidence with the finding of this minute over the given rows added; the weakest is dropped where there is much."""
    active = np.zeros(len(names), dtype=np.bool_)
    active[list(rows)] = True
    finding = explain(minute, active)
    held = {(part.metric, part.selector): part for part in before}
    for suspect in (finding.lead, *finding.others):
        key = (suspect.metric, names[suspect.row])
        old = held.get(key)
        worst = old if old is not None and not _worse(suspect, old, minute) else _evidence(suspect, minute, key[1])
        led = suspect.strength if suspect is finding.lead else 0.0
        held[key] = replace(worst, led=(old.led if old else 0.0) + led, moved=(old.moved if old else 0.0) + suspect.strength)
    return tuple(sorted(held.values(), key=lambda part: (-part.led, -part.moved))[:_MOST_EVIDENCE])


def _worse(suspect: Suspect, old: Evidence, minute: MinuteVerdict) -> bool:
    """Whether this minute is the one to tell of (its range is worked out only then, for it is dear); silence by its begin."""
    still_silent = old.observed == 0.0 and minute.values[minute.metrics.index(suspect.metric), suspect.row] == 0.0
    return suspect.strength >= old.strength and not (still_silent and suspect.metric == "tps")


def _evidence(suspect: Suspect, minute: MinuteVerdict, name: str) -> Evidence:
    row = suspect.row
    index = minute.metrics.index(suspect.metric)
    lower, upper = minute.range(suspect.metric, row)
    return Evidence(
        metric=suspect.metric,
        selector=name,
        direction=suspect.direction.value,
        led=0.0,
        moved=0.0,
        strength=suspect.strength,
        share=suspect.share,
        observed=float(minute.values[index, row]),
        expected=float(minute.expected[index, row]),
        lower=lower,
        upper=upper,
    )


def movement(part: Evidence) -> Movement:
    return Movement(
        metric=part.metric,
        selector=Selector.parse(part.selector),
        direction=Direction(part.direction),
        observed=part.observed,
        expected=part.expected,
        lower=part.lower,
        upper=part.upper,
        share=part.share,
        weight=part.moved,
    )
