"""`tpscope import`: past logs into the store, with a progress bar on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from core.clock import SystemClock
from core.config import Settings
from ingest.cardinality import build_guard
from ingest.formats import build_format
from ingest.importer import import_files
from storage.migrate import migrate
from storage.open import open_store
from tpscope.known import KnownValues
from tpscope.memory import lean_memory


def run_import(settings: Settings, files: list[Path], format_name: str, *, as_json: bool) -> int:
    """Import the files; exit code 1 when a file held records that could not be read, 2 when a file could not be used."""
    format_ = build_format(format_name, settings.formats)
    store = open_store(settings.store, owner=False)
    try:
        migrate(store, settings.retention)
        clock, guard = SystemClock(), build_guard(settings.cardinality)
        KnownValues(guard, store, settings, clock).seed()
        with _progress(files) as progress, lean_memory(store):
            report = import_files(store, files, format_, clock, progress, guard=guard)
    except KeyboardInterrupt:
        _say("tpscope: interrupted; the same command goes on from here")
        raise
    finally:
        store.close()
    if as_json:
        from tpscope.options import print_json

        print_json(asdict(report))
    else:
        for line in report.lines():
            prefix = "tpscope: " if line in report.problems else ""
            _say(prefix + line)
    if report.problems:
        return 2
    return 1 if report.rejected else 0


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress(files: list[Path]) -> Iterator[Any]:
    if not sys.stderr.isatty():
        yield lambda path, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), DownloadColumn(binary_units=True))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        tasks = {path: bar.add_task(path.name, total=None) for path in files}
        yield lambda path, done, total: bar.update(tasks[path], completed=done, total=total)
