"""Samples through the service's job against `tpscope detect`'s judgement of the same points; what a tick costs; false alarms.

Labelled series (folders of `timestamp,value` files) are written as samples, one name each; the job runs with a clock that
goes on by hours, and the anomalies that it stored are compared with the detector's alarms on the same series. Then gauges
by the minute that nothing happens to are judged: what each tick takes, and how many anomalies come of them a series and day.
"""

import argparse
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from analytics.sampling.job import SampleDetector, run_samples
from analytics.univariate import Cadence, Detector, detect, step_of
from core.clock import FakeClock
from core.config import DetectionSettings, RetentionSettings, Settings, StoreSettings
from core.series import SAMPLE
from storage.anomalies import read_anomalies
from storage.contract import Store
from storage.migrate import migrate
from storage.open import open_store
from storage.samples import SAMPLE_SCHEMA, insert_samples
from tpscope.series_files import find_series, read_series_file

_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT = timedelta(days=10_000)
_EVERY = timedelta(hours=5, minutes=30)
"""Between two runs: after more than six hours older minutes are only learned."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=Path, nargs="*", default=[], help="folders of timestamp,value files")
    parser.add_argument("--gauges", type=int, default=300, help="calm series by the minute (default 300)")
    parser.add_argument("--days", type=int, default=5, help="days of them (default 5; the first two are learned)")
    asked = parser.parse_args()
    for folder in asked.series:
        with tempfile.TemporaryDirectory() as place, _store(place) as store:
            compare(store, folder)
    with tempfile.TemporaryDirectory() as place, _store(place) as store:
        calm(store, asked.gauges, asked.days)


def compare(store: Store, folder: Path) -> None:
    """Print how many of the detector's alarms the stored anomalies hold, and how many anomalies began at none of them."""
    settings = Settings(detection=DetectionSettings(min_history=_MINUTE, max_sample_series=10_000))
    by_step: dict[float, list[tuple[str, np.ndarray, np.ndarray]]] = {}
    first, last = _EPOCH + timedelta(days=36_500), _EPOCH
    for at, file in enumerate(find_series(folder)):
        series = read_series_file(file.path)
        minutes, values = _by_minute(series.seconds, series.values)
        by_step.setdefault(step_of(minutes * 60), []).append((f"series_{at}", minutes, values))
        _put(store, f"series_{at}", minutes, values)
        first = min(first, _EPOCH + int(minutes[0]) * _MINUTE)
        last = max(last, _EPOCH + int(minutes[-1]) * _MINUTE)
    alarms = {name: found for step_s, held in by_step.items() for name, found in _alarms(step_s, held).items()}
    detector, clock = SampleDetector(), FakeClock(first)
    while clock.now() < last + 2 * _EVERY:
        run_samples(store, clock, settings, 1, detector)
        clock.advance(_EVERY)
    told: dict[str, list[tuple[int, int]]] = {}
    for one in read_anomalies(store, first, last + _EVERY):
        span = ((one.started_at - _EPOCH) // _MINUTE, (one.last_at - _EPOCH) // _MINUTE)
        told.setdefault(one.metric.removeprefix(SAMPLE), []).append(span)
    total = sum(len(found) for found in alarms.values())
    held = sum(any(a <= at <= b for a, b in told.get(name, [])) for name, found in alarms.items() for at in found)
    spans = [(name, span) for name, found in told.items() for span in found]
    other = sum(start not in alarms[name] for name, (start, _) in spans)
    print(f"{folder.name}: {len(alarms)} series, {total} alarms of the detector, {held} within the {len(spans)} anomalies told")
    print(f"  anomalies that begin at none of its alarms: {other}")


def _alarms(step_s: float, held: list[tuple[str, np.ndarray, np.ndarray]]) -> dict[str, set[int]]:
    """Minutes of the alarms that `tpscope detect` has on these series of one step."""
    shape = (max(len(minutes) for _, minutes, _ in held), len(held))
    values, seconds = np.full(shape, np.nan), np.zeros(shape, np.int64)
    for column, (_, minutes, points) in enumerate(held):
        values[: len(points), column], seconds[: len(points), column] = points, minutes * 60
    judged = detect(Detector(len(held), Cadence.of(step_s)), values, seconds)
    return {
        name: set(minutes[judged.anomalous[: len(minutes), column]].tolist()) for column, (name, minutes, _) in enumerate(held)
    }


def calm(store: Store, gauges: int, days: int) -> None:
    """Print what ticks over calm gauges cost, and the anomalies a series and day after two days of learning."""
    settings, draw = Settings(detection=DetectionSettings(max_sample_series=gauges)), np.random.default_rng(20261128)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    minutes = np.arange(days * 1_440) + (start - _EPOCH) // _MINUTE
    daily = np.sin(2 * np.pi * (minutes % 1_440) / 1_440)
    for at in range(gauges):
        kind = at % 3
        noise = draw.normal(0.0, 1.0, len(minutes))
        level = (
            40.0 + 15.0 * daily + 3.0 * noise,
            draw.poisson(np.exp(1.5 + 0.6 * daily)).astype(float),
            60.0 + np.convolve(noise, np.ones(30) / 6.0, "same"),
        )[kind]
        _put(store, f"gauge_{at}", minutes, level)
    detector, clock = SampleDetector(), FakeClock(start)
    live = start + timedelta(days=days) - 30 * _MINUTE
    while clock.now() < live:
        run_samples(store, clock, settings, 1, detector)
        clock.advance(min(_EVERY, live - clock.now()) or _EVERY)
    took = []
    for _ in range(20):
        began = time.process_time(), time.perf_counter()
        run_samples(store, clock, settings, 1, detector)
        took.append((time.process_time() - began[0], time.perf_counter() - began[1]))
        clock.advance(_MINUTE)
    cpu, wall = np.median(np.array(took), axis=0)
    found = read_anomalies(store, start, live + timedelta(hours=1))
    a_day = len(found) / gauges / (days - 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{gauges} calm gauges: a tick {1000 * wall:.0f} ms ({1000 * cpu:.0f} ms of processors), peak {peak:.2f} GiB")
    print(f"  {len(found)} anomalies in {days - 2} days after learning: {a_day:.3f} a series and day")


def _store(place: str) -> "_Opened":
    return _Opened(place)


class _Opened:
    """An embedded store that keeps samples whatever their age."""

    def __init__(self, place: str) -> None:
        self._store = open_store(StoreSettings(url=f"chdb://{place}/store"), owner=True)
        migrate(self._store, RetentionSettings(samples=_KEPT))

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def _by_minute(seconds: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One value a minute, ascending: what the store makes of several."""
    minutes, where = np.unique(seconds // 60, return_inverse=True)
    return minutes, np.bincount(where, np.nan_to_num(values)) / np.bincount(where)


def _put(store: Store, name: str, minutes: np.ndarray, values: np.ndarray) -> None:
    times = pa.array((minutes * 60_000).astype("datetime64[ms]")).cast(SAMPLE_SCHEMA.field("ts").type)
    size = len(minutes)
    columns = {
        "ts": times,
        "name": pa.array([name] * size),
        "labels": pa.array([[]] * size, SAMPLE_SCHEMA.field("labels").type),
        "value": pa.array(values),
        "ingested_at": times,
        "topic": pa.array(["samples"] * size),
        "partition": pa.array([0] * size),
        "offset": pa.array(range(size)),
    }
    insert_samples(store, pa.table({field.name: columns[field.name].cast(field.type) for field in SAMPLE_SCHEMA}))


if __name__ == "__main__":
    main()
