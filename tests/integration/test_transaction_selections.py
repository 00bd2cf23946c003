"""Transactions are judged and forecast as selections of their own, by their own rule for success; so is each version."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analytics.counting import count_minutes
from analytics.detector import Detector, DetectorState
from analytics.jobs import DETECTOR, run_baselines, run_detection, run_hours
from analytics.predicting import series_to_forecast
from analytics.trained import in_force
from core.clock import FakeClock
from core.config import Settings
from core.record import CALL_SCHEMA, TS_TYPE
from core.types import Anomaly, JobState
from dashboards.context import Web
from dashboards.queries import metric_frame
from dashboards.window import Window
from storage.anomalies import read_anomalies
from storage.baselines import latest_baseline, read_baseline
from storage.calls import insert_calls
from storage.contract import Store
from storage.detector_state import write_state
from storage.jobs import write_job
from storage.learning import read_learning
from storage.transactions import write_definitions
from tests.support.stores import chdb_store
from tests.unit.storage.batches import batch

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LIVE = MONDAY + timedelta(days=2, hours=1)
SLOW_AT, END = LIVE + timedelta(minutes=10), LIVE + timedelta(minutes=25)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def configured(limit: str) -> Settings:
    pay = {"name": "pay", "selector": {"route": "/p*"}, "success": {"max_latency": limit}}
    return Settings.model_validate({"transactions": [pay], "detection": {"min_history": "2d", "trees": 20}})


SETTINGS = configured("2s")
PAY = SETTINGS.definitions[0]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two days and a bit of ten calls a minute on `/pay` and two on `/look`; then half of `/pay` is slow, and no error."""
    rng = np.random.default_rng(7)
    seconds = np.arange(0, int((END - MONDAY).total_seconds()), 6)
    slow = (seconds >= (SLOW_AT - MONDAY).total_seconds()) & (rng.random(len(seconds)) < 0.5)
    usual = rng.lognormal(5.0, 0.3, len(seconds))
    with chdb_store(tmp_path_factory.mktemp("transactions")) as opened:
        insert_calls(opened, calls_of(seconds, "/pay", np.where(slow, 2500.0, usual), 0))
        insert_calls(opened, calls_of(seconds[::5], "/look", usual[::5], len(seconds)))
        write_definitions(opened, SETTINGS.definitions, MONDAY, 1)
        count_minutes(opened, SETTINGS, MONDAY, LIVE, LIVE, 1)
        run_baselines(opened, FakeClock(LIVE), SETTINGS, 1)
        yield opened


def calls_of(seconds: np.ndarray, route: str, latency_ms: np.ndarray, first_offset: int) -> pa.Table:
    """Good calls of a route; what is not said of them is unknown."""
    (like,) = batch([{"ts": MONDAY, "route": route, "service": "shop", "status": 200}]).to_pylist()
    columns = {name: pa.array([value] * len(seconds), CALL_SCHEMA.field(name).type) for name, value in like.items()}
    columns["ts"] = pa.array((int(MONDAY.timestamp()) + seconds) * 1000, pa.int64()).cast(TS_TYPE)
    columns["latency_ms"] = pa.array(latency_ms.astype(np.float32))
    columns["offset"] = pa.array(np.arange(first_offset, first_offset + len(seconds)), CALL_SCHEMA.field("offset").type)
    return pa.table(columns, schema=CALL_SCHEMA)


def detect(store: Store, settings: Settings, epoch: int) -> list[Anomaly]:
    """From a state of its own; each run is late enough for its last minute to be judged."""
    write_state(store, DETECTOR, LIVE, DetectorState().to_json(), epoch)
    nothing: dict[str, Any] = {"last_success_at": None, "last_error_at": None, "last_error": "", "duration_s": 0.0}
    write_job(store, JobState(name="detection", cursor=LIVE, **nothing), epoch)
    detector, clock = Detector(), FakeClock(LIVE + timedelta(seconds=65))
    while clock.now() < END:
        clock.advance(5 * MINUTE)
        run_detection(store, clock, settings, epoch, detector)
    return read_anomalies(store, LIVE, END)


def test_a_transaction_has_a_baseline_and_its_anomaly_names_the_version(store: Store) -> None:
    version = latest_baseline(store)
    assert version is not None
    frame = read_baseline(store, version.version, metrics=["tps"], selectors=[str(PAY.selection)])
    assert frame["expected"].mean() == pytest.approx(1 / 6, rel=0.05)
    (found,) = detect(store, SETTINGS, 2)
    told = {(part.metric, part.selector) for part in found.contributions} | {(found.metric, found.selector)}
    assert ("error_rate", PAY.selection) in told, "slow is bad by its own rule, and no error of any other selection"
    assert all(selector.transaction for metric, selector in told if metric == "error_rate")
    assert PAY.selection.version == PAY.version


def test_another_version_is_learned_anew_and_the_old_one_is_not_silent(store: Store) -> None:
    stricter = configured("1s")
    (new,) = stricter.definitions
    trained = Detector().trained(store, SETTINGS)
    assert trained is not None
    kept = in_force(trained, stricter.definitions).baselines
    assert PAY.selection in trained.baselines.selectors
    assert set(kept.selectors) == set(trained.baselines.selectors) - {PAY.selection}
    assert kept.center["tps"].shape == (len(kept.selectors), trained.baselines.center["tps"].shape[1])
    write_definitions(store, stricter.definitions, LIVE, 1)
    count_minutes(store, stricter, LIVE - 6 * HOUR, LIVE, LIVE, 1)
    run_baselines(store, FakeClock(LIVE + timedelta(seconds=1)), stricter, 1)
    learning = {one.selector: one.have_h for one in read_learning(store, LIVE + MINUTE)}
    assert learning == {new.selection: pytest.approx(6.0, abs=0.05)}, "only six hours were counted by it so far"
    found = detect(store, stricter, 3)
    assert not any(one.selector.transaction or "silent" in one.explanation for one in found)


def test_a_transaction_is_forecast_from_the_hours_that_its_version_has(store: Store) -> None:
    run_hours(store, FakeClock(LIVE), SETTINGS, 1)
    series = series_to_forecast(store, SETTINGS.forecast, LIVE, SETTINGS.definitions)
    found = {one.metric: one for one in series if one.selector == PAY.selection}
    assert set(found) == {"tps", "latency_p95"}
    assert found["tps"].known_hours == 49
    assert np.nanmean(found["tps"].values) == pytest.approx(1 / 6, rel=0.02)
    (new,) = configured("1s").definitions
    short = series_to_forecast(store, SETTINGS.forecast, LIVE, [new])
    assert [one.known_hours for one in short if one.selector == new.selection and one.metric == "tps"] == [6]


def test_pages_draw_what_is_known_of_a_transaction(store: Store) -> None:
    web = Web(store=store, settings=SETTINGS, clock=FakeClock(END))
    window = Window(start=LIVE - HOUR, end=LIVE, step_s=60)
    try:
        frame = metric_frame(web, "tps", window, PAY.selection, LIVE)
    finally:
        web.close()
    assert frame["value"].tolist() == pytest.approx([10 / 60] * 60)
