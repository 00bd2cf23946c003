"""The stages that a call passes in a gateway, replayed: rate limits, caches, moves, fallbacks.

What a bucket or a cache does follows from arrivals and keys alone and is worked out once; what another provider would have
answered is drawn, like for like, anew in each draw.
"""

from dataclasses import dataclass, field

import numpy as np

from analytics.replay.bucket import refused
from analytics.replay.cache import hits
from analytics.replay.calls import Floats, Ints, Labels, LoggedCalls, Mask
from analytics.replay.donors import Donors
from analytics.replay.outcomes import Outcomes
from core.whatif import CacheChange, FallbackChange, MoveChange, RateLimitChange, WhatIf


@dataclass(slots=True)
class _Move:
    change: MoveChange
    donors: Donors
    eligible: Ints


@dataclass(slots=True)
class _Fallback:
    change: FallbackChange
    eligible: Mask
    donors: dict[str, Donors]


@dataclass(slots=True)
class Counts:
    """How many calls each change concerned in one draw."""

    moved: list[int] = field(default_factory=list)
    asked_again: list[int] = field(default_factory=list)
    timed_out: list[int] = field(default_factory=list)


class Stages:
    """A scenario made ready to be replayed over logged calls; `draw` plays it once.

    Attributes
    ----------
    refused, found : list of (ndarray of bool)
        For each rate limit the calls that it refuses, for each cache those that it answers.
    """

    def __init__(self, calls: LoggedCalls, scenario: WhatIf) -> None:
        self.calls = calls
        self._open = ~calls.rejected & ~calls.cached
        self.refused = [self._limit(change) for change in scenario.rate_limits]
        self.found = [self._cache(change) for change in scenario.caches]
        self._all_refused, self._all_found = _any(self.refused, len(calls)), _any(self.found, len(calls))
        self._hit_ms = _hit_latencies(calls)
        upstream = ~calls.cached & ~self._all_refused & ~self._all_found & calls.labels["provider"].known
        self.moves = [self._move(change, upstream) for change in scenario.moves]
        self.fallbacks = [self._fallback(change, upstream) for change in scenario.fallbacks]

    def draw(self, rng: np.random.Generator) -> tuple[Outcomes, Counts]:
        """The calls as they would have gone, once."""
        out, counts = Outcomes.logged(self.calls), Counts()
        at = self.calls.labels["provider"].codes.copy()
        self._apply_fixed(out, rng)
        moved = np.zeros(len(self.calls), dtype=bool)
        for one in self.moves:
            places = one.eligible[~moved[one.eligible]]
            chosen = places[rng.random(len(places)) < one.change.share]
            among = np.zeros(len(self.calls), dtype=bool)
            among[chosen] = True
            counts.moved.append(self._answer(out, at, one.donors.draw(rng, among)))
            moved |= among
        for fallback in self.fallbacks:
            self._fall_back(fallback, out, at, counts, rng)
        return out, counts

    def _limit(self, change: RateLimitChange) -> Mask:
        labels = self.calls.labels[change.per]
        places = np.flatnonzero(self.calls.matching(change.calls) & labels.known & self._open)
        out = np.zeros(len(self.calls), dtype=bool)
        if len(places):
            out[places] = refused(self.calls.ts_s[places], labels.codes[places], change.rate, change.burst)
        self._open &= ~out
        return out

    def _cache(self, change: CacheChange) -> Mask:
        calls = self.calls
        keys = np.where(calls.matching(change.calls) & self._open, calls.keys(change.key), np.uint64(0))
        out = hits(calls.ts_s, keys, calls.good, change.ttl.total_seconds(), change.entries)
        self._open &= ~out
        return out

    def _move(self, change: MoveChange, upstream: Mask) -> _Move:
        served = self.calls.matching(change.to.calls) & ~self.calls.cached
        wanted = np.flatnonzero(upstream & self.calls.matching(change.calls) & ~self.calls.matching(change.to.calls))
        donors = Donors(self.calls, served, wanted)
        return _Move(change, donors, donors.matched)

    def _fallback(self, change: FallbackChange, upstream: Mask) -> _Fallback:
        eligible = upstream & self.calls.matching(change.calls)
        provider = self.calls.labels["provider"]
        donors = {}
        for name in change.order:
            there = provider.equal(name)
            donors[name] = Donors(self.calls, there & ~self.calls.cached, np.flatnonzero(eligible))
        return _Fallback(change, eligible, donors)

    def _apply_fixed(self, out: Outcomes, rng: np.random.Generator) -> None:
        out.good &= ~self._all_refused
        out.failed &= ~(self._all_refused | self._all_found)
        out.rejected |= self._all_refused
        out.cost_usd[self._all_refused | self._all_found] = 0.0
        places = np.flatnonzero(self._all_found)
        if len(places):
            out.good[places] = out.cached[places] = True
            out.rejected[places] = False
            out.latency_ms[places] = self._hit_ms[rng.integers(0, len(self._hit_ms), len(places))]

    def _answer(self, out: Outcomes, at: Ints, donor: Ints) -> int:
        """Give every call with a donor what the donor got; how many those are."""
        places = np.flatnonzero(donor >= 0)
        givers = donor[places]
        calls = self.calls
        out.latency_ms[places] = calls.latency_ms[givers]
        out.cost_usd[places] = np.nan_to_num(calls.cost_usd[givers])
        for name in ("good", "failed", "rejected"):
            getattr(out, name)[places] = getattr(calls, name)[givers]
        at[places] = calls.labels["provider"].codes[givers]
        return len(places)

    def _fall_back(self, one: _Fallback, out: Outcomes, at: Ints, counts: Counts, rng: np.random.Generator) -> None:
        """Cut off what takes too long, and ask the next provider as long as there is one and a reason to."""
        calls, change = self.calls, one.change
        limit_ms = change.timeout.total_seconds() * 1000.0 if change.timeout else np.inf
        timed = one.eligible & (out.latency_ms > limit_ms)
        out.latency_ms[timed] = limit_ms
        out.good[timed], out.failed[timed] = False, True
        counts.timed_out.append(int(timed.sum()))
        need = one.eligible & _asks_again(change, out, timed)
        first = int(need.sum())
        provider = calls.labels["provider"]
        for name, donors in one.donors.items():
            donor = donors.draw(rng, need & ~(at == _code(provider, name)))
            places = np.flatnonzero(donor >= 0)
            givers = donor[places]
            took = calls.latency_ms[givers]
            late = took > limit_ms
            out.latency_ms[places] += np.minimum(took, limit_ms)
            out.cost_usd[places] += np.nan_to_num(calls.cost_usd[givers])
            out.good[places], out.rejected[places] = calls.good[givers] & ~late, calls.rejected[givers]
            out.failed[places] = calls.failed[givers] | late
            at[places] = provider.codes[givers]
            timed = np.zeros(len(calls), dtype=bool)
            timed[places] = late
            need = (need & (donor < 0)) | ((donor >= 0) & _asks_again(change, out, timed))
        counts.asked_again.append(first if one.donors else 0)


def _asks_again(change: FallbackChange, out: Outcomes, timed: Mask) -> Mask:
    none = np.zeros(len(timed), dtype=bool)
    failed = out.failed & ~timed
    asks: Mask = (
        (failed if "error" in change.on else none)
        | (timed if "timeout" in change.on else none)
        | (out.rejected if "rate_limit" in change.on else none)
    )
    return asks


def _code(labels: Labels, name: str) -> int:
    found = np.flatnonzero(labels.values == name)
    return int(found[0]) if len(found) else -1


def _any(masks: list[Mask], size: int) -> Mask:
    return np.logical_or.reduce(masks) if masks else np.zeros(size, dtype=bool)


def _hit_latencies(calls: LoggedCalls) -> Floats:
    """How long hits take: as those that were logged, else as long as the gateway takes for itself."""
    logged = calls.latency_ms[calls.cached & np.isfinite(calls.latency_ms)]
    if len(logged):
        return logged
    own = calls.latency_ms - calls.upstream_ms
    own = own[np.isfinite(own) & (own >= 0.0)]
    return own if len(own) else np.zeros(1)
