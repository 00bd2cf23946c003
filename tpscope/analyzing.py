"""`tpscope analyze`: stored history judged as if it were live."""

import sys
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analytics.jobs import AnalysisReport, analyze
from core.config import Settings
from core.errors import ConfigError
from storage.contract import Store
from storage.priority import COMMANDS, parted
from storage.series import data_span
from tpscope.reading import reading

_EPOCH = 0
"""Below every jobs process: what an analysis says of the past never displaces what was said live."""


def run_analyze(settings: Settings, start: datetime | None, end: datetime | None, *, as_json: bool) -> int:
    """Judge the span (none given: all stored minutes), write and print its anomalies; exit code 1 when there are any."""
    with reading(settings) as store:
        first, last = span_of(store, start, end)
        report = analyzed(store, first, last, settings)
    if as_json:
        from tpscope.options import print_json

        print_json(_json(report))
    else:
        _print(report)
    return 1 if report.anomalies else 0


def span_of(store: Store, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """The span that was asked for, by default all stored minutes. Raises ConfigError where there is nothing in it."""
    known = data_span(store)
    if known is None:
        raise ConfigError("analyze", "the store holds no calls; import some, or run `tpscope serve` first")
    first, last = start or known[0], end or known[1]
    if last <= first:
        raise ConfigError("--until", f"{last.isoformat()} is not after {first.isoformat()}")
    return first, last


def analyzed(store: Store, first: datetime, last: datetime, settings: Settings, *, keep: bool = True) -> AnalysisReport:
    """`analytics.jobs.analyze` with a progress bar on a terminal."""
    with parted(store, COMMANDS) as read:
        return _watched(read, first, last, settings, keep=keep)


def _watched(store: Store, first: datetime, last: datetime, settings: Settings, *, keep: bool) -> AnalysisReport:
    if not sys.stderr.isatty():
        return analyze(store, first, last, settings, _EPOCH, keep=keep)
    columns = (TextColumn("judging"), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=(last - first).total_seconds())
        return analyze(
            store,
            first,
            last,
            settings,
            _EPOCH,
            lambda at: bar.update(task, completed=(at - first).total_seconds()),
            keep=keep,
        )


def _json(report: AnalysisReport) -> dict[str, object]:
    return {
        "minutes": report.minutes,
        "learning_minutes": report.learning,
        "anomalies": [
            {
                "started_at": anomaly.started_at.isoformat(),
                "ended_at": anomaly.ended_at.isoformat() if anomaly.ended_at else None,
                "metric": anomaly.metric,
                "selector": anomaly.selector.labels,
                "score": anomaly.score,
                "severity": anomaly.severity,
                "hint": anomaly.hint,
                "causes": [{"selector": cause.selector.labels, "share": cause.share} for cause in anomaly.causes],
                "explanation": anomaly.explanation,
            }
            for anomaly in report.anomalies
        ],
    }


def _print(report: AnalysisReport) -> None:
    console = Console(soft_wrap=True)
    for anomaly in report.anomalies:
        console.print(f"{anomaly.started_at:%Y-%m-%d %H:%M}  severity {anomaly.severity:.2f}  {escape(anomaly.explanation)}")
    learning = f"; {report.learning:,} more had too little history before them" if report.learning else ""
    console.print(f"{len(report.anomalies)} anomalies in {report.minutes:,} minutes{learning}", highlight=False)
