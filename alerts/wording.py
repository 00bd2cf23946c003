"""What incidents are called and how they are summed up, in plain words: what, where, since when, how bad against what."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.config import ThresholdRule
from core.series import METRICS, Direction, Selector, is_sample, metric_of
from core.types import Anomaly
from render.units import format_range, format_span, format_time, format_value


def threshold_title(rule: ThresholdRule, selector: Selector) -> str:
    """`Error rate above 5 %: service chat`; the same for as long as the incident lasts."""
    metric = METRICS[rule.metric]
    side, limit = ("above", rule.above) if rule.above is not None else ("below", rule.below)
    return f"{metric.title} {side} {format_value(float(limit or 0.0), metric.unit)}: {selector.words}"


def threshold_summary(rule: ThresholdRule, value: float, since: datetime, at: datetime, calls: int, zone: ZoneInfo) -> str:
    """How bad it was in the window that ended at `at`, with `calls` calls in it, and since when."""
    metric = METRICS[rule.metric]
    bound, limit = ("at most", rule.above) if rule.above is not None else ("at least", rule.below)
    window = "in the minute" if rule.window == timedelta(minutes=1) else f"over the {format_span(rule.window)}"
    return (
        f"{metric.title} was {format_value(value, metric.unit)} {window} to {moment(at, zone)} ({calls:,} calls); it should be "
        f"{bound} {format_value(float(limit or 0.0), metric.unit)}. Since {moment(since, zone)}."
    )


def anomaly_title(anomaly: Anomaly) -> str:
    """`Error rate higher than expected: provider openai`."""
    said = f"{metric_of(anomaly.metric).title} {anomaly_side(anomaly)} than expected"
    return said if is_sample(anomaly.metric) else f"{said}: {anomaly.selector.words}"


def anomaly_summary(anomaly: Anomaly, zone: ZoneInfo) -> str:
    """The detector's own explanation; where it has none, the leading series in a sentence."""
    if anomaly.explanation:
        return anomaly.explanation
    metric = metric_of(anomaly.metric)
    expected = format_range(anomaly.lower, anomaly.upper, metric.unit)
    return (
        f"{metric.title} of {anomaly.selector.words} was {format_value(anomaly.observed, metric.unit)}; expected {expected}. "
        f"Since {moment(anomaly.started_at, zone)}."
    )


def anomaly_side(anomaly: Anomaly) -> str:
    """`higher` or `lower`."""
    if anomaly.direction is Direction.BOTH:
        return "lower" if anomaly.observed < anomaly.expected else "higher"
    return "lower" if anomaly.direction is Direction.LOW else "higher"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """`2026-03-01 14:05 CET`."""
    return f"{format_time(at, zone)} {at.astimezone(zone).tzname()}"
