"""A forecast is written to the folder once, and again when there is a newer one; the file is what the command writes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.clock import FakeClock
from core.config import ExportSettings, Settings, StoreSettings
from core.errors import ConfigError
from storage.contract import Store
from storage.forecasts import write_forecast
from storage.migrate import migrate
from storage.open import open_store
from tests.unit.render.test_forecast_export import RUN, item
from tpscope.exports import ExportRequest, run_export
from tpscope.scheduled_exports import run_scheduled_export

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def written(store: Store, days: int) -> None:
    made = item(replace(RUN, version=f"f{days}", made_at=RUN.made_at + timedelta(days=days)))
    write_forecast(store, made.run, made.frame, 1)


def test_a_file_for_each_newer_forecast_the_same_as_by_command(tmp_path: Path) -> None:
    settings = Settings(store=StoreSettings(url=f"chdb://{tmp_path / 'data'}"))
    export = ExportSettings(name="plan", folder=str(tmp_path / "out"), format="csv", metric="tps")
    store = open_store(settings.store, owner=True)
    try:
        migrate(store, settings.retention)
        assert run_scheduled_export(store, FakeClock(NOW), export, 1).note == "no newer forecast"
        written(store, 0)
        assert run_scheduled_export(store, FakeClock(NOW), export, 1).items == 1
        assert run_scheduled_export(store, FakeClock(NOW), export, 1).items == 0
        written(store, 1)
        assert run_scheduled_export(store, FakeClock(NOW), export, 1).items == 1
        blocked = ExportSettings(name="blocked", folder=str(tmp_path / "out/x"), format="csv")
        (tmp_path / "out/x").write_text("a file")
        with pytest.raises(ConfigError, match="exports: blocked"):
            run_scheduled_export(store, FakeClock(NOW), blocked, 1)
    finally:
        store.close()
    files = sorted(path.name for path in (tmp_path / "out").glob("*.csv"))
    assert files == ["tpscope-forecasts-plan-20260301T000000Z.csv", "tpscope-forecasts-plan-20260302T000000Z.csv"]
    request = ExportRequest(kind="forecasts", metric="tps", selector="all", start=NOW, end=NOW, step=timedelta(hours=1))
    assert run_export(settings, request, tmp_path / "by-command.csv") == 48
    assert (tmp_path / "by-command.csv").read_bytes() == (tmp_path / "out" / files[1]).read_bytes()
