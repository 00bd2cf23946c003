"""The jobs over a real gateway's log: sparse, bursty, thousands of tenants, no tokens, imported long after it happened."""

from datetime import timedelta
from pathlib import Path

from analytics.jobs import analyze, run_baselines, run_detection, run_forecasts, run_hours
from core.clock import FakeClock, SystemClock
from core.config import Settings
from core.load import load_settings
from ingest.formats import build_format
from ingest.importer import import_files
from storage.anomalies import read_anomalies
from storage.baselines import latest_baseline, read_baseline
from storage.hours import read_hours
from storage.series import data_span
from tests.support.data import REPOSITORY, shared_data
from tests.support.stores import chdb_store

LOG = "genai_gateway/request_log_2024-11-15_to_2024-11-29.csv.gz"
DAY = timedelta(days=1)


def test_a_log_of_two_weeks_gets_hours_baselines_and_anomalies(tmp_path: Path) -> None:
    path = shared_data(LOG)
    formats = load_settings(REPOSITORY / "docs" / "examples" / "formats.yaml", {}).formats
    settings = Settings()
    with chdb_store(tmp_path) as store:
        import_files(store, [path], build_format("genai_gateway", formats), SystemClock())
        span = data_span(store)
        assert span is not None
        first, last = span
        clock = FakeClock(last + 300 * DAY)
        run_hours(store, clock, settings, 1)
        assert read_hours(store, "tps", first - DAY, last + DAY)["calls"].sum() == 14_008
        built = run_baselines(store, clock, settings, 1)
        assert built.cursor is not None
        version = latest_baseline(store)
        assert version is not None
        known = set(read_baseline(store, version.version)["metric"])
        assert {"tps", "error_rate"} <= known
        assert "tokens_per_s" not in known, "the log has no tokens"
        run_detection(store, clock, settings, 1)
        assert read_anomalies(store, last + DAY, clock.now(), open_only=True) == [], "history that ended is not silent"
        run_forecasts(store, clock, settings, 1)
        report = analyze(store, last - 2 * DAY, last, settings, 1)
        assert report.minutes == 2 * 24 * 60
        assert len(report.anomalies) <= 20
        for anomaly in report.anomalies:
            assert last - 2 * DAY <= anomaly.started_at <= anomaly.last_at < last
            assert anomaly.ended_at is not None
            assert anomaly.explanation
