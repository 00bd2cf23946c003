"""`tpscope backtest forecast` on an import of long ago: figures by series and horizon, or one line on what is missing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.config import ForecastSettings, Settings, StoreSettings
from core.errors import ConfigError
from core.series import ALL_CALLS
from storage.backtests import latest_backtests
from storage.hours import insert_hours
from storage.migrate import migrate
from storage.open import open_store
from tests.unit.analytics.forecasting.builders import weekly
from tpscope.backtesting import run_forecast_backtest


def test_stored_history_is_judged_and_nothing_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forecast = ForecastSettings(metrics=("tps", "cost_per_h"), by=())
    settings = Settings(store=StoreSettings(url=f"chdb://{tmp_path / 'data'}"), forecast=forecast)
    with pytest.raises(ConfigError, match="no series has hours of two weeks and a day"):
        run_forecast_backtest(settings, None, as_json=True)
    with pytest.raises(ConfigError, match="'visits' is no metric"):
        run_forecast_backtest(settings, "visits", as_json=True)
    store = open_store(settings.store, owner=True)
    try:
        migrate(store, settings.retention)
        values = weekly(6)
        hours = pd.DataFrame(
            {
                "hour": pd.date_range("2020-03-02", periods=len(values), freq="h", tz="UTC"),
                "scope": ALL_CALLS.scope,
                "selector": str(ALL_CALLS),
                "calls": np.round(values).astype("uint64"),
            }
        )
        insert_hours(store, hours, origin="import", epoch=1)
    finally:
        store.close()
    assert run_forecast_backtest(settings, "tps", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["metric"], one["horizon_h"]) for one in told] == [("tps", 24), ("tps", 168), ("tps", 672)]
    assert all(0.0 < one["mase"] < 1.5 and one["history_from"].startswith("2020-03-02") for one in told)
    assert run_forecast_backtest(settings, "tps", as_json=False) == 0
    assert "all traffic" in capsys.readouterr().out
    store = open_store(settings.store, owner=False)
    try:
        assert len(latest_backtests(store)) == 3
    finally:
        store.close()
