"""One tick of the detection job over 10,000 series, store and explanations included: `make bench-tick`.

Calls of a wide fleet (routes, models and tenants) lie in an embedded store; baselines of 1,250 selections with eight metrics
each are made from them. Then the job runs as in service: it reads the minute that is complete, judges it (with the hour before
it), asks the single calls about ten open anomalies, and writes what it found, its state and its cursor. The first tick reads
the hour before as well, as after a restart. References are what was aimed at; memory is the process's peak, filling included.
On a machine that does other work the processor time of a tick says more than its length.
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from analytics.baseline import SLOTS, Baselines
from analytics.detector import Detector, DetectorState
from analytics.evidence import Evidence
from analytics.features import BASELINE_METRICS, DETECTION_METRICS, Floats, Panel, transform
from analytics.forest import fit_forest
from analytics.jobs import DETECTOR, run_detection
from analytics.reading import read_minutes
from analytics.run_state import Run, RunState
from analytics.sustained import WINDOWS, Edges
from analytics.trained import Trained, save
from core.clock import FakeClock
from core.config import DetectionSettings, Settings, StoreSettings
from core.types import BaselineVersion
from storage.contract import Store
from storage.detector_state import read_state, write_state
from storage.migrate import migrate
from storage.open import open_store
from tpscope.history import fill_calls
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.scenario import Scenario, load_scenario

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_FILLED = timedelta(minutes=85)
_FIRST = START + timedelta(minutes=75)
_LATE = timedelta(seconds=65)
_TICKS = 5
_EXPLAINED = 10


def main() -> None:
    parser = argparse.ArgumentParser(description="one tick of detection over many series")
    parser.add_argument("--selections", type=int, default=1250)
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-tick-") as folder:
        settings = StoreSettings(url=f"chdb://{Path(folder) / 'store'}", query_timeout=timedelta(minutes=10))
        store = open_store(settings, owner=True)
        try:
            migrate(store, None)
            generator = TrafficGenerator(wide(options.selections), options.rate, START)
            fill_calls(store, generator, START, START + _FILLED, lambda rows, share: None, (), "import:tick")
            ticks(store)
        finally:
            store.close()


def wide(selections: int) -> Scenario:
    """The e-commerce gateway with as many tenants and routes as make up the selections."""
    base = load_scenario("marketflow")
    routes = [route.model_copy(update={"route": f"{route.route}/{number}"}) for route in base.routes for number in range(16)]
    others = 1 + len(base.gateways) + len({route.service for route in routes}) + len(routes) + 8
    return base.model_copy(update={"routes": tuple(routes), "tenants": max(selections - others, 1)})


def ticks(store: Store) -> None:
    panel = read_minutes(store, START, _FIRST)
    trained = learned(panel)
    save(store, trained, 1)
    settings, detector = Settings(detection=DetectionSettings(max_series=20_000)), Detector()
    series = len(trained.baselines.selectors) * len(DETECTION_METRICS)
    took, worked = list[float](), list[float]()
    for number in range(_TICKS):
        at = _FIRST + number * _MINUTE
        if number:
            explain_all_again(store, trained, at)
        began, before = time.perf_counter(), time.process_time()
        run_detection(store, FakeClock(at + _MINUTE + _LATE), settings, 1, detector)
        took.append(time.perf_counter() - began)
        worked.append(time.process_time() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{series:,} series; ticks: {', '.join(f'{one:.2f}' for one in took)} s; the first after a restart")
    result("tick_series", series, "1", 10_000)
    result("tick_with_ten_explanations", float(np.median(took[1:])), "s", 10.0)
    result("tick_with_ten_explanations_processors", float(np.median(worked[1:])), "s", 10.0)
    result("tick_after_restart", took[0], "s", 10.0)
    result("tick_peak_memory", peak, "GiB", 2.0)


def explain_all_again(store: Store, trained: Trained, at: datetime) -> None:
    """Put ten open anomalies that are due for an explanation into the detector's state, as if they strayed right now."""
    state = DetectorState.from_json(read_state(store, DETECTOR)) or DetectorState()
    started = (at - 5 * _MINUTE).isoformat()
    chosen = [one for one in trained.baselines.selectors if one.dimensions == ("route",)][:_EXPLAINED]
    runs = []
    for number, selector in enumerate(chosen):
        part = Evidence(
            metric="latency_p95", selector=str(selector), direction="high", led=2.0, moved=2.0, strength=2.0, share=0.9,
            observed=2.0, expected=1.0, lower=0.5, upper=1.5,
        )  # fmt: skip
        runs.append(
            Run(
                id=f"open-{number}", started_at=started, last_at=started, grown_at=started, quiet=0, quiet_since="", score=2.0,
                members={str(selector): "latency_p95"}, evidence=(part,), opened_at=started,
            )
        )  # fmt: skip
    runs_now = RunState(minute=(at - _MINUTE).isoformat(), recent=state.runs.recent, open=tuple(runs))
    write_state(store, DETECTOR, at - _MINUTE, replace(state, runs=runs_now).to_json(), 1)


def learned(panel: Panel, straying: int = _EXPLAINED) -> Trained:
    """Baselines of constant expectations, too low for the latency of some routes so that their anomalies go on."""
    mean = {name: mean_of_known(transform(name, panel.values[name])) for name in BASELINE_METRICS}
    mean["tps"] = np.log1p(panel.calls.mean(axis=1))
    routes = [row for row, one in enumerate(panel.selectors) if one.dimensions == ("route",)][:straying]
    mean["latency_p95"][routes] -= np.log(5.0)
    center = {name: _slots(values) for name, values in mean.items()}
    scale = {name: _slots(1.5 / np.sqrt(np.maximum(panel.calls.mean(axis=1), 0.5)) + 0.05) for name in BASELINE_METRICS}
    baselines = Baselines(selectors=panel.selectors, time_zone="UTC", center=center, scale=scale, samples=scale)
    rows = np.random.default_rng(5).normal(size=(20_000, len(DETECTION_METRICS)))
    forest = fit_forest(rows, DETECTION_METRICS, trees=DetectionSettings().trees, quantile=0.9995, seed=7)
    edges = np.full((len(WINDOWS), len(DETECTION_METRICS), len(panel.selectors)), 16.0)
    version = BaselineVersion(
        version="tick", built_at=START, trained_from=START, trained_to=_FIRST, series=len(panel.selectors) * len(mean)
    )
    held = Edges(selectors=panel.selectors, metrics=DETECTION_METRICS, edges=edges)
    return Trained(version=version, baselines=baselines, forest=forest, edges=held)


def mean_of_known(values: Floats) -> Floats:
    """Mean of each row's known minutes; 0 where none is."""
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _slots(values: Floats) -> Floats:
    return np.repeat(np.asarray(values)[:, None], SLOTS, axis=1)


def result(name: str, value: float, unit: str, reference: float) -> None:
    print(f"RESULT name={name} value={value:.6g} unit={unit} reference={reference:.6g}", flush=True)


if __name__ == "__main__":
    main()
