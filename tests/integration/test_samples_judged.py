"""Samples through the service's job: the alarms of the univariate detector, told, kept over restarts, amended, paged."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from alerts.evaluate import judge_anomalies
from analytics.sampling.job import SampleDetector, analyze_samples, run_samples
from analytics.univariate import Cadence, Detector, detect
from core.clock import FakeClock
from core.config import AnomalyRule, DetectionSettings, RetentionSettings, Settings
from core.masks import Mask, MaskKind
from core.series import ALL_CALLS, SAMPLE
from core.types import Anomaly, AnomalyVerdict
from storage.anomalies import read_anomalies, write_anomalies
from storage.contract import Store
from storage.masks import add_mask
from storage.samples import SAMPLE_SCHEMA, insert_samples
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SETTINGS = Settings(detection=DetectionSettings(min_history=timedelta(hours=2)))
STEP, POINTS, BROKEN = 5, 330, 300
END = START + STEP * POINTS * MINUTE
RULE = AnomalyRule(kind="anomaly", name="anomaly")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with chdb_store(tmp_path_factory.mktemp("samples"), RetentionSettings(samples=timedelta(days=3650))) as store:
        yield store


@pytest.fixture
def store(opened: Store) -> Store:
    for table in ("samples", "anomalies", "jobs", "detector_state", "masks"):
        opened.command(f"TRUNCATE TABLE {table}")
    return opened


def values(seed: int = 3) -> np.ndarray:
    made = 20.0 + np.random.default_rng(seed).normal(0.0, 1.0, POINTS)
    made[BROKEN : BROKEN + 6] += 60.0
    return made


def put(
    store: Store, name: str, made: np.ndarray, labels: dict[str, str], first: int = 0, late: timedelta = MINUTE / 2
) -> None:
    times = [START + STEP * (first + at) * MINUTE for at in range(len(made))]
    rows = {
        "ts": times,
        "name": [name] * len(made),
        "labels": [list(labels.items())] * len(made),
        "value": made.tolist(),
        "ingested_at": [time + late for time in times],
        "topic": ["samples"] * len(made),
        "partition": [0] * len(made),
        "offset": [hash((name, first + at)) % 10**9 for at in range(len(made))],
    }
    insert_samples(store, pa.table({field.name: pa.array(rows[field.name], field.type) for field in SAMPLE_SCHEMA}))


def judged(store: Store, *ends: int, detector: SampleDetector | None = None) -> None:
    """Run the job with the clock at these points."""
    clock = FakeClock(START)
    for end in ends:
        clock.set(START + STEP * end * MINUTE + 2 * MINUTE)
        run_samples(store, clock, SETTINGS, 1, detector)


def told(store: Store) -> list[Anomaly]:
    return read_anomalies(store, START, END + HOUR)


def test_alarms_are_those_of_the_command_with_explanation_and_page(store: Store) -> None:
    made = values()
    put(store, "queue_depth", made, {"gateway": "edge-1", "pool": "gpu"})
    detector = SampleDetector()
    judged(store, 60, 200, *range(BROKEN - 3, BROKEN + 5), detector=detector)
    (open_one,) = told(store)
    seconds = (np.arange(POINTS)[:, None] * STEP * 60 + int(START.timestamp())).astype(np.int64)
    expected = detect(Detector(1, Cadence.of(60.0 * STEP)), made[:, None], seconds)
    alarms = np.flatnonzero(expected.anomalous[:, 0])
    assert alarms[0] == BROKEN, "the command has no other alarm before"
    assert open_one.started_at == START + STEP * BROKEN * MINUTE
    assert open_one.ended_at is None
    assert open_one.metric == f'{SAMPLE}queue_depth{{gateway="edge-1",pool="gpu"}}'
    assert open_one.selector.labels == {"gateway": "edge-1"}
    worst = int(np.flatnonzero(made == open_one.observed)[0])
    assert (open_one.expected, open_one.score) == (expected.expected[worst, 0], expected.score[worst, 0])
    assert open_one.explanation.startswith(
        'queue_depth{gateway="edge-1",pool="gpu"} rose to 79.4 (expected 20.3, 17 to 23.2) since'
    )
    (firing,) = judge_anomalies(RULE, [open_one], open_one.last_at + MINUTE, ZoneInfo("UTC")).firings
    assert firing.title == 'queue_depth{gateway="edge-1",pool="gpu"} higher than expected'
    judged(store, POINTS, detector=detector)
    (ended,) = told(store)
    assert (ended.id, ended.ended_at) == (open_one.id, START + STEP * (BROKEN + 6) * MINUTE)


def test_a_restart_at_any_point_changes_nothing(store: Store) -> None:
    put(store, "cpu", values(), {})
    put(store, "cpu", 2.0 * values(), {"pool": "b"})
    judged(store, 200, 250, BROKEN + 2, BROKEN + 4, POINTS, detector=SampleDetector())
    (once,) = told(store)
    assert len(once.contributions) == 2, "two series of one name that break together are one anomaly"
    for table in ("anomalies", "jobs", "detector_state"):
        store.command(f"TRUNCATE TABLE {table}")
    judged(store, 200, 250, BROKEN + 2, BROKEN + 4, POINTS)
    assert told(store) == [once]


def test_learning_and_masked_series_are_not_told(store: Store) -> None:
    put(store, "short", values()[BROKEN - 23 :], {}, BROKEN - 23)
    put(store, "masked", values(), {})
    put(store, "other", 3.0 * values(), {})
    mask = Mask(
        id="m", kind=MaskKind.MAINTENANCE, start=START + STEP * (BROKEN - 1) * MINUTE, end=END, selector=ALL_CALLS,
        who="op", why="moved", made_at=START, anomaly_id="",
    )  # fmt: skip
    judged(store, 250)
    add_mask(store, mask)
    judged(store, POINTS)
    assert told(store) == []


def test_late_samples_withdraw_what_was_told(store: Store) -> None:
    made = values()
    made[BROKEN + 1 : BROKEN + 6] -= 60.0
    made[BROKEN] = 30.0
    put(store, "lag", made, {})
    detector = SampleDetector()
    judged(store, 200, 280, POINTS, detector=detector)
    before = told(store)
    assert [one.started_at for one in before] == [START + STEP * BROKEN * MINUTE]
    # The minute's other half arrives: its mean is an ordinary one.
    put(store, "lag", np.array([10.0]), {}, BROKEN, late=END + HOUR - (START + STEP * BROKEN * MINUTE))
    judged(store, POINTS + 14, detector=detector)
    (after,) = told(store)
    assert after.verdict is AnomalyVerdict.WITHDRAWN
    assert "late sample it would not have been told" in after.explanation
    assert judge_anomalies(RULE, [after], END, ZoneInfo("UTC")).firings == ()


def test_stored_samples_are_analyzed_as_if_live(store: Store) -> None:
    put(store, "queue_depth", values(), {})
    found = analyze_samples(store, START + 20 * HOUR, END, SETTINGS)
    assert [one.started_at for one in found] == [START + STEP * BROKEN * MINUTE]
    assert told(store) == [], "it writes nothing by itself"
    write_anomalies(store, found, 0)
    assert told(store)[0].contributions == found[0].contributions
