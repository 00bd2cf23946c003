"""Baselines, detection and analysis over a real store: simulated calls through the real insert path, judged as in service."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics.detector import Detector
from analytics.jobs import DETECTOR, AnalysisReport, analyze, run_baselines, run_detection
from analytics.reading import read_minutes
from analytics.rescoring import run_rescoring
from analytics.trained import load
from core.calendars import SLOTS, in_zone
from core.clock import FakeClock
from core.config import DetectionSettings, Settings
from core.masks import Mask, MaskKind
from core.series import ALL_CALLS, Direction, Selector
from core.types import Anomaly, AnomalyVerdict, JobState
from storage.anomalies import read_anomalies, write_anomalies
from storage.baselines import latest_baseline, read_baseline
from storage.calls import insert_calls
from storage.contract import Store
from storage.detector_state import read_state, write_state
from storage.jobs import read_job, write_job
from storage.masks import add_mask, end_mask
from tests.support.stores import chdb_store
from tpscope.history import with_identity
from tpscope.simulate.generate import TrafficGenerator
from tpscope.simulate.incidents import ScheduledIncident
from tpscope.simulate.scenario import IncidentSpec, load_scenario

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LEARNED = timedelta(days=4)
LIVE = MONDAY + LEARNED
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LATE = timedelta(seconds=65)
"""After a minute's end it is certainly judged: no watermark is written here."""
RATE = 3.0
SETTINGS = Settings(detection=DetectionSettings(min_history=timedelta(days=2)))
OUTAGE_AT = LIVE + timedelta(minutes=30)
SILENT_AT = LIVE + timedelta(minutes=55)
STOP_AT = LIVE + timedelta(hours=2)

OUTAGE = ScheduledIncident(
    IncidentSpec(
        name="outage",
        kind="outage",
        match={"provider": "anthropic"},
        magnitude=0.9,
        duration=timedelta(minutes=8),
        description="a provider fails",
    ),
    OUTAGE_AT,
)
SILENCE = ScheduledIncident(
    IncidentSpec(
        name="silence",
        kind="silence",
        match={"route": "/v1/moderate"},
        duration=timedelta(minutes=10),
        description="a route is gone",
    ),
    SILENT_AT,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Four days of calls, two hours more with two incidents, and then nothing at all."""
    generator = TrafficGenerator(load_scenario("edgestream"), RATE, LIVE)
    with chdb_store(tmp_path_factory.mktemp("jobs")) as opened:
        written, at = 0, MONDAY
        while at < STOP_AT:
            until = min(at + timedelta(hours=12), STOP_AT)
            rows = with_identity(generator.generate(at, until, [OUTAGE, SILENCE]), "import:simulated", written)
            insert_calls(opened, rows)
            written, at = written + rows.num_rows, until
        run_baselines(opened, FakeClock(LIVE), SETTINGS, 1)
        yield opened


def detect(store: Store, start: datetime, end: datetime, epoch: int, every: timedelta, keep: bool = True) -> list[Anomaly]:
    """Let the job run every so often from `start` to `end` with a state of its own; returns what it left in the store."""
    write_state(store, DETECTOR, start, {}, epoch)
    detector, clock = Detector(), FakeClock(start + LATE)
    store_cursor(store, start, epoch)
    while clock.now() < end + LATE:
        clock.advance(every)
        run_detection(store, clock, SETTINGS, epoch, detector if keep else None)
    return [anomaly for anomaly in reversed(read_anomalies(store, start, end)) if anomaly.started_at >= start]


def store_cursor(store: Store, cursor: datetime, epoch: int) -> None:
    state = JobState(name="detection", cursor=cursor, last_success_at=cursor, last_error_at=None, last_error="", duration_s=0.0)
    write_job(store, state, epoch)


def test_baselines_are_stored_for_every_selection_with_their_span(store: Store) -> None:
    version = latest_baseline(store)
    assert version is not None
    assert (version.trained_from, version.trained_to) == (MONDAY, LIVE)
    frame = read_baseline(store, version.version, metrics=["tps"], selectors=["", 'provider="anthropic"'])
    assert frame.groupby("selector").size().tolist() == [SLOTS, SLOTS]
    assert frame[frame["selector"] == ""]["expected"].mean() == pytest.approx(RATE, rel=0.15)
    assert (frame["lower"] < frame["expected"]).all()
    assert (frame["expected"] < frame["upper"]).all()
    names = set(read_baseline(store, version.version, metrics=["error_rate"])["selector"])
    assert {"", 'service="chat"', 'gateway="edge-fra"', 'model="claude-haiku"'} <= names
    assert not any('=""' in name for name in names), "unknown is no selection"


def test_what_is_loaded_judges_as_what_was_built(store: Store) -> None:
    trained = load(store, in_zone("UTC"))
    assert trained is not None
    assert trained.forest.metrics[0] == "tps"
    assert load(store, in_zone("UTC"), unless=trained.version.version) is None
    panel = read_minutes(store, LIVE, LIVE + HOUR)
    assert ALL_CALLS in panel.selectors
    assert panel.calls[panel.selectors.index(ALL_CALLS)].mean() == pytest.approx(60 * RATE, rel=0.4)


def test_incidents_are_found_once_each_and_end(store: Store) -> None:
    end = SILENT_AT + 15 * MINUTE
    found = detect(store, OUTAGE_AT - 10 * MINUTE, end, epoch=10, every=MINUTE)
    assert [(anomaly.metric, str(anomaly.selector)) for anomaly in found] == [
        ("error_rate", 'provider="anthropic"'),
        ("tps", 'route="/v1/moderate"'),
    ]
    outage, silence = found
    assert outage.started_at == OUTAGE_AT
    assert outage.ended_at == OUTAGE_AT + timedelta(minutes=8)
    assert outage.severity > 0.8
    assert "Error rate of provider anthropic rose to" in outage.explanation
    assert SILENT_AT <= silence.started_at <= SILENT_AT + 3 * MINUTE
    assert silence.ended_at == SILENT_AT + timedelta(minutes=10)
    assert "No calls at all of route /v1/moderate" in silence.explanation
    version = latest_baseline(store)
    assert version is not None
    assert {anomaly.baseline_version for anomaly in found} == {version.version}
    job = read_job(store, "detection")
    assert job is not None
    assert job.cursor == end


def test_caught_up_in_large_steps_and_loaded_anew_each_time_it_is_the_same(store: Store) -> None:
    start, end = OUTAGE_AT - 10 * MINUTE, OUTAGE_AT + 20 * MINUTE
    small = detect(store, start, end, epoch=20, every=MINUTE)
    large = detect(store, start, end, epoch=30, every=30 * MINUTE, keep=False)
    assert [anomaly.explanation for anomaly in large] == [anomaly.explanation for anomaly in small]
    assert [anomaly.id for anomaly in large] == [anomaly.id for anomaly in small]
    assert len(small) == 1


def test_what_is_expected_is_judged_as_ever_and_says_so(store: Store) -> None:
    campaign = Mask(
        id="campaign", kind=MaskKind.EXPECTED, start=OUTAGE_AT, end=OUTAGE_AT + 10 * MINUTE,
        selector=Selector.of(provider="anthropic"), who="ada", why="a test of the provider", made_at=LIVE,
    )  # fmt: skip
    add_mask(store, campaign)
    found = detect(store, OUTAGE_AT - 10 * MINUTE, OUTAGE_AT + 20 * MINUTE, epoch=35, every=10 * MINUTE)
    end_mask(store, campaign.id, campaign.start)
    assert [(anomaly.mask_id, anomaly.muted) for anomaly in found] == [("campaign", True)]
    assert found[0].severity > 0.8


def test_no_calls_at_all_are_news(store: Store) -> None:
    end = STOP_AT + 10 * MINUTE
    found = detect(store, STOP_AT - 10 * MINUTE, end, epoch=40, every=MINUTE)
    assert len(found) == 1
    assert found[0].selector == ALL_CALLS
    assert found[0].metric == "tps"
    assert found[0].direction is Direction.LOW
    assert found[0].started_at == STOP_AT
    assert found[0].ended_at is None
    assert found[0].explanation.startswith("No calls at all (about ")


def test_a_minute_judged_again_after_a_crash_before_the_state_was_written_is_the_same(store: Store) -> None:
    start, crash = OUTAGE_AT - 10 * MINUTE, OUTAGE_AT + 3 * MINUTE
    first = detect(store, start, crash, epoch=50, every=MINUTE)
    again = detect(store, start, crash + 10 * MINUTE, epoch=60, every=MINUTE)
    assert [anomaly.id for anomaly in again] == [anomaly.id for anomaly in first]


def test_after_a_long_downtime_only_the_last_hours_are_judged_and_it_says_so(store: Store) -> None:
    write_state(store, DETECTOR, LIVE, {}, 70)
    store_cursor(store, LIVE - timedelta(days=1), 70)
    now = STOP_AT + timedelta(seconds=70)
    report = run_detection(store, FakeClock(now), SETTINGS, 70)
    assert report.items == 6 * 60
    assert "1200 minutes of downtime before 2026-03-05 20:00 UTC were not judged" in report.note
    assert report.cursor == STOP_AT


def test_anomalies_that_no_state_follows_are_ended(store: Store) -> None:
    orphan = Anomaly(
        id="orphan", started_at=LIVE, last_at=LIVE + MINUTE, ended_at=None, selector=ALL_CALLS, metric="tps",
        direction=Direction.LOW, score=2.0, severity=0.8, observed=0.0, expected=5.0, lower=3.0, upper=7.0, contributions=(),
        explanation="", model_version="", baseline_version="",
    )  # fmt: skip
    write_anomalies(store, [orphan], 80)
    detect(store, LIVE + 30 * MINUTE, LIVE + 32 * MINUTE, epoch=80, every=MINUTE)
    found = [anomaly for anomaly in read_anomalies(store, LIVE, LIVE + HOUR) if anomaly.id == "orphan"]
    assert found[0].ended_at == LIVE + 2 * MINUTE


def test_the_past_is_analyzed_as_if_it_were_live(store: Store) -> None:
    told: list[datetime] = []
    report: AnalysisReport = analyze(store, LIVE, STOP_AT, SETTINGS, 90, told.append)
    assert [(anomaly.metric, str(anomaly.selector)) for anomaly in report.anomalies] == [
        ("error_rate", 'provider="anthropic"'),
        ("tps", 'route="/v1/moderate"'),
    ]
    assert (report.minutes, report.learning, report.builds) == (120, 0, 1)
    assert told == [STOP_AT]
    assert all(anomaly.ended_at is not None for anomaly in report.anomalies)
    stored = {anomaly.id for anomaly in read_anomalies(store, LIVE, STOP_AT)}
    assert {anomaly.id for anomaly in report.anomalies} <= stored


def test_an_analysis_knows_nothing_of_what_comes_after(store: Store) -> None:
    first = analyze(store, LIVE - timedelta(days=1), SILENT_AT - 5 * MINUTE, SETTINGS, 100)
    assert [str(anomaly.selector) for anomaly in first.anomalies] == ['provider="anthropic"']
    assert (first.builds, first.minutes) == (2, 24 * 60 + 50)


def test_imported_history_that_ended_long_ago_is_neither_silent_nor_without_baselines(store: Store) -> None:
    years_later = LIVE + timedelta(days=300)
    write_state(store, DETECTOR, years_later, {}, 110)
    report = run_baselines(store, FakeClock(years_later), SETTINGS, 110)
    assert report.cursor == STOP_AT
    detector = Detector()
    store_cursor(store, years_later - HOUR, 110)
    run_detection(store, FakeClock(years_later), SETTINGS, 110, detector)
    assert read_anomalies(store, years_later - HOUR, years_later, open_only=True) == []
    assert read_state(store, DETECTOR) is not None


def test_what_late_calls_explain_is_withdrawn_and_the_rest_stands(store: Store) -> None:
    end = SILENT_AT + 15 * MINUTE
    told = detect(store, OUTAGE_AT - 10 * MINUTE, end, epoch=120, every=25 * MINUTE)
    assert len(told) == 2
    clock = FakeClock(end + HOUR)
    assert run_rescoring(store, clock, SETTINGS, 120).items == 0
    whole = TrafficGenerator(load_scenario("edgestream"), RATE, LIVE).generate(SILENT_AT, SILENT_AT + 10 * MINUTE, [])
    route = pc.equal(whole.column("route"), "/v1/moderate")
    late = with_identity(whole.filter(route), "import:late", 0)  # what is as old as this and not imported is dropped at once
    arrived = pa.repeat(pa.scalar(end + HOUR, late.schema.field("ingested_at").type), late.num_rows)
    insert_calls(store, late.set_column(late.schema.get_field_index("ingested_at"), "ingested_at", arrived))
    clock.advance(5 * MINUTE)
    assert run_rescoring(store, clock, SETTINGS, 120).items == 1
    found = {str(one.selector): one for one in read_anomalies(store, OUTAGE_AT, end) if one.id in {a.id for a in told}}
    assert found['route="/v1/moderate"'].verdict is AnomalyVerdict.WITHDRAWN
    assert f"with {late.num_rows} late calls" in found['route="/v1/moderate"'].explanation
    assert found['provider="anthropic"'].verdict is AnomalyVerdict.STANDS
    clock.advance(5 * MINUTE)
    assert run_rescoring(store, clock, SETTINGS, 120).items == 0
