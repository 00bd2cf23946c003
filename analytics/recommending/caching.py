"""Rule: a route that is asked the same again and again could answer from a cache."""

import numpy as np

from analytics.recommending.replayed import kept, scenario_of
from analytics.recommending.totals import Estate, comparing, confidence_of, share
from analytics.replay.run import replay
from core.recommendations import Effect, Finding
from core.series import Selector

TTL, ENTRIES = "1h", 10_000
_LEAST_CALLS = 500
_LEAST_HITS = 0.15
_LEAST_GAIN = 0.01
_RESAMPLES = 40


def cache_routes(estate: Estate) -> list[Finding]:
    """One finding for each route of which a replayed cache would answer 15 % of the calls or more."""
    calls, routes = estate.calls, estate.calls.labels["route"]
    found = []
    for code in np.unique(routes.codes[calls.keys(("route", "prompt_hash")) != 0]):
        mask = routes.codes == code
        if mask.sum() >= _LEAST_CALLS and (one := _of_route(estate, str(routes.values[code]), mask)):
            found.append(one)
    return found


def _of_route(estate: Estate, route: str, mask: np.ndarray) -> Finding | None:
    ours = estate.calls.where(mask)
    keys = ours.keys(("route", "prompt_hash"))
    asked = keys[keys != 0]
    repeats = 1.0 - len(np.unique(asked)) / len(asked)
    if repeats < _LEAST_HITS:
        return None
    caches = [{"key": ["route", "prompt_hash"], "ttl": TTL, "entries": ENTRIES}]
    what = scenario_of(estate, f"answers of {route} cached", {"route": route}, caches=caches)
    predicted = replay(ours, what, seed=estate.seed, resamples=_RESAMPLES)
    if predicted.refusals:
        return None
    hits = predicted.metric("cache_hit_rate")
    paid = {one.name for one in predicted.metrics} >= {"cost_per_h"} and predicted.metric("cost_per_h").before > 0.0
    one = predicted.metric("cost_per_h" if paid else "concurrency")
    per_call = estate.hours / len(ours) if paid else estate.hours * 3_600_000.0 / max(int((~ours.rejected).sum()), 1)
    scope = Selector.of(route=route)
    effect = Effect(
        measure="cost_per_call" if paid else "mean_latency", scope=scope, unit="USD" if paid else "ms",
        **{name: getattr(one, name) * per_call for name in ("before", "after", "lower", "upper")},
    )  # fmt: skip
    saved = (one.before - one.after) * estate.hours
    gain = share(saved, estate.cost_usd) if paid else share(saved * 3_600_000.0, estate.waited_ms)
    if hits.after - hits.before < _LEAST_HITS or gain < _LEAST_GAIN or effect.upper >= effect.before:
        return None
    return Finding(
        rule="cache_route",
        selector=scope,
        about=route,
        action=f"Cache the answers of {route} for {TTL}, {ENTRIES:,} of them.",
        evidence=(
            f"{repeats:.0%} of {len(asked):,} calls ask what was asked before in the same window",
            f"a replayed cache answers {hits.after:.0%} of the calls (now {hits.before:.0%})",
        ),
        effect=effect,
        gain=gain,
        gain_of="cost" if paid else "waiting",
        confidence=confidence_of(effect),
        verify=comparing(scope, f"cache_hit_rate of {route} should come near {hits.after:.0%}"),
        scenario=kept(what),
    )
