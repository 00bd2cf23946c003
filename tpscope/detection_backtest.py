"""`tpscope backtest detect`: how many alarms a week the detection would have raised on the stored history, and on what."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table

from analytics.jobs import AnalysisReport
from core.config import AnomalyRule, Settings
from core.types import Anomaly
from tpscope.analyzing import analyzed, span_of
from tpscope.options import print_json
from tpscope.reading import reading

_WEEK_MINUTES = 7 * 24 * 60
_MOST_SERIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRates:
    """Alarms a week; a rule counts the anomalies that it would have opened an incident for."""

    weeks: float
    anomalies: int
    by_rule: Mapping[str, float]
    by_series: Mapping[str, float]
    by_hint: Mapping[str, float]


def run_detection_backtest(settings: Settings, start: datetime | None, end: datetime | None, *, as_json: bool) -> int:
    """Judge the span (none given: all stored minutes) and print the rates; nothing is written to the store."""
    with reading(settings) as store:
        first, last = span_of(store, start, end)
        report = analyzed(store, first, last, settings, keep=False)
    rates = alarm_rates(report, settings)
    if as_json:
        print_json({name: getattr(rates, name) for name in AlarmRates.__slots__})
    else:
        _print(rates)
    return 0


def alarm_rates(report: AnalysisReport, settings: Settings) -> AlarmRates:
    weeks = report.minutes / _WEEK_MINUTES
    rules = [rule for rule in settings.rules if isinstance(rule, AnomalyRule)] or [AnomalyRule(kind="anomaly", name="anomaly")]
    return AlarmRates(
        weeks=weeks,
        anomalies=len(report.anomalies),
        by_rule={rule.name: _a_week(sum(_fires(rule, one) for one in report.anomalies), weeks) for rule in rules},
        by_series=_rates((f"{one.metric} of {one.selector.words}" for one in report.anomalies), weeks),
        by_hint=_rates((one.hint or "no hint" for one in report.anomalies), weeks),
    )


def _fires(rule: AnomalyRule, anomaly: Anomaly) -> bool:
    return (
        anomaly.severity >= rule.min_severity
        and (not rule.metrics or anomaly.metric in rule.metrics)
        and rule.selector.items() <= anomaly.selector.labels.items()
    )


def _rates(names: Iterable[str], weeks: float) -> dict[str, float]:
    return {name: _a_week(count, weeks) for name, count in Counter(names).most_common()}


def _a_week(count: int, weeks: float) -> float:
    return round(count / weeks, 2) if weeks > 0 else 0.0


def _print(rates: AlarmRates) -> None:
    console = Console()
    for title, held in (("rule", rates.by_rule), ("series", rates.by_series), ("looks like", rates.by_hint)):
        table = Table(title, "alarms a week")
        for name, rate in list(held.items())[:_MOST_SERIES]:
            table.add_row(name, f"{rate:g}")
        console.print(table)
    console.print(f"{rates.anomalies} anomalies in {rates.weeks:.1f} weeks judged", highlight=False)
