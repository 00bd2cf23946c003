import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from core.series import ALL_CALLS, Selector
from core.types import QUANTILE_COLUMNS, ForecastRun
from storage.contract import Store
from storage.forecasts import latest_forecasts, read_forecast, write_forecast

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = ForecastRun(
    version="f1",
    made_at=AT,
    selector=ALL_CALLS,
    metric="tps",
    unit="calls/s",
    model="seasonal",
    step="1h",
    trained_from=AT - timedelta(days=14),
    trained_to=AT,
    error_mase=0.8,
)


def _points(level: float = 1.0, hours: int = 672) -> pd.DataFrame:
    frame = pd.DataFrame({"ts": pd.date_range(AT, periods=hours, freq="h"), "mean": level * np.arange(hours)})
    for place, name in enumerate(QUANTILE_COLUMNS):
        frame[name] = frame["mean"] + place - 3
    return frame


def test_what_was_written_comes_back(store: Store) -> None:
    write_forecast(store, RUN, _points(), 1)
    found = read_forecast(store, "tps")
    assert found is not None
    assert found[0] == RUN
    pd.testing.assert_frame_equal(found[1], _points().astype({"ts": "datetime64[ms, UTC]"}))


def test_the_newest_run_of_each_series(store: Store) -> None:
    service = replace(RUN, selector=Selector.of(service="chat"), error_mase=float("nan"))
    newer = replace(RUN, version="f2", made_at=AT + timedelta(days=1))
    for run in (service, newer, RUN):
        write_forecast(store, run, _points(), 1)
    runs = latest_forecasts(store)
    assert [(run.version, run.selector) for run in runs] == [("f2", ALL_CALLS), ("f1", service.selector)]
    assert math.isnan(runs[1].error_mase)
    found = read_forecast(store, "tps")
    assert found is not None
    assert found[0].version == "f2"


def test_an_older_version_can_be_asked_for(store: Store) -> None:
    write_forecast(store, RUN, _points(), 1)
    write_forecast(store, replace(RUN, version="f2", made_at=AT + timedelta(days=1)), _points(9.0), 1)
    found = read_forecast(store, "tps", version="f1")
    assert found is not None
    assert found[1]["mean"].iloc[10] == 10.0


def test_a_version_written_twice_has_the_points_of_the_second_write(store: Store) -> None:
    write_forecast(store, RUN, _points(), 1)
    write_forecast(store, RUN, _points(2.0, hours=24), 1)
    found = read_forecast(store, "tps")
    assert found is not None
    assert list(found[1]["mean"]) == list(2.0 * np.arange(24))


def test_none_before_the_first(store: Store) -> None:
    assert read_forecast(store, "tps") is None
    assert latest_forecasts(store) == []
