"""Two mixes made comparable: the strata that both have, and the weights that make their mixes equal. Pure.

The weights are those of Mantel and Haenszel (J. Natl. Cancer Inst. 22, 1959; as "overlap weights": Li, Morgan, Zaslavsky, J.
Am. Stat. Assoc. 113, 2018): a stratum of n0 and n1 calls weighs n0 n1 / (n0 + n1). No call can weigh more than a few others,
whatever the mixes, and the variance is the least that any weights have where strata are alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

import numpy as np

from core.mixes import UNKNOWN_SIZE, CallMix, Floats, Stratum, with_strata

LEAST_CALLS = 5
"""Calls that a stratum must have on each side: with fewer nothing tells how much its own calls differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both mixes over the strata that they share.

    Attributes
    ----------
    shared_before, shared_after : float
        Share of each side's calls that lie in them.
    at_once : bool
        Whether both were observed at the same times, block by block, as a canary beside the rest.
    missing_after : tuple of (str, float)
        Routes of the candidate's calls that have no counterpart, and their calls, most first.
    """

    before: CallMix
    after: CallMix
    shared_before: float
    shared_after: float
    at_once: bool
    missing_after: tuple[tuple[str, float], ...]


def paired(before: CallMix, after: CallMix) -> Pair:
    """The strata that both have, neighbouring sizes of prompts joined where one alone has too few calls."""
    counts: dict[Stratum, list[float]] = {}
    for side, mix in enumerate((before, after)):
        for stratum, calls in zip(mix.strata, mix.calls.sum(axis=0), strict=True):
            counts.setdefault(stratum, [0.0, 0.0])[side] += float(calls)
    home: dict[Stratum, Stratum] = {}
    for _, of_route in groupby(sorted(counts), key=lambda one: (one.service, one.method, one.route)):
        for members in _groups(list(of_route), counts):
            first, last = members[0], members[-1]
            joined = Stratum(
                service=first.service, method=first.method, route=first.route, size=first.size, last_size=last.last_size
            )
            home |= dict.fromkeys(members, joined)
    strata = tuple(sorted(set(home.values())))
    index = {stratum: at for at, stratum in enumerate(strata)}
    moved = [_moved(mix, strata, {one: index[joined] for one, joined in home.items()}) for mix in (before, after)]
    shares = [_share(part, whole) for part, whole in zip(moved, (before, after), strict=True)]
    return Pair(
        before=moved[0],
        after=moved[1],
        shared_before=shares[0],
        shared_after=shares[1],
        at_once=_at_once(before, after),
        missing_after=_missing(after, home),
    )


def weights_of(before: Floats, after: Floats) -> Floats:
    """Weight of each stratum, adding up to 1; all nought where the sides share none. Shapes (n_strata,)."""
    both = np.where((before >= LEAST_CALLS) & (after >= LEAST_CALLS), before * after, 0.0)
    weights = np.divide(both, before + after, out=np.zeros(len(both)), where=both > 0)
    total = weights.sum()
    return weights / total if total > 0 else weights


def folded(mix: CallMix) -> CallMix:
    """The mix without strata: its calls as they came."""
    return with_strata(mix, (Stratum(service="", method="", route=""),), np.zeros(len(mix.strata), dtype=np.int64))


def _groups(strata: Sequence[Stratum], counts: dict[Stratum, list[float]]) -> Iterator[list[Stratum]]:
    """Strata of one route, in order of size: alone where there are enough calls, else with one neighbour, else left out.

    Not with more: two sides that have only large and only small prompts would be compared with one another.
    """

    def enough(*some: Stratum) -> bool:
        return all(sum(counts[one][side] for one in some) >= LEAST_CALLS for side in (0, 1))

    held: list[Stratum] = []
    at = 0
    while at < len(strata):
        one = strata[at]
        following = strata[at + 1] if at + 1 < len(strata) else None
        if enough(one):
            if held:
                yield held
            held = [one]
        elif len(held) == 1 and _neighbours(held[0], one):
            held.append(one)
        elif following is not None and _neighbours(one, following) and enough(one, following):
            if held:
                yield held
            held = [one, following]
            at += 1
        at += 1
    if held:
        yield held


def _neighbours(one: Stratum, other: Stratum) -> bool:
    return one.size != UNKNOWN_SIZE and other.size == one.last_size + 1


def _moved(mix: CallMix, strata: tuple[Stratum, ...], index: dict[Stratum, int]) -> CallMix:
    return with_strata(mix, strata, np.array([index.get(one, -1) for one in mix.strata], dtype=np.int64))


def _share(part: CallMix, whole: CallMix) -> float:
    calls = float(whole.calls.sum())
    return float(part.calls.sum()) / calls if calls > 0 else 0.0


def _at_once(before: CallMix, after: CallMix) -> bool:
    """Whether blocks of the same number are of the same time, give or take half a block."""
    if len(before.seconds) != len(after.seconds) or len(before.spans) != len(after.spans):
        return False
    half = timedelta(seconds=0.5 * float(min(before.seconds.min(), after.seconds.min())))
    pairs = zip(before.spans, after.spans, strict=True)
    return all(abs(one[side] - other[side]) <= half for one, other in pairs for side in (0, 1))


def _missing(after: CallMix, home: dict[Stratum, Stratum]) -> tuple[tuple[str, float], ...]:
    calls: dict[str, float] = {}
    for stratum, count in zip(after.strata, after.calls.sum(axis=0), strict=True):
        if stratum not in home and count:
            calls[stratum.route_words] = calls.get(stratum.route_words, 0.0) + float(count)
    return tuple(sorted(calls.items(), key=lambda one: -one[1]))
