"""The rules on a copy of the user's own history, with faults put into it, before they wake anybody.

The copy lies in a folder of its own; the store itself is only read. Detection learns from the first part of the copy and then
judges the rest minute by minute (`tpscope/replay.py`), and so do the rules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analytics.counting import count_minutes
from core.clock import floor_to
from core.config import ReceiverSettings, Settings, StoreSettings
from core.errors import ConfigError
from storage.bulk import bulk_insert
from storage.calls import insert_calls, read_calls, span_of_calls
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from storage.transactions import write_definitions
from tpscope.faults import SHAPES, Fault, FaultKind, inject
from tpscope.rehearsal_results import Rehearsed, first_told, judged
from tpscope.replay import replay

MOST_CALLS = 50_000_000
TOPIC = "import:rehearsal"
"""Imported history is spared by retention, whatever its age."""

APART = timedelta(minutes=75)
_CHUNK = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_MOST_TARGETS, _LEAST_SHARE = 4, 0.01

Progress = Callable[[str, float], None]
"""Is told what goes on, and which share of it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied: calls of [first, end), of which those from `start` on are judged."""

    first: datetime
    start: datetime
    end: datetime
    calls: int


def copy(store: Store, settings: Settings, folder: Path, learn: timedelta, judge: timedelta, progress: Progress) -> Copied:
    """Write the newest calls to files of the folder, one an hour. Raises ConfigError that says what is missing."""
    span = span_of_calls(store)
    if span is None:
        raise ConfigError("alerts rehearse", "the store holds no calls; import some, or run `tpscope serve` first")
    end = floor_to(span[1], _MINUTE)
    first = max(floor_to(span[0], _MINUTE) + _MINUTE, end - learn - judge)
    start = max(end - judge, first + settings.detection.min_history)
    if end - start < 2 * APART:
        problem = (
            f"calls of {(end - first) / timedelta(days=1):.1f} days are kept; detection.min_history and 3 hours are needed"
        )
        raise ConfigError("alerts rehearse", problem)
    copied, at = 0, first
    while at < end:
        until = min(at + _CHUNK, end)
        calls = read_calls(store, at, until, limit=MOST_CALLS)
        copied += calls.num_rows
        if copied > MOST_CALLS:
            raise ConfigError(
                "alerts rehearse", f"the span has more than {MOST_CALLS:,} calls; give a shorter --learn and --for"
            )
        pq.write_table(calls, folder / f"{int(at.timestamp()):012}.parquet", compression="zstd")
        progress("copying", (until - first) / (end - first))
        at = until
    return Copied(first=first, start=start, end=end, calls=copied)


def rehearse(folder: Path, copied: Copied, settings: Settings, count: int, seed: int, progress: Progress) -> Rehearsed:
    """Put `count` faults into the copy, replay it, and see what was told. The process must have no embedded store open."""
    rng = np.random.default_rng(seed)
    plan = planned(_busiest(folder), copied.start, copied.end, count, rng)
    length = copied.end - copied.start
    with _scratch(folder) as scratch:
        _fill(scratch, folder, plan, rng, progress)
        write_definitions(scratch, settings.definitions, copied.first, 0)
        count_minutes(scratch, settings, copied.first, copied.end, copied.end, 0)
        told = replay(
            scratch,
            _heard(settings),
            copied.start,
            copied.end,
            lambda at: progress("judging", (at - copied.start) / length),
        )
    rules = judged([rule.name for rule in settings.rules], plan, told, length)
    return Rehearsed(start=copied.start, end=copied.end, calls=copied.calls, faults=first_told(plan, told), rules=rules)


def planned(
    values: Mapping[str, Sequence[str]], start: datetime, end: datetime, count: int, rng: np.random.Generator
) -> list[Fault]:
    """`count` faults, each kind as often as the others, evenly spread with some play; fewer where they would come too close.

    `values` are the busiest of each dimension; a kind that falls on none of them is left out.
    """
    kinds = [kind for kind in FaultKind if any(values.get(name) for name in SHAPES[kind].dimensions)]
    longest = max((SHAPES[kind].lasts for kind in kinds), default=APART)
    count = min(count, (end - start) // (longest + APART)) if kinds else 0
    found = []
    for number in range(count):
        kind, room = kinds[number % len(kinds)], (end - start) / count
        dimension = next(name for name in SHAPES[kind].dimensions if values.get(name))
        play_s = max((room - SHAPES[kind].lasts - APART).total_seconds(), 0.0)
        at = start + number * room + timedelta(seconds=int(rng.uniform(0.0, play_s)))
        value = values[dimension][int(rng.integers(len(values[dimension])))]
        found.append(Fault(kind=kind, start=at, dimension=dimension, value=value))
    return found


def _busiest(folder: Path) -> dict[str, list[str]]:
    """The busiest values of each dimension that a fault may fall on, as far as they matter."""
    found: dict[str, list[str]] = {}
    for name in sorted({name for shape in SHAPES.values() for name in shape.dimensions}):
        column = pa.chunked_array([one for path in _files(folder) for one in pq.read_table(path, columns=[name])[name].chunks])
        counts = pc.value_counts(column.cast(pa.string()).combine_chunks()).to_pylist()
        known = sorted(((one["counts"], one["values"]) for one in counts if one["values"]), reverse=True)
        total = sum(calls for calls, _ in known)
        found[name] = [value for calls, value in known[:_MOST_TARGETS] if calls >= _LEAST_SHARE * total]
    return found


@contextmanager
def _scratch(folder: Path) -> Iterator[Store]:
    url = f"chdb://{folder / 'store'}"
    store = open_store(StoreSettings(url=url, query_timeout=timedelta(minutes=10)), owner=True)
    try:
        migrate(store, None)
        yield store
    finally:
        store.close()


def _fill(store: Store, folder: Path, plan: Sequence[Fault], rng: np.random.Generator, progress: Progress) -> None:
    """The calls with the faults, under identities of their own; a file's calls are written at once."""
    written, files = 0, _files(folder)
    with bulk_insert(store):
        for number, path in enumerate(files):
            calls = pq.read_table(path)
            for fault in plan:
                calls = inject(calls, fault, rng)
            size = calls.num_rows
            for name, values in (
                ("topic", pa.array([TOPIC] * size)),
                ("partition", pa.array(np.zeros(size, dtype=np.int32))),
                ("offset", pa.array(np.arange(written, written + size))),
            ):
                field = calls.schema.field(name)
                calls = calls.set_column(calls.schema.get_field_index(name), field, values.cast(field.type))
            insert_calls(store, calls)
            written += size
            progress("writing", (number + 1) / len(files))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def _heard(settings: Settings) -> Settings:
    """The settings with somebody to tell: a rule that is not routed yet is rehearsed as well. Nothing is sent."""
    return settings if settings.receivers else settings.model_copy(update={"receivers": (nobody(),)})


def nobody() -> ReceiverSettings:
    """A receiver that stands for whoever would be told."""
    return ReceiverSettings.model_validate({"name": "rehearsal", "url": "http://127.0.0.1:9/"})
