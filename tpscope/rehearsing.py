"""What `tpscope alerts rehearse` does."""

import math
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from core.config import Settings
from core.errors import ConfigError
from render.units import format_span
from tpscope.options import print_json
from tpscope.reading import reading
from tpscope.rehearsal import Progress, copy, rehearse
from tpscope.rehearsal_results import Rehearsed, RuleResult


def run_rehearse(settings: Settings, learn: timedelta, judge: timedelta, faults: int, seed: int, *, as_json: bool) -> int:
    """Rehearse the configured rules and print how each fared."""
    if min(learn, judge) <= timedelta(0):
        raise ConfigError("alerts rehearse", "--learn and --for must be longer than nothing")
    with tempfile.TemporaryDirectory(prefix="tpscope-rehearsal-") as name, _progress() as progress:
        folder = Path(name)
        with reading(settings) as store:
            copied = copy(store, settings, folder, learn, judge, progress)
        found = rehearse(folder, copied, settings, faults, seed, progress)
    if as_json:
        print_json(_json(found))
    else:
        _print(found)
    return 0


@contextmanager
def _progress() -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield lambda what, share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("copying", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def _print(found: Rehearsed) -> None:
    console = Console(soft_wrap=True)
    span = f"{found.start:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC"
    console.print(f"{span}, {len(found.faults)} faults in a copy of {found.calls:,} calls", highlight=False, markup=False)
    for fault, told in found.faults:
        said = f"after {format_span(told.at - fault.start)}: {told.incident.title}" if told else "nobody is told"
        what = f"{fault.kind} of {fault.dimension} {fault.value}"
        console.print(f"{fault.start:%m-%d %H:%M}  {what}: {said}", highlight=False, markup=False)
    table = Table("rule", "precision", "recall", "delay", "pages a week")
    for one in found.rules:
        delay = format_span(timedelta(seconds=one.delay_s)) if one.found else "-"
        precision = f"{one.precision:.0%} ({one.true} of {one.told})" if one.told else "-"
        recall = f"{one.recall:.0%} ({one.found} of {one.faults})" if one.faults else "-"
        table.add_row(one.rule, precision, recall, delay, f"{one.pages_a_week:.1f}")
    console.print(table)


def _json(found: Rehearsed) -> dict[str, Any]:
    return {
        "from": found.start.isoformat(),
        "to": found.end.isoformat(),
        "calls": found.calls,
        "faults": [
            {
                "kind": fault.kind.value,
                "from": fault.start.isoformat(),
                "to": fault.end.isoformat(),
                "selector": {fault.dimension: fault.value},
                "rule": told.incident.rule if told else None,
                "title": told.incident.title if told else None,
                "delay_s": (told.at - fault.start).total_seconds() if told else None,
            }
            for fault, told in found.faults
        ],
        "rules": [_rule_json(one) for one in found.rules],
    }


def _rule_json(one: RuleResult) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "messages": one.told,
        "precision": _known(one.precision),
        "recall": _known(one.recall),
        "median_delay_s": _known(one.delay_s),
        "pages_a_week": round(one.pages_a_week, 2),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
