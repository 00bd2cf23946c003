"""`tpscope whatif SCENARIO.yaml`: logged calls replayed through a change, as text, JSON and a picture."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from analytics.replay.calls import REPLAYED_COLUMNS, attribute_columns, logged_calls
from analytics.replay.run import replay
from core.config import Settings
from core.errors import ConfigError
from core.load import read_part
from core.predictions import PredictedMetric, Prediction
from core.whatif import WhatIf
from render.prediction_png import draw_prediction
from render.units import format_range, format_value
from storage.calls import count_calls
from storage.contract import Store
from storage.logged_calls import IDENTITY, read_logged
from storage.prices import read_prices
from tpscope.options import print_json
from tpscope.reading import reading

MOST_CALLS = 400_000
"""Calls that are replayed at most; of more a sample."""


def run_whatif(settings: Settings, path: Path, picture: Path | None, seed: int, *, as_json: bool) -> int:
    """Print what the scenario would have changed; exit code 1 when the calls cannot support an answer."""
    scenario = read_part(path, WhatIf)
    if picture is not None and picture.suffix != ".png":
        raise ConfigError("--picture", f"{picture} must end in .png")
    with reading(settings) as store:
        found = predict(store, scenario, datetime.now(UTC), seed)
    if picture is not None and found.metrics:
        picture.write_bytes(draw_prediction(found))
    if as_json:
        print_json(prediction_json(found))
    else:
        _print(found)
    return 1 if found.refusals else 0


def predict(store: Store, scenario: WhatIf, now: datetime, seed: int = 1, most_calls: int = MOST_CALLS) -> Prediction:
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
    return replay(logged, of_sample(scenario, rows.share), seed=seed, sampled=rows.share)


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


def prediction_json(found: Prediction) -> dict[str, Any]:
    """As `--json` prints it; unknown is null."""
    return {
        "name": found.name,
        "from": found.start.isoformat(),
        "to": found.end.isoformat(),
        "calls": found.calls,
        "sampled": found.sampled,
        "confidence": found.level,
        "refusals": list(found.refusals),
        "metrics": [
            {
                "name": one.name,
                "unit": one.unit,
                **{name: _known(getattr(one, name)) for name in ("before", "after", "lower", "upper")},
            }
            for one in found.metrics
        ],
        "effects": list(found.effects),
        "assumptions": list(found.assumptions),
    }


def _nothing(scenario: WhatIf, start: datetime, end: datetime) -> Prediction:
    return Prediction(
        name=scenario.name, start=start, end=end, level=0.9, calls=0, sampled=1.0, metrics=(), effects=(), assumptions=()
    )  # fmt: skip


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(found: Prediction) -> None:
    console = Console(soft_wrap=True)

    def say(words: str) -> None:
        console.print(words, highlight=False, markup=False)

    say(f"{found.name}: {found.calls:,} calls, {found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC")
    if found.refusals:
        say("This cannot be answered from these calls:")
        _list(say, found.refusals)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("", "logged", "predicted", f"{found.level:.0%} interval", "change"):
        table.add_column(name, justify="left" if not name else "right")
    for one in found.metrics:
        table.add_row(*_row(one))
    console.print(table, highlight=False)
    _list(say, found.effects)
    say("Taken for granted:")
    _list(say, found.assumptions)


def _row(one: PredictedMetric) -> tuple[str, ...]:
    if not math.isfinite(one.after):
        return one.title, format_value(one.before, one.unit), "too few calls", "", ""
    change = one.relative[0]
    words = f"{100 * change:+.1f} %" if math.isfinite(change) else ""
    return (
        one.title,
        format_value(one.before, one.unit),
        format_value(one.after, one.unit),
        format_range(one.lower, one.upper, one.unit),
        words,
    )


def _list(say: Any, lines: Sequence[str]) -> None:
    for line in lines:
        say(f"- {line}")
