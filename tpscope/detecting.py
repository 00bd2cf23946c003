"""`tpscope detect`: files of `timestamp,value` judged point by point, each point from those before it alone."""

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

from analytics.univariate import Cadence, Detector, Judged, detect, step_of
from core.errors import ConfigError
from tpscope.series_files import Recorded, SeriesFile, find_series, read_series_file, refuse_overwriting, write_result
from tpscope.spreading import spread

_FEWEST, _MOST = 32, 128
"""Series that are judged at once: fewer take as long as these, more cost memory and save little."""

_DIGITS = 9
"""Of the figures that are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of one file; `problem` says why it was not judged."""

    file: str
    output: str
    points: int = 0
    alarms: int = 0
    problem: str | None = None


def run_detect(source: Path, out: Path, jobs: int, *, as_json: bool, scheduler: str | None = None) -> int:
    """Judge the file, or all files of the folder; exit code 2 when one could not be read (the others are written).

    With a `scheduler` the workers of that Dask cluster do it (`spreading.spread`), which must see the same folders.
    """
    files = find_series(source)
    refuse_overwriting(files, out)
    _make(out)
    with spread(jobs, scheduler) as tasks, _progress(len(files)) as done:
        together = _chunk(len(files), tasks)
        chunks = [files[first : first + together] for first in range(0, len(files), together)]
        found = _judged(chunks, out, min(tasks, len(chunks)), elsewhere=scheduler is not None)
        reports = [report for part in found for report in done(part)]
    if as_json:
        from tpscope.options import print_json

        print_json([asdict(report) for report in reports])
    return _told(reports, out)


def judge_files(files: Sequence[SeriesFile], out: Path) -> list[FileReport]:
    """Read, judge and write some files; those of one step are judged together."""
    reports: list[FileReport] = []
    by_step: dict[float, list[tuple[SeriesFile, Recorded]]] = defaultdict(list)
    for file in files:
        try:
            series = read_series_file(file.path)
        except ConfigError as error:
            reports.append(_failed(file, out, error))
            continue
        by_step[step_of(series.seconds)].append((file, series))
    for step_s, together in by_step.items():
        reports += _judge_together(step_s, together, out)
    return reports


def _judge_together(step_s: float, together: list[tuple[SeriesFile, Recorded]], out: Path) -> list[FileReport]:
    longest = max(len(series.values) for _, series in together)
    values = np.full((longest, len(together)), np.nan)
    seconds = np.zeros((longest, len(together)), np.int64)
    for column, (_, series) in enumerate(together):
        values[: len(series.values), column] = series.values
        seconds[: len(series.values), column] = series.seconds
    judged = detect(Detector(len(together), Cadence.of(step_s)), values, seconds)
    return [_written(file, _verdicts(series, judged, column), out) for column, (file, series) in enumerate(together)]


def _verdicts(series: Recorded, judged: Judged, column: int) -> pd.DataFrame:
    """The lines of one series, with what was judged of it."""
    rows = slice(0, len(series.values))
    return pd.DataFrame(
        {
            "timestamp": series.stamps,
            "value": series.texts,
            "score": judged.score[rows, column],
            "severity": judged.severity[rows, column],
            "is_anomaly": judged.anomalous[rows, column].astype(int),
            "expected": judged.expected[rows, column],
            "lower": judged.lower[rows, column],
            "upper": judged.upper[rows, column],
        }
    )


def _written(file: SeriesFile, verdicts: pd.DataFrame, out: Path) -> FileReport:
    try:
        output = write_result(out, file, verdicts, digits=_DIGITS)
    except ConfigError as error:
        return _failed(file, out, error)
    alarms = int(verdicts["is_anomaly"].sum())
    return FileReport(file=str(file.path), output=str(output), points=len(verdicts), alarms=alarms)


def _failed(file: SeriesFile, out: Path, error: ConfigError) -> FileReport:
    return FileReport(file=str(file.path), output=str(out / file.relative), problem=str(error))


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("--out", f"{str(out)!r} cannot be made a folder: {error.strerror}") from error


def _chunk(files: int, tasks: int) -> int:
    """How many files together: so many that all processes are busy, within bounds."""
    return min(max(_FEWEST, -(-files // tasks)), _MOST)


def _judged(chunks: Sequence[Sequence[SeriesFile]], out: Path, tasks: int, *, elsewhere: bool) -> Iterator[list[FileReport]]:
    if tasks == 1 and not elsewhere:
        return (judge_files(chunk, out) for chunk in chunks)
    found: Iterator[list[FileReport]] = Parallel(n_jobs=tasks, return_as="generator")(
        delayed(judge_files)(chunk, out) for chunk in chunks
    )
    return found


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
