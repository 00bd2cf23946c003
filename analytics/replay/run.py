"""A what-if replay: logged calls through changed stages, and the figures before and after with their intervals. Pure, seeded.

Intervals are of the change: in each of many resamples of blocks of time (Efron, Tibshirani: An Introduction to the Bootstrap,
8.5 and 13.3) the calls are replayed with new draws and the same blocks are counted before and after, so that what both share,
the traffic itself, cancels out.
"""

from datetime import datetime

import numpy as np

from analytics.replay.calls import LoggedCalls
from analytics.replay.outcomes import FIGURES, Blocks, Outcomes, figures, resample_weights
from analytics.replay.stages import Counts, Stages
from analytics.replay.support import assumptions, refusals
from core.predicting import Progress, unheard
from core.predictions import PredictedMetric, Prediction
from core.whatif import WhatIf

BLOCKS = 48
RESAMPLES = 200
LEVEL = 0.90
_SHARES = frozenset({"rejected_rate", "error_rate", "cache_hit_rate"})


def replay(
    calls: LoggedCalls,
    scenario: WhatIf,
    *,
    seed: int,
    sampled: float = 1.0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    progress: Progress = unheard,
) -> Prediction:
    """What the scenario would have changed, or why that cannot be said.

    Parameters
    ----------
    sampled : float
        Which part of the window's calls `calls` holds.
    progress : callable
        Is told the part that is done after each resample; what it raises ends the replay.
    """
    start = min(calls.start + scenario.warm_up, calls.end)
    stages = Stages(calls, scenario) if len(calls) else None
    no = ["no call was logged in the window"] if stages is None else refusals(calls, scenario, stages)
    if start >= calls.end:
        no.append("the warm-up is as long as the window")
    counted = int((calls.ts_s >= start.timestamp()).sum())
    metrics: tuple[PredictedMetric, ...] = ()
    effects, taken = list[str](), list[str]()
    if stages is not None and not no:
        rng = np.random.default_rng(seed)
        metrics, counts = _metrics(calls, stages, start, sampled, resamples, level, rng, progress)
        effects, taken = _effects(scenario, stages, counts), assumptions(calls, scenario, stages)
        if sampled < 1.0:
            taken.insert(0, f"worked out from {sampled:.1%} of the calls, all those of some keys, with caches of that share")
    return Prediction(
        name=scenario.name, start=start, end=calls.end, level=level, calls=counted, sampled=sampled, metrics=metrics,
        effects=tuple(effects), assumptions=tuple(taken), refusals=tuple(no),
    )  # fmt: skip


def measured(calls: LoggedCalls, sampled: float = 1.0) -> dict[str, float]:
    """The figures of `FIGURES` as logged."""
    return figures(Outcomes.logged(calls), np.ones(len(calls)), (calls.end - calls.start).total_seconds(), sampled)


def _metrics(
    calls: LoggedCalls,
    stages: Stages,
    start: datetime,
    sampled: float,
    resamples: int,
    level: float,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[tuple[PredictedMetric, ...], list[Counts]]:
    blocks = Blocks.of(calls.ts_s, start.timestamp(), calls.end.timestamp(), BLOCKS)
    logged, whole = Outcomes.logged(calls), blocks.weights(np.ones(BLOCKS))
    before = figures(logged, whole, blocks.seconds, sampled)
    draws: dict[str, list[tuple[float, float, float]]] = {name: [] for name in FIGURES}
    counts = []
    for drawn in resample_weights(BLOCKS, resamples, rng):
        weights = blocks.weights(drawn)
        outcome, count = stages.draw(rng)
        counts.append(count)
        after = figures(outcome, whole, blocks.seconds, sampled)
        was, would = (figures(one, weights, blocks.seconds, sampled) for one in (logged, outcome))
        for name in FIGURES:
            draws[name].append((after[name], was[name], would[name]))
        progress(len(counts) / resamples)
    told = _told(calls, stages)
    return tuple(_metric(name, before[name], np.array(draws[name]), level) for name in FIGURES if name in told), counts


def _told(calls: LoggedCalls, stages: Stages) -> set[str]:
    """Figures that mean something here: no cost where none is known, no hit rate where nothing is cached."""
    told = set(FIGURES)
    if not np.isfinite(calls.cost_usd).any():
        told.discard("cost_per_h")
    if not calls.cached.any() and not stages.found:
        told.discard("cache_hit_rate")
    return told


def _metric(name: str, before: float, draws: np.ndarray, level: float) -> PredictedMetric:
    """From draws of shape (n_draws, 3): the figure after, and before and after over resampled blocks."""
    title, unit, more_is_better = FIGURES[name]
    known = draws[np.isfinite(draws).all(axis=1)]
    after = lower = upper = float("nan")
    if len(known) > len(draws) / 2 and np.isfinite(before):
        after = float(np.median(known[:, 0]))
        lower, upper = _interval(after, known[:, 1], known[:, 2], level, ratios=name not in _SHARES)
    return PredictedMetric(
        name=name, title=title, unit=unit, before=before, after=after, lower=lower, upper=upper, more_is_better=more_is_better
    )


def _interval(after: float, was: np.ndarray, would: np.ndarray, level: float, *, ratios: bool) -> tuple[float, float]:
    """Around `after`, as wide as the change scatters: by its factor for amounts and times, by its difference for shares."""
    levels = [0.5, (1 - level) / 2, (1 + level) / 2]
    if ratios and (was > 0).all():
        middle, low, high = np.quantile(would / was, levels)
        return (after * float(low / middle), after * float(high / middle)) if middle > 0 else (after, after)
    middle, low, high = np.quantile(would - was, levels)
    return max(after + float(low - middle), 0.0), max(after + float(high - middle), 0.0)


def _effects(scenario: WhatIf, stages: Stages, counts: list[Counts]) -> list[str]:
    calls, words = stages.calls, list[str]()
    for limit, refused in zip(scenario.rate_limits, stages.refused, strict=True):
        keys = len(np.unique(calls.labels[limit.per].codes[refused]))
        words.append(
            f"rate limit {limit.rate:g}/s per {limit.per}, {limit.calls.words}: "
            f"refuses {refused.sum():,} calls of {keys} of them"
        )
    for cache, found in zip(scenario.caches, stages.found, strict=True):
        asked = int(calls.matching(cache.calls).sum())
        words.append(f"cache by {', '.join(cache.key)}, {cache.calls.words}: answers {found.sum():,} of {asked:,} calls")
    for place, move in enumerate(scenario.moves):
        moved = np.mean([count.moved[place] for count in counts])
        words.append(f"move of {move.share:.0%} of {move.calls.words} to {move.to.calls.words}: {moved:,.0f} calls")
    for place, fallback in enumerate(scenario.fallbacks):
        again = np.mean([count.asked_again[place] for count in counts])
        late = np.mean([count.timed_out[place] for count in counts])
        to = " then ".join(fallback.order) or "no other provider"
        words.append(f"fallback of {fallback.calls.words} to {to}: {again:,.0f} calls asked again, {late:,.0f} cut off")
    return words
