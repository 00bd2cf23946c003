"""`tpscope whatif SCENARIO.yaml`: logged calls replayed through a change, as text, JSON and a picture."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from core.config import Settings
from core.errors import ConfigError
from core.load import read_part
from core.predictions import PredictedMetric, Prediction
from core.whatif import WhatIf
from render.prediction_json import prediction_json
from render.prediction_png import draw_prediction
from render.units import format_range, format_value
from tpscope.options import print_json
from tpscope.predicting import predict
from tpscope.reading import reading


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
