"""How fast minutes are judged, and how well: `python -m benchmarks.bench_detect [--selections 1000] [--seeds 101 102 103 104]`.

Speed: minutes of made-up traffic of many selections with eight metrics each, one after the other as the job does it (range,
forest, silence and state machine; without the store). The reference is scikit-learn's `score_samples` of a forest of that size
on as many rows: what judging by a forest alone would cost. Quality: simulated traffic (`tests/support/traffic.py`: 59
selections, 5 calls a second) of seeds not tuned on; 14 days are learned, two calm days judged, then three with a fault
about every 100 minutes; the references are what was aimed at. A delay of 0 is an anomaly open after the fault's first minute.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from sklearn.ensemble import IsolationForest

from analytics.baseline import SLOTS, Baselines
from analytics.detect import judge
from analytics.detector import DetectorState, judge_span
from analytics.features import DETECTION_METRICS, Panel
from analytics.fit import fit_baselines
from analytics.forest import features, fit_forest
from analytics.summary import join, summarise
from analytics.trained import Trained
from core.series import METRICS, Selector
from core.types import Anomaly, BaselineVersion
from tests.support.traffic import DAY_MINUTES, JUDGEMENT_SEEDS, NAMES, Incident, Kind, Traffic
from tests.unit.analytics.builders import MIN_CALLS, MONDAY, SETTINGS, judged_days, traffic_panel, train

LEARNED_DAYS = 14
CALM_DAYS, FAULTY_DAYS = 2, 3
KINDS: tuple[Kind, ...] = ("provider_failure", "latency_creep", "surge", "token_runaway", "silent_route")
_LENGTH = {"provider_failure": 15, "latency_creep": 25, "surge": 15, "token_runaway": 20, "silent_route": 20}
_DIMENSION = {"provider_failure": "provider", "latency_creep": "provider", "token_runaway": "model", "silent_route": "route"}
_MAGNITUDE = {"latency_creep": 3.0, "surge": 3.0, "token_runaway": 5.0, "silent_route": 0.0}


def main() -> None:
    parser = argparse.ArgumentParser(description="speed and quality of detection")
    parser.add_argument("--selections", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(JUDGEMENT_SEEDS))
    options = parser.parse_args()
    speed(options.selections, options.minutes)
    quality(options.seeds)


def speed(selections: int, minutes: int) -> None:
    panel, trained = made_up(selections, minutes)
    state = DetectorState()
    started = time.perf_counter()
    for minute in range(minutes):
        state, _ = judge_span(trained, panel.slice(minute, minute + 1), state, SETTINGS)
    each = (time.perf_counter() - started) / minutes
    rows = features(np.random.default_rng(5).normal(0.0, 1.5, (selections, len(DETECTION_METRICS))), DETECTION_METRICS)
    grown = IsolationForest(n_estimators=SETTINGS.trees, max_samples=512, random_state=1).fit(rows.astype(np.float32))
    started = time.perf_counter()
    for _ in range(10):
        grown.score_samples(rows.astype(np.float32))
    reference = (time.perf_counter() - started) / 10
    result(f"detect_minute_{selections}_selections", each, "s", reference)
    started = time.perf_counter()
    for _ in range(10):
        trained.forest.raw(rows)
    result(f"forest_score_{selections}_rows", (time.perf_counter() - started) / 10, "s", reference)
    started = time.perf_counter()
    judge(panel, trained.baselines, trained.forest, MIN_CALLS)
    result(f"judge_{minutes}_minutes_at_once_per_minute", (time.perf_counter() - started) / minutes, "s", reference)


def made_up(selections: int, minutes: int) -> tuple[Panel, Trained]:
    """Traffic of many selections from 2 to 200 calls a minute, and what is expected of it."""
    rng = np.random.default_rng(3)
    rate = np.exp(rng.uniform(np.log(2.0), np.log(200.0), selections))
    names = tuple(Selector.of(tenant=f"tenant-{number:05d}") for number in range(selections - 1))
    selectors = (Selector(), *names)
    level = {metric: np.full(selections, 1.0) for metric in DETECTION_METRICS}
    center = {metric: np.repeat(np.log1p(100.0 * values)[:, None], SLOTS, axis=1) for metric, values in level.items()}
    scale = {metric: np.full((selections, SLOTS), 0.25) for metric in DETECTION_METRICS}
    center["tps"] = np.repeat(np.log1p(rate)[:, None], SLOTS, axis=1)
    scale["tps"] = np.sqrt(1.0 / np.maximum(rate, 1.0) + 0.01)[:, None] * np.ones(SLOTS)
    for metric in ("error_rate", "rate_limited_rate", "cache_hit_rate"):
        center[metric] = np.full((selections, SLOTS), 0.2)
        scale[metric] = np.sqrt(1.0 / rate)[:, None] * np.ones(SLOTS)
    calls = rng.poisson(rate[:, None], (selections, minutes)).astype(float)
    values = {"tps": calls / 60.0}
    for metric in DETECTION_METRICS[1:]:
        if metric.endswith("_rate"):
            values[metric] = rng.binomial(np.maximum(calls, 1).astype(int), 0.01) / np.maximum(calls, 1)
        else:
            usual = 100.0 / 60.0 if metric == "tokens_per_s" else 0.01 if metric == "cost_per_h" else 100.0
            values[metric] = usual * np.exp(rng.normal(0.0, 0.2, calls.shape))
        if not METRICS[metric].zero_when_idle:
            values[metric] = np.where(calls > 0, values[metric], np.nan)
    baselines = Baselines(selectors=selectors, time_zone="UTC", center=center, scale=scale, samples=scale)
    panel = Panel(selectors=selectors, start=MONDAY, calls=calls, values=values)
    deviations = rng.normal(size=(60_000, len(DETECTION_METRICS)))
    forest = fit_forest(deviations, DETECTION_METRICS, trees=SETTINGS.trees, quantile=SETTINGS.threshold_quantile, seed=7)
    version = BaselineVersion(version="v", built_at=MONDAY, trained_from=MONDAY, trained_to=MONDAY, series=selections)
    return panel, Trained(version=version, baselines=baselines, forest=forest)


def quality(seeds: list[int]) -> None:
    delays: dict[Kind, list[float]] = defaultdict(list)
    named: dict[Kind, list[bool]] = defaultdict(list)
    calm, stray, seconds = 0, 0, []
    for seed in seeds:
        traffic = Traffic(seed, LEARNED_DAYS + CALM_DAYS + FAULTY_DAYS)
        frames = traffic.panels(0, LEARNED_DAYS)
        started = time.perf_counter()
        trained = train(frames, LEARNED_DAYS)
        seconds.append(time.perf_counter() - started)
        calm += len(judged_days(traffic, trained, LEARNED_DAYS, LEARNED_DAYS + CALM_DAYS))
        first = LEARNED_DAYS + CALM_DAYS
        faults = scheduled(seed, first, first + FAULTY_DAYS)
        found = opened(traffic, trained, first, first + FAULTY_DAYS, faults)
        explained = set[str]()
        for fault in faults:
            began, over = traffic.at(fault.start), traffic.at(fault.start + fault.minutes + 3)
            ours = [(at, anomaly) for at, anomaly in found if began <= at < over]
            explained.update(anomaly.id for _, anomaly in ours)
            delays[fault.kind].append((ours[0][0] - began) / timedelta(minutes=1) if ours else np.inf)
            dimension = _DIMENSION.get(fault.kind)
            name = f'{dimension}="{NAMES[dimension][fault.target]}"' if dimension else ""
            named[fault.kind].append(bool(ours) and str(ours[0][1].selector) == name)
        stray += sum(anomaly.id not in explained for _, anomaly in found)
    print(f"{'fault':<18}{'faults':>7}{'found':>7}{'named':>7}{'median delay':>14}{'largest':>9}  (minutes)")
    for kind in KINDS:
        delay = np.array(delays[kind])
        share, right = float(np.isfinite(delay).mean()), float(np.mean(named[kind]))
        worst = float(delay[np.isfinite(delay)].max())
        print(f"{kind:<18}{len(delay):>7}{share:>7.0%}{right:>7.0%}{np.median(delay):>14.0f}{worst:>9.0f}")
        result(f"detect_found_{kind}", share, "1", 0.9)
        result(f"detect_delay_{kind}", float(np.median(delay)), "min", 1.0 if kind != "latency_creep" else 5.0)
        result(f"detect_named_{kind}", right, "1", 0.8)
    result("detect_false_alarms_calm", calm / (CALM_DAYS * len(seeds)), "1/day", 1.0)
    result("detect_false_alarms_between_faults", stray / (FAULTY_DAYS * len(seeds)), "1/day", 1.0)
    result("train_14_days_59_selections", float(np.median(seconds)), "s", 25.0)
    result("baselines_14_days_100_selections", wide_baselines(100), "s", 25.0)


def opened(
    traffic: Traffic, trained: Trained, first_day: int, last_day: int, faults: list[Incident]
) -> list[tuple[datetime, Anomaly]]:
    """Anomalies in their last state with the minute in which each was opened, in order."""
    panel = traffic_panel(traffic.panels(first_day, last_day, faults), first_day, last_day)
    state, when, last = DetectorState(), dict[str, datetime](), dict[str, Anomaly]()
    for minute in range(panel.minutes):
        state, changed = judge_span(trained, panel.slice(minute, minute + 1), state, SETTINGS)
        for anomaly in changed:
            when.setdefault(anomaly.id, panel.start + timedelta(minutes=minute))
            last[anomaly.id] = anomaly
    return [(when[name], last[name]) for name in when]


def scheduled(seed: int, first_day: int, last_day: int) -> list[Incident]:
    """Faults of every kind in turn, 80 to 130 minutes apart, at every hour of the day."""
    rng = np.random.default_rng([seed, 99])
    at, faults = first_day * DAY_MINUTES + 60, list[Incident]()
    while at < last_day * DAY_MINUTES - 120:
        kind = KINDS[len(faults) % len(KINDS)]
        target = int(rng.integers(len(NAMES[_DIMENSION[kind]]))) if kind in _DIMENSION else 0
        magnitude = _MAGNITUDE.get(kind, float(rng.uniform(0.6, 1.0)))
        faults.append(Incident(kind=kind, start=at, minutes=_LENGTH[kind], target=target, magnitude=magnitude))
        at += int(rng.integers(80, 130))
    return faults


def wide_baselines(selections: int) -> float:
    """Seconds to summarise 14 days of minutes and fit the baselines of that many selections, without the store."""
    traffic = Traffic(1, 7)
    frames = traffic.panels(0, 7)
    days = [traffic_panel(frames, day, day + 1) for day in range(7)]
    wide = [_repeated(panel, selections) for panel in days]
    two_weeks = [*wide, *(replace(panel, start=panel.start + timedelta(days=7)) for panel in wide)]
    started = time.perf_counter()
    summary = join([summarise(panel, MIN_CALLS) for panel in two_weeks])
    fit_baselines(summary, "UTC", min_history=timedelta(days=2), min_calls=MIN_CALLS)
    return time.perf_counter() - started


def _repeated(panel: Panel, selections: int) -> Panel:
    rows = np.arange(selections) % len(panel.selectors)
    return Panel(
        selectors=tuple(Selector.of(tenant=f"t{number}") for number in range(selections)),
        start=panel.start,
        calls=panel.calls[rows],
        values={name: matrix[rows] for name, matrix in panel.values.items()},
    )


def result(name: str, value: float, unit: str, reference: float) -> None:
    print(f"RESULT name={name} value={value:.6g} unit={unit} reference={reference:.6g}", flush=True)


if __name__ == "__main__":
    main()
