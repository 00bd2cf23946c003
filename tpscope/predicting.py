"""A what-if scenario answered from the store: its calls read, or a sample of them, and replayed."""

from dataclasses import replace
from datetime import UTC, datetime

from analytics.replay.calls import REPLAYED_COLUMNS, attribute_columns, logged_calls
from analytics.replay.run import replay
from core.predicting import Predictor, Progress, unheard
from core.predictions import Prediction
from core.whatif import WhatIf
from storage.calls import count_calls
from storage.contract import Store
from storage.logged_calls import IDENTITY, read_logged
from storage.prices import read_prices
from storage.priority import LONG_JOBS, parted

MOST_CALLS = 400_000
"""Calls that are replayed at most; of more a sample."""

MOST_IN_SERVICE = 200_000
"""The same in a process that also serves pages."""

_READ = 0.2
"""Which part of the work reading counts as."""


def predict(
    store: Store,
    scenario: WhatIf,
    now: datetime,
    seed: int = 1,
    most_calls: int = MOST_CALLS,
    progress: Progress = unheard,
) -> Prediction:
    """Read the calls of the scenario's window, or a sample of them, and replay them."""
    start, end = span_of(scenario, now)
    calls = count_calls(store, start, end, scenario.calls)
    nth = max(-(-calls // most_calls), 1)
    if nth > 1 and (why := unsampled(scenario)):
        problem = (
            f"{calls:,} calls are more than the {most_calls:,} that are replayed at once, and {why}: choose a shorter window"
        )
        return replace(_nothing(scenario, start, end), refusals=(problem,))
    keys = scenario.caches[0].key if scenario.caches else IDENTITY
    attributes = attribute_columns([name for cache in scenario.caches for name in cache.key])
    rows = read_logged(
        store, start, end, REPLAYED_COLUMNS, scenario.calls, attributes=attributes, nth=nth, key=keys if nth > 1 else IDENTITY
    )
    logged = logged_calls(rows.table, start, end, read_prices(store))
    progress(_READ)
    return replay(
        logged,
        of_sample(scenario, rows.share),
        seed=seed,
        sampled=rows.share,
        progress=lambda part: progress(_READ + (1.0 - _READ) * part),
    )


def predictor_of(store: Store) -> Predictor:
    """For the web room: over connections of its own, behind what people ask, with fewer calls."""

    def answer(scenario: WhatIf, now: datetime, progress: Progress) -> Prediction:
        with parted(store, LONG_JOBS) as part:
            return predict(part, scenario, now, most_calls=MOST_IN_SERVICE, progress=progress)

    return answer


def span_of(scenario: WhatIf, now: datetime) -> tuple[datetime, datetime]:
    window = scenario.window
    if window.start is not None and window.until is not None:
        return window.start.astimezone(UTC), window.until.astimezone(UTC)
    assert window.last is not None, "the schema wants one of them"
    return now - window.last, now


def unsampled(scenario: WhatIf) -> str:
    """Why a scenario needs every call; empty where a sample does."""
    if scenario.rate_limits:
        return "a rate limit counts each of them"
    if len({cache.key for cache in scenario.caches}) > 1:
        return "caches by different keys cannot share a sample"
    return ""


def of_sample(scenario: WhatIf, share: float) -> WhatIf:
    """The scenario with caches as small as the sample of their keys."""
    caches = tuple(
        cache.model_copy(update={"entries": max(round(cache.entries * share), 1)}) for cache in scenario.caches
    )  # fmt: skip
    return scenario.model_copy(update={"caches": caches}) if share < 1.0 else scenario


def _nothing(scenario: WhatIf, start: datetime, end: datetime) -> Prediction:
    return Prediction(
        name=scenario.name, start=start, end=end, level=0.9, calls=0, sampled=1.0, metrics=(), effects=(), assumptions=()
    )  # fmt: skip
