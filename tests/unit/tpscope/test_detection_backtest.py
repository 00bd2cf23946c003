"""Alarms a week by rule, by series and by the kind of trouble."""

from datetime import timedelta

from analytics.jobs import AnalysisReport
from core.config import AnomalyRule, Settings
from core.series import Selector
from tests.unit.alerts.builders import anomaly
from tpscope.detection_backtest import alarm_rates


def test_rates_are_a_week_and_a_rule_counts_what_it_would_tell() -> None:
    slow = anomaly(severity=0.9, metric="latency_p95", selector=Selector.of(service="chat"), hint="slow provider")
    faint = anomaly(severity=0.3, metric="latency_p95", selector=Selector.of(service="chat"))
    report = AnalysisReport(
        anomalies=(slow, slow, faint), minutes=timedelta(weeks=2) // timedelta(minutes=1), learning=0, builds=14
    )
    rules = (
        AnomalyRule(kind="anomaly", name="chat", selector={"service": "chat"}),
        AnomalyRule(kind="anomaly", name="search", selector={"service": "search"}),
    )
    rates = alarm_rates(report, Settings(rules=rules))
    assert rates.weeks == 2.0
    assert rates.by_rule == {"chat": 1.0, "search": 0.0}
    assert rates.by_series == {"latency_p95 of service chat": 1.5}
    assert rates.by_hint == {"slow provider": 1.0, "no hint": 0.5}


def test_nothing_judged_has_no_rate() -> None:
    report = AnalysisReport(anomalies=(), minutes=0, learning=0, builds=0)
    assert alarm_rates(report, Settings()).by_rule == {"anomaly": 0.0}
