"""Detection that is replayed by the quarter of an hour says what the job says that runs every minute."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from analytics.detector import Detector
from analytics.features import DETECTION_METRICS
from analytics.forest import fit_forest
from analytics.jobs import run_detection
from analytics.reading import read_minutes
from analytics.trained import save
from benchmarks.bench_tick import learned
from core.clock import FakeClock
from core.config import Settings
from core.types import Anomaly
from storage.anomalies import read_anomalies
from storage.calls import insert_calls
from storage.contract import Store
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START, batch
from tpscope.replayed_detection import ReplayedDetection

MINUTE = timedelta(minutes=1)
FIRST, FAILING, WELL, LAST = 78, 85, 88, 98


def test_the_same_anomalies_in_the_same_minutes(tmp_path: Path) -> None:
    settings = Settings.model_validate({"detection": {"max_delay": "0s"}})
    with chdb_store(tmp_path) as store:
        rows = [
            {
                "ts": START + timedelta(seconds=second / 2),
                "service": ("chat", "shop")[second % 2],
                "status": 503 if second % 2 and FAILING <= second // 120 < WELL else 200,
                "latency_ms": 50.0,
            }
            for second in range(120 * LAST)
        ]
        insert_calls(store, batch(rows))
        trained = learned(read_minutes(store, START, START + 60 * MINUTE), straying=0)
        small = np.random.default_rng(5).normal(size=(512, len(DETECTION_METRICS)))
        forest = fit_forest(small, DETECTION_METRICS, trees=10, quantile=0.9995, seed=7)
        save(store, replace(trained, forest=forest), 0)
        replayed = by_replay(store, settings)
        told = by_job(store, settings)
    assert replayed == told
    (one,) = {anomaly.id for changed in told.values() for anomaly in changed}
    assert [anomaly.ended_at is None for anomaly in (told[min(told)][0], told[max(told)][0])] == [True, False]
    assert min(told) <= START + (FAILING + 3) * MINUTE, one


def by_replay(store: Store, settings: Settings) -> dict[datetime, list[Anomaly]]:
    """What changed, by the end of the minute that changed it."""
    detection = ReplayedDetection(store, settings, START + FIRST * MINUTE, START + LAST * MINUTE)
    ends = [START + (number + 1) * MINUTE for number in range(FIRST, LAST)]
    return {end: changed for end in ends if (changed := detection.changed(end))}


def by_job(store: Store, settings: Settings) -> dict[datetime, list[Anomaly]]:
    detector, found, before = Detector(), dict[datetime, list[Anomaly]](), list[Anomaly]()
    store.command("TRUNCATE TABLE anomalies")
    for number in range(FIRST, LAST):
        end = START + (number + 1) * MINUTE
        run_detection(store, FakeClock(end + settings.detection.delay), settings, 0, detector)
        now = read_anomalies(store, START, end)
        if now != before:
            found[end] = [one for one in now if one not in before]
        before = now
    return found
