"""Whether the logged calls can answer a scenario at all, and what an answer takes for granted."""

import numpy as np

from analytics.replay.calls import LoggedCalls, Mask
from analytics.replay.donors import LEAST_DONORS
from analytics.replay.stages import Stages
from core.whatif import WhatIf

LEAST_CALLS = 500
_MOST_UNMATCHED = 0.05
_LEAST_KEYED = 0.5
_MOST_GROWTH = 10.0
_SLIGHT_GROWTH = 1.5


def refusals(calls: LoggedCalls, scenario: WhatIf, stages: Stages) -> list[str]:
    """Why there is no answer; empty where there is one."""
    if len(calls) < LEAST_CALLS:
        return [f"only {len(calls):,} calls were logged in the window; {LEAST_CALLS} are needed"]
    found = list[str]()
    for change in (*scenario.rate_limits, *scenario.caches, *scenario.moves, *scenario.fallbacks):
        if not calls.matching(change.calls).any():
            found.append(f"no call in the window is of {change.calls.words}")
    found += _without_keys(calls, scenario)
    found += _without_donors(calls, scenario, stages)
    return list(dict.fromkeys(found))


def assumptions(calls: LoggedCalls, scenario: WhatIf, stages: Stages) -> list[str]:
    """What the answer rests on besides the calls."""
    found = [
        "the same calls come at the same times: clients neither repeat what is refused nor send more because it is faster",
        "intervals tell how well the change in this window is known, not how another week differs from it",
    ]
    if scenario.rate_limits:
        found.append("buckets are full at the beginning and one for the whole gateway, and a refused call takes no token")
    if scenario.caches:
        found.append("the cache is empty at the beginning (see warm_up); answers of one key are interchangeable")
        found.append("upstreams are no faster for the calls that they are spared")
        hit = "as logged hits do" if calls.cached.any() else "what the gateway takes for itself: no hit was logged"
        found.append(f"a hit takes {hit}, and costs nothing")
    if scenario.moves or any(one.order for one in scenario.fallbacks):
        found.append("another provider answers as it answered calls of the same route and size at about the same time")
        found.append("its models keep their shares of the route, unless the scenario names one")
    if any(one.timeout for one in scenario.fallbacks):
        found.append("what is cut off at its time-out is paid for as logged")
    return [*found, *_busier(calls, stages)]


def _without_keys(calls: LoggedCalls, scenario: WhatIf) -> list[str]:
    found = list[str]()
    for cache in scenario.caches:
        asked = calls.matching(cache.calls) & ~calls.cached & ~calls.rejected
        known = float((calls.keys(cache.key)[asked] != 0).mean()) if asked.any() else 0.0
        if known < _LEAST_KEYED:
            found.append(
                f"the cache's key ({', '.join(cache.key)}) is known of {known:.0%} of the calls that it would be asked for"
            )
    for limit in scenario.rate_limits:
        if not (calls.matching(limit.calls) & calls.labels[limit.per].known).any():
            found.append(f"no call of {limit.calls.words} says its {limit.per}")
    return found


def _without_donors(calls: LoggedCalls, scenario: WhatIf, stages: Stages) -> list[str]:
    found = list[str]()
    for move in stages.moves:
        wanted = len(move.donors.matched) + len(move.donors.without)
        if not wanted:
            found.append(
                f"every call of {move.change.calls.words} is at {move.change.to.calls.words} already, or none has a provider"
            )
        elif len(move.donors.without) > _MOST_UNMATCHED * wanted:
            routes = _routes(calls, move.donors.without)
            need = f"{LEAST_DONORS} of a route and size are needed"
            found.append(f"{move.change.to.calls.words} never served such calls ({need}): {routes}")
        elif (growth := _growth(calls, calls.matching(move.change.to.calls), move.eligible, move.change.share)) > _MOST_GROWTH:
            found.append(f"{move.change.to.calls.words} would have to answer {growth:.0f} times as much as it ever did here")
    for fallback in stages.fallbacks:
        for name, donors in fallback.donors.items():
            if not len(donors.matched):
                found.append(f"provider {name} never served calls of {fallback.change.calls.words}")
            elif len(donors.without) > _MOST_UNMATCHED * (len(donors.matched) + len(donors.without)):
                found.append(f"provider {name} never served such calls: {_routes(calls, donors.without)}")
    return found


def _busier(calls: LoggedCalls, stages: Stages) -> list[str]:
    found = []
    for move in stages.moves:
        growth = _growth(calls, calls.matching(move.change.to.calls), move.eligible, move.change.share)
        if growth > _SLIGHT_GROWTH:
            where = move.change.to.calls.words
            found.append(f"{where} keeps its pace at {growth:.1f} times the most it was seen to answer, which is untested")
    return found


def _growth(calls: LoggedCalls, served: Mask, eligible: np.ndarray, share: float) -> float:
    """By which factor the target's busiest minute grows."""
    minute = ((calls.ts_s - calls.ts_s[0]) // 60).astype(np.int64)
    now = np.bincount(minute[served], minlength=minute[-1] + 1).astype(float)
    more = np.bincount(minute[eligible], minlength=minute[-1] + 1) * share
    return float((now + more).max() / now.max()) if now.any() else float("inf")


def _routes(calls: LoggedCalls, places: np.ndarray) -> str:
    labels = calls.labels["route"]
    names, counts = np.unique(labels.codes[places], return_counts=True)
    order = np.argsort(-counts)[:3]
    words = ", ".join(f"{labels.values[names[place]] or '(no route)'} ({counts[place]:,} calls)" for place in order)
    return words + (" …" if len(names) > 3 else "")
