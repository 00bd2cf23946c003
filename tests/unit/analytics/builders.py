"""Inputs for the tests of analytics: hand-made minutes, panels of a made-up season, and models trained on simulated traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from analytics.baseline import Baselines, Expected
from analytics.detect import MinuteVerdict
from analytics.detector import DetectorState, judge_span
from analytics.features import DETECTION_METRICS, Panel, align, stack, to_panel, transform
from analytics.fit import fit_baselines
from analytics.summary import join, summarise
from analytics.trained import Trained, refine
from core.config import DetectionSettings
from core.series import Selector
from core.types import Anomaly, BaselineVersion
from tests.support.traffic import Incident, Traffic

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
MIN_CALLS = 5.0
SETTINGS = DetectionSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One series of a hand-made minute: what was seen and expected, how many calls, how far out (1.0: the edge)."""

    value: float
    expected: float
    strength: float = 0.0


def minute_of(
    rows: Mapping[Selector, Mapping[str, Point]],
    calls: Mapping[Selector, float],
    at: datetime = MONDAY,
    metrics: Sequence[str] = DETECTION_METRICS,
    score: Mapping[Selector, float] | None = None,
) -> MinuteVerdict:
    """A judged minute; series that are not named are as expected. `calls` are those expected, `score` the largest strength."""
    selectors = tuple(rows)
    shape = (len(metrics), len(selectors))
    values, expected, strengths = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for column, selector in enumerate(selectors):
        for line, metric in enumerate(metrics):
            usual = calls[selector] / 60.0 if metric == "tps" else 1.0
            point = rows[selector].get(metric, Point(value=usual, expected=usual))
            values[line, column], expected[line, column], strengths[line, column] = point.value, point.expected, point.strength
    seen = np.array([60.0 * values[metrics.index("tps"), column] for column in range(len(selectors))])
    center = {metric: transform(metric, expected[line][:, None]) for line, metric in enumerate(metrics)}
    model = Expected(
        center=center,
        flat=center,
        scale={metric: np.full((len(selectors), 1), 0.3) for metric in metrics},
        calls=np.array([[calls[selector]] for selector in selectors]),
    )
    scores = np.array([(score or {}).get(selector, strengths[:, row].max()) for row, selector in enumerate(selectors)])
    return MinuteVerdict(
        at=at,
        selectors=selectors,
        metrics=tuple(metrics),
        calls=seen,
        expected_calls=np.array([calls[selector] for selector in selectors]),
        values=values,
        expected=expected,
        strengths=strengths,
        faints=strengths,
        score=scores,
        sure=np.ones(len(selectors), dtype=np.bool_),
        model=model,
        index=0,
    )


def seasonal_panel(days: int, seed: int = 1, rate: float = 60.0, growth: float = 0.0) -> Panel:
    """One selection: a sine over the day (half to one and a half of `rate` calls a minute), quiet weekends, Poisson noise."""
    rng = np.random.default_rng(seed)
    minute = np.arange(days * 1440)
    shape = 1.0 + 0.5 * np.sin(2 * np.pi * minute / 1440)
    weekend = np.where((minute // 1440) % 7 >= 5, 0.5, 1.0)
    calls = rng.poisson(rate * shape * weekend * (1.0 + growth) ** (minute / 1440))[None, :].astype(float)
    latency = 100.0 * rng.lognormal(0.0, 0.6 / np.sqrt(np.maximum(calls, 1.0)))
    errors = rng.binomial(calls.astype(int), 0.01) / np.maximum(calls, 1.0)
    values = {"tps": calls / 60.0, "error_rate": errors, "latency_p50": latency}
    return Panel(selectors=(Selector(),), start=MONDAY, calls=calls, values=values)


def baselines_of(panel: Panel, time_zone: str = "UTC", min_history: timedelta = 2 * DAY) -> Baselines:
    return fit_baselines(summarise(panel, MIN_CALLS), time_zone, min_history=min_history, min_calls=MIN_CALLS)


def traffic_panel(frames: Mapping[tuple[str, ...], pd.DataFrame], first_day: int, last_day: int) -> Panel:
    start, end = MONDAY + first_day * DAY, MONDAY + last_day * DAY
    return stack([to_panel(frame, by, start, end, DETECTION_METRICS) for by, frame in frames.items()])


def train(frames: Mapping[tuple[str, ...], pd.DataFrame], days: int) -> Trained:
    """What the service would have learned after `days` days of this traffic."""
    summary = join([summarise(traffic_panel(frames, day, day + 1), MIN_CALLS) for day in range(days)])
    baselines = fit_baselines(summary, "UTC", min_history=2 * DAY, min_calls=MIN_CALLS)
    recent = align(traffic_panel(frames, max(days - 3, 0), days), baselines.selectors)
    baselines, forest = refine(baselines, recent, np.ones(recent.minutes, dtype=np.bool_), SETTINGS)
    end = MONDAY + days * DAY
    return Trained(
        version=BaselineVersion(version="v1", built_at=end, trained_from=MONDAY, trained_to=end, series=1),
        baselines=baselines,
        forest=forest,
    )


def judged_days(
    traffic: Traffic, trained: Trained, first_day: int, last_day: int, incidents: Sequence[Incident] = ()
) -> list[Anomaly]:
    """Anomalies of the days in their last state, in order of time."""
    panel = traffic_panel(traffic.panels(first_day, last_day, incidents), first_day, last_day)
    _, found = judge_span(trained, panel, DetectorState(), SETTINGS)
    return sorted(found, key=lambda anomaly: anomaly.started_at)
