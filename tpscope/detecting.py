"""`tpscope detect`: files of `timestamp,value` judged point by point, each point from those before it alone."""

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from analytics.univariate import Cadence, Detector, detect, step_of
from core.errors import ConfigError
from tpscope.series_csv import SeriesFile, find_series, read_series

_FEWEST, _MOST = 32, 128
"""Series that are judged at once: fewer take as long as these, more cost memory and save little."""

Job = tuple[Path, Path]
"""A file and where its verdicts go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of one file; `problem` says why it was not judged."""

    file: str
    output: str
    points: int = 0
    alarms: int = 0
    problem: str | None = None


def run_detect(source: Path, out: Path, jobs: int, *, as_json: bool) -> int:
    """Judge the file, or all files of the folder; exit code 2 when one could not be read (the others are written)."""
    files = [(path, out / output) for path, output in find_series(source)]
    if any(path.resolve() == output.resolve() for path, output in files):
        raise ConfigError("--out", f"{str(out)!r} would overwrite what is read; name another folder")
    _make(out)
    chunks = [files[first : first + _chunk(len(files), jobs)] for first in range(0, len(files), _chunk(len(files), jobs))]
    with _progress(len(files)) as done:
        reports = [report for found in _judged(chunks, jobs) for report in done(found)]
    if as_json:
        from tpscope.options import print_json

        print_json([asdict(report) for report in reports])
    return _told(reports, out)


def judge_files(files: Sequence[Job]) -> list[FileReport]:
    """Read, judge and write some files; those of one step are judged together."""
    reports: list[FileReport] = []
    by_step: dict[float, list[tuple[Job, SeriesFile]]] = defaultdict(list)
    for path, output in files:
        try:
            series = read_series(path)
        except ConfigError as error:
            reports.append(FileReport(file=str(path), output=str(output), problem=str(error)))
            continue
        by_step[step_of(series.seconds)].append(((path, output), series))
    for step_s, together in by_step.items():
        reports += _judge_together(step_s, together)
    return reports


def _judge_together(step_s: float, together: list[tuple[Job, SeriesFile]]) -> list[FileReport]:
    longest = max(len(series.values) for _, series in together)
    values = np.full((longest, len(together)), np.nan)
    seconds = np.zeros((longest, len(together)), np.int64)
    for column, (_, series) in enumerate(together):
        values[: len(series.values), column] = series.values
        seconds[: len(series.values), column] = series.seconds
    judged = detect(Detector(len(together), Cadence.of(step_s)), values, seconds)
    reports = []
    for column, ((path, output), series) in enumerate(together):
        rows = slice(0, len(series.values))
        frame = pd.DataFrame(
            {
                "timestamp": series.times,
                "value": series.texts,
                "score": judged.score[rows, column],
                "severity": judged.severity[rows, column],
                "is_anomaly": judged.anomalous[rows, column].astype(int),
                "expected": judged.expected[rows, column],
                "lower": judged.lower[rows, column],
                "upper": judged.upper[rows, column],
            }
        )
        output.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(output, index=False, float_format="%.9g")
        alarms = int(frame["is_anomaly"].sum())
        reports.append(FileReport(file=str(path), output=str(output), points=len(frame), alarms=alarms))
    return reports


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("--out", f"{str(out)!r} cannot be made a folder: {error.strerror}") from error


def _chunk(files: int, jobs: int) -> int:
    """How many files together: so many that all processes are busy, within bounds."""
    return min(max(_FEWEST, -(-files // _processes(jobs))), _MOST)


def _processes(jobs: int) -> int:
    return jobs if jobs > 0 else os.cpu_count() or 1


def _judged(chunks: Sequence[Sequence[Job]], jobs: int) -> Iterator[list[FileReport]]:
    processes = min(_processes(jobs), len(chunks))
    if processes == 1:
        yield from map(judge_files, chunks)
        return
    yield from Parallel(n_jobs=processes, return_as="generator")(delayed(judge_files)(chunk) for chunk in chunks)


@contextmanager
def _progress(files: int) -> Iterator[Callable[[list[FileReport]], list[FileReport]]]:
    """What tells the bar that some files are done; without a terminal nothing is shown."""
    if not sys.stderr.isatty():
        yield lambda found: found
        return
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=files)

        def done(found: list[FileReport]) -> list[FileReport]:
            bar.advance(task, len(found))
            return found

        yield done


def _told(reports: list[FileReport], out: Path) -> int:
    problems = [report.problem for report in reports if report.problem is not None]
    for problem in problems:
        _say(f"tpscope: {problem}")
    judged = len(reports) - len(problems)
    if judged:
        points, alarms = sum(report.points for report in reports), sum(report.alarms for report in reports)
        _say(f"{judged:,} series, {points:,} points, {alarms:,} alarms; written to {out}")
    return 2 if problems else 0


def _say(line: str) -> None:
    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)
