"""Changes of a simulated gateway that are really made: the truth that a what-if replay is measured against.

The same scenario file says what is changed, and nothing else is shared with the replay: here the simulator's own laws answer
the calls that the change concerns, and its own bucket and cache say which those are.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.whatif import CacheChange, FallbackChange, MoveChange, RateLimitChange, WhatIf
from tpscope.simulate.generate import Upstream, log_normal, provider_wander, upstreams_of
from tpscope.simulate.incidents import Columns, Floats, Mask, matching
from tpscope.simulate.scenario import Scenario

Routes = npt.NDArray[np.int64]

_HIT_MS = 4.0
_ANSWER = ("ttft_ms", "first_byte_ms", "prompt_tokens", "completion_tokens", "cost_usd")


@dataclass(frozen=True, slots=True)
class _Laws:
    """What answers are made by: of each call its route, the slowdown of its time and the gateway's own time; and randomness."""

    routes: Routes
    slowdown: Floats
    own_ms: Floats
    rng: np.random.Generator


class RealChange:
    """The changes of a what-if scenario, as a gateway of `scenario` would have made them. State begins empty with each span."""

    def __init__(self, scenario: Scenario, changes: WhatIf, seed: int) -> None:
        self._scenario, self._changes, self._seed = scenario, changes, seed
        self._tables = [upstreams_of(route, scenario.providers) for route in scenario.routes]

    def __call__(self, columns: Columns, routes: Routes, slowdown: Floats, rng: np.random.Generator) -> Columns:
        own_ms = columns["latency_ms"] - columns["upstream_ms"]  # what the gateway takes for itself, whoever answers
        for limit in self._changes.rate_limits:
            _limit(columns, limit)
        for cache in self._changes.caches:
            _cache(columns, cache)
        for move in self._changes.moves:
            self._move(columns, move, _Laws(routes, slowdown, own_ms, rng))
        for fallback in self._changes.fallbacks:
            self._fall_back(columns, fallback, _Laws(routes, slowdown, own_ms, rng))
        return columns

    def _move(self, columns: Columns, move: MoveChange, laws: "_Laws") -> None:
        wanted = _upstream(columns) & matching(columns, move.selector) & ~matching(columns, move.to.calls.labels)
        moved = np.flatnonzero(wanted & (laws.rng.random(len(wanted)) < move.share))
        self._answer(columns, moved, move.to.provider, move.to.model, laws)

    def _fall_back(self, columns: Columns, change: FallbackChange, laws: "_Laws") -> None:
        limit_ms = change.timeout.total_seconds() * 1000.0 if change.timeout else np.inf
        eligible = _upstream(columns) & matching(columns, change.selector)
        need = eligible & _give_up(columns, eligible, limit_ms, change)
        for provider in change.order:
            again = np.flatnonzero(need & (columns["provider"] != provider))
            spent, paid = columns["latency_ms"][again].copy(), np.nan_to_num(columns["cost_usd"][again])
            self._answer(columns, again, provider, "", laws)
            asked = np.zeros(len(need), dtype=bool)
            asked[again] = True
            need = (need & ~asked) | _give_up(columns, asked, limit_ms, change)
            columns["latency_ms"][again] += spent
            columns["cost_usd"][again] = np.nan_to_num(columns["cost_usd"][again]) + paid

    def _answer(self, columns: Columns, places: Routes, provider: str, model: str, laws: "_Laws") -> None:
        """Let a provider answer these calls: the same prompt, everything else by the laws of the provider."""
        for index in np.unique(laws.routes[places]):
            ours = places[laws.routes[places] == index]
            table, weights = self._tables[index]
            kept = np.array([row.provider == provider and model in ("", row.model) for row in table])
            rows = [row for row, keep in zip(table, kept, strict=True) if keep]
            picks = laws.rng.choice(len(rows), size=len(ours), p=weights[kept] / weights[kept].sum())
            self._one_route(columns, int(index), ours, [rows[pick] for pick in picks], laws)

    def _one_route(self, columns: Columns, index: int, ours: Routes, rows: list[Upstream], laws: "_Laws") -> None:
        """`rows` has the provider, account and model of each of the calls `ours`."""
        route, rng, slowdown = self._scenario.routes[index], laws.rng, laws.slowdown[ours]

        def pick(name: str) -> Floats:
            return np.array([getattr(row, name) for row in rows], dtype=np.float64)

        for name in ("provider", "account", "model"):
            columns[name][ours] = np.array([getattr(row, name) for row in rows], dtype=np.object_)
        wander = provider_wander(self._scenario, self._seed, columns["ts"][ours], columns["provider"][ours])
        upstream = log_normal(rng, np.full(len(ours), route.latency_ms), route.sigma) * slowdown * pick("latency_factor")
        if route.kind in ("llm", "ai"):
            asked = columns["prompt_tokens"][ours]
            prompt = np.where(np.isnan(asked), np.round(log_normal(rng, pick("prompt_tokens"), 0.5)).clip(1), asked)
            answer = np.round(log_normal(rng, pick("completion_tokens"), 0.45)).clip(1)
            ttft = log_normal(rng, pick("ttft_ms"), 0.3) * slowdown * pick("latency_factor") * wander
            upstream = upstream + ttft + answer / pick("tokens_per_s") * 1000.0 * wander
            columns["prompt_tokens"][ours], columns["completion_tokens"][ours] = prompt, answer
            columns["cost_usd"][ours] = prompt * pick("usd_per_prompt") + answer * pick("usd_per_completion")
        else:
            upstream = upstream * wander
        columns["upstream_ms"][ours], columns["latency_ms"][ours] = upstream, upstream + laws.own_ms[ours]
        failing = (rng.random(len(ours)) < pick("error_rate")) | (rng.random(len(ours)) < route.error_rate)
        limited = ~failing & (rng.random(len(ours)) < route.rate_limited)
        columns["status"][ours] = np.where(failing, 503.0, np.where(limited, 429.0, 200.0))
        columns["error_type"][ours] = np.where(failing, "upstream", np.where(limited, "rate_limit", ""))
        for name in _ANSWER:
            columns[name][ours[failing | limited]] = np.nan


def _upstream(columns: Columns) -> Mask:
    """Calls that reached a provider: neither cached nor refused by the gateway itself."""
    reached: Mask = (columns["cache_hit"] != 1.0) & (columns["provider"] != "")
    return reached


def _give_up(columns: Columns, asked: Mask, limit_ms: float, change: FallbackChange) -> Mask:
    """Cut off what takes too long; which of the asked calls are to be asked again."""
    late = asked & (columns["latency_ms"] > limit_ms)
    columns["latency_ms"][late] = limit_ms
    columns["status"][late], columns["error_type"][late] = 504.0, "timeout"
    kinds = {"error": ("upstream",), "timeout": ("timeout",), "rate_limit": ("rate_limit",)}
    wanted = {kind for reason in change.on for kind in kinds[reason]}
    return asked & np.isin(columns["error_type"].astype(str), list(wanted))


def _limit(columns: Columns, change: RateLimitChange) -> None:
    buckets: dict[Any, tuple[float, float]] = {}
    open_ = matching(columns, change.selector) & (columns["status"] != 429.0) & (columns["cache_hit"] != 1.0)
    for place in np.flatnonzero(open_):
        key, at = columns[change.per][place], float(columns["ts"][place])
        level, before = buckets.get(key, (change.burst, at))
        level = min(change.burst, level + (at - before) * change.rate)
        if level >= 1.0:
            buckets[key] = (level - 1.0, at)
            continue
        buckets[key] = (level, at)
        columns["status"][place], columns["error_type"][place] = 429.0, "rate_limit"
        columns["latency_ms"][place], columns["upstream_ms"][place], columns["provider"][place] = 3.0, np.nan, ""
        for name in _ANSWER:
            columns[name][place] = np.nan


def _cache(columns: Columns, change: CacheChange) -> None:
    held: OrderedDict[tuple[Any, ...], float] = OrderedDict()
    names = [name for name in change.key if name != "prompt_hash"]
    asked = matching(columns, change.selector) & (columns["status"] != 429.0) & (columns["cache_hit"] != 1.0)
    for place in np.flatnonzero(asked & (columns["prompt_hash"] != 0)):
        at, key = float(columns["ts"][place]), (columns["prompt_hash"][place], *(columns[name][place] for name in names))
        if key in held and at - held[key] <= change.ttl.total_seconds():
            held.move_to_end(key)
            _hit(columns, int(place))
        elif columns["status"][place] < 500.0:
            held[key] = at
            held.move_to_end(key)
            if len(held) > change.entries:
                held.popitem(last=False)


def _hit(columns: Columns, place: int) -> None:
    overhead = columns["latency_ms"][place] - columns["upstream_ms"][place]
    columns["latency_ms"][place] = min(columns["upstream_ms"][place], _HIT_MS) + overhead
    columns["upstream_ms"][place], columns["cache_hit"][place] = np.nan, 1.0
    columns["status"][place], columns["error_type"][place], columns["provider"][place] = 200.0, "", ""
    for name in _ANSWER:
        columns[name][place] = np.nan
